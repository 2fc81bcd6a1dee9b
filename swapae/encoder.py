"""Encoder: image -> structure code and texture code (section 3.1 and appendix B of arXiv:2007.00653)."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from swapae.config import MINIMUM_CELLS, TEXTURE_DOWNSAMPLINGS, SwapAEConfig
from swapae.layers import ConvLayer, DownBlock, EqualLinear, unit_length

BINOMIAL = (1, 2, 1)


class EncoderStages(nn.Module):
    """How both codes are read from features, whoever computes the stages: PyTorch (`Encoder`) or an engine.

    Attributes:
        to_structure: features [B, C, h, w] -> [B, K, h, w].
        texture_convs: features -> [B, D, any, any], smaller maps that are averaged over all places.
        to_texture: [B, D] -> [B, T].
    """

    to_structure: nn.Module
    texture_convs: nn.Module
    to_texture: EqualLinear

    def features(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] in [-1, 1] -> [B, C, h, w] at 1/stride of the side."""
        raise NotImplementedError

    def codes(self, structure: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """What `to_structure` gives, and the mean of what `texture_convs` gives -> both codes."""
        return unit_length(structure), unit_length(self.to_texture(pooled))

    def forward(self, images: Tensor, opacity: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """[B, 3, H, W] in [-1, 1] -> structure [B, K, h, w] and texture [B, T], of unit length over channels.

        `opacity`: [1 or B, 1, H, W] in [0, 1], by which a place counts in the texture's mean; all alike if not given.
        """
        features = self.features(images)
        structure, maps = self.to_structure(features), self.texture_convs(features)
        if opacity is None:
            return self.codes(structure, maps.mean((2, 3)))
        weights = texture_weights(opacity, features.shape[2:]).to(maps.dtype)
        return self.codes(structure, (maps * weights).sum((2, 3)) / weights.sum((2, 3)))


def texture_weights(opacity: Tensor, grid: Sequence[int]) -> Tensor:
    """How much each place of the texture branch counts: the mean opacity of what it looks at.

    The texture code is a mean over places, so what cannot be seen is left out of that mean. To fill it with the colours
    around, and to count it, would make the texture that of a smooth picture: filled parts have no grain.

    Args:
        opacity: [B, 1, H, W] in [0, 1].
        grid: (h, w) of the features.

    Returns:
        [B, 1, *any] in [0, 1], of the sides that `texture_convs` gives; ones where it looks at nothing visible at all,
        as it never looks at the last rows and columns.
    """
    cells = F.interpolate(opacity, size=tuple(grid), mode="area")
    weights = F.avg_pool2d(cells, MINIMUM_CELLS, 2**TEXTURE_DOWNSAMPLINGS)
    return weights.where(weights.sum((2, 3), keepdim=True) > 0, 1)


class Encoder(EncoderStages):
    """A residual trunk to 1/stride of the side, from which both codes are read."""

    def __init__(self, config: SwapAEConfig) -> None:
        super().__init__()
        widths = [config.encoder_channels(level) for level in range(config.downsamplings + 1)]
        self.from_rgb = ConvLayer(3, widths[0], 1)
        self.trunk = nn.Sequential(
            *[DownBlock(widths[i], widths[i + 1], BINOMIAL, "reflect") for i in range(config.downsamplings)]
        )
        self.to_structure = nn.Sequential(
            ConvLayer(widths[-1], widths[-1], 1),
            ConvLayer(widths[-1], config.structure_channels, 1, activate=False),
        )
        levels = range(config.downsamplings, config.downsamplings + TEXTURE_DOWNSAMPLINGS)
        self.texture_convs = nn.Sequential(
            *[
                ConvLayer(
                    config.encoder_channels(level),
                    config.encoder_channels(level + 1),
                    3,
                    stride=2,
                    padded=False,
                )
                for level in levels
            ]
        )
        pooled = config.encoder_channels(config.downsamplings + TEXTURE_DOWNSAMPLINGS)
        self.to_texture = EqualLinear(pooled, config.texture_channels)

    def features(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] in [-1, 1] -> [B, C, h, w] at 1/stride of the side."""
        return self.trunk(self.from_rgb(images))
