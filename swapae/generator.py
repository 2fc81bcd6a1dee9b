"""Generator: structure code + texture code -> image (section 3.1 and appendix B of arXiv:2007.00653)."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from swapae.config import SwapAEConfig
from swapae.layers import ConvLayer, EqualLinear, ModulatedConv, ToRGB, residual, unit_length

# One texture for all blocks, or one per block, from coarse to fine: each [B, T, 1, 1] or a map [B, T, h, w].
Textures = Tensor | Sequence[Tensor]


class StructureModulation(nn.Module):
    """Scales and shifts the structure code by the texture, before any convolution."""

    def __init__(self, structure_channels: int, texture_channels: int) -> None:
        super().__init__()
        # Started at 1: at 0, a texture of unit length would let hardly any structure through, and the noise
        # maps would become the picture before the structure code had learnt anything.
        self.scale = EqualLinear(texture_channels, structure_channels, bias=1.0)
        self.shift = EqualLinear(texture_channels, structure_channels)

    def forward(self, structure: Tensor, texture: Tensor) -> Tensor:
        """structure [B, K, h, w], texture [B, T, 1, 1] or a map -> [B, K, h, w]."""
        scale, shift = self.scale(texture), self.shift(texture)
        if texture.shape[2:] != (1, 1):
            grid = structure.shape[2:]
            scale = F.interpolate(scale, size=grid, mode="bilinear", align_corners=False)
            shift = F.interpolate(shift, size=grid, mode="bilinear", align_corners=False)
        return structure * scale + shift


class GeneratorBlock(nn.Module):
    """Residual block of two modulated convolutions; `upsample` doubles the side, the skip bilinearly."""

    def __init__(self, in_channels: int, out_channels: int, texture_channels: int, *, upsample: bool) -> None:
        super().__init__()
        self.conv1 = ModulatedConv(in_channels, out_channels, texture_channels, upsample=upsample)
        self.conv2 = ModulatedConv(out_channels, out_channels, texture_channels)
        self.upsample = upsample
        self.skip: ConvLayer | None = None
        if in_channels != out_channels:
            self.skip = ConvLayer(in_channels, out_channels, 1, activate=upsample, bias=upsample)

    def forward(self, x: Tensor, texture: Tensor, noises: Sequence[Tensor | None]) -> Tensor:
        """x [B, in, h, w], which may be overwritten -> [B, out, h, w], or twice the sides."""
        skip = x.clone() if self.skip is None and not self.upsample else x
        skip = skip if self.skip is None else self.skip(skip)
        if self.upsample:
            skip = F.interpolate(skip, scale_factor=2, mode="bilinear", align_corners=False)
        return residual(self.conv2(self.conv1(x, texture, noises[0]), texture, noises[1]), skip)


class GeneratorStages(nn.Module):
    """What a generator is beside its arithmetic, whoever computes its blocks: PyTorch (`Generator`) or an engine.

    Attributes:
        blocks: from coarse to fine, each with `upsample`: whether it doubles the side.
    """

    blocks: nn.ModuleList

    def noise_sides(self, height: int, width: int) -> list[tuple[int, int]]:
        """Sides of each noise map, in layer order, for a structure grid of `height` x `width` cells."""
        sides = []
        for block in self.blocks:
            if block.upsample:
                height, width = 2 * height, 2 * width
            sides += [(height, width)] * 2
        return sides

    @property
    def block_groups(self) -> list[str]:
        """Of each block, what its texture decides: "coarse" shapes, "middle", or "fine" detail and colours."""
        groups = ["middle" if block.upsample else "coarse" for block in self.blocks]
        return [*groups[:-1], "fine"]

    def forward(self, structure: Tensor, textures: Textures, noises: Sequence[Tensor] | None) -> Tensor:
        """structure [B, K, h, w] -> image [B, 3, H, W].

        Args:
            textures: as `unit_texture` gives them. Of several the structure's modulation takes the first, the RGB layer
                the last.
            noises: one map [1 or B, 1, *noise_sides] per modulated 3x3 convolution, or None for zero noise.
        """
        return self.run(range(len(self.blocks)), structure, textures, noises)

    def run(self, blocks: range, x: Tensor, textures: Textures, noises: Sequence[Tensor] | None) -> Tensor:
        """Some of the blocks: the first one begins with the structure, the last one ends with the image.

        Args:
            blocks: their numbers, without gaps.
            x: structure, or what the block before them made of it, which may be overwritten.
            textures: one for all of them, or one for each.
            noises: two for each of them, or None.
        """
        raise NotImplementedError

    @property
    def bytes_per_pixel(self) -> float:
        """Of a picture, what decoding it takes at its peak in float32."""
        raise NotImplementedError


class Generator(GeneratorStages):
    """Head blocks at the structure's resolution (the paper: two), one up-sampling block per octave, then RGB."""

    def __init__(self, config: SwapAEConfig) -> None:
        super().__init__()
        texture = config.texture_channels
        self.head_blocks = config.head_blocks
        widths = [config.structure_channels, *map(config.head_channels, range(config.head_blocks))]
        widths += [config.generator_channels(level) for level in range(config.downsamplings)]
        self.structure_modulation = StructureModulation(config.structure_channels, texture)
        self.blocks = nn.ModuleList(
            GeneratorBlock(widths[i], widths[i + 1], texture, upsample=i >= config.head_blocks)
            for i in range(len(widths) - 1)
        )
        self.to_rgb = ToRGB(widths[-1], texture)

    def run(self, blocks: range, x: Tensor, textures: Textures, noises: Sequence[Tensor] | None) -> Tensor:
        """Some of the blocks, see `GeneratorStages.run`."""
        each = per_block(textures, len(blocks))
        if blocks.start == 0:
            x = self.structure_modulation(unit_length(x), each[0])
        for i, number in enumerate(blocks):
            x = self.blocks[number](x, each[i], (None, None) if noises is None else noises[2 * i : 2 * i + 2])
        return self.to_rgb(x, each[-1]) if blocks.stop == len(self.blocks) else x

    @property
    def bytes_per_pixel(self) -> float:
        """Of a picture, what decoding it takes at its peak in float32, measured: maps of the last block."""
        return 4 * 3.5 * self.to_rgb.weight.shape[1]


def unit_texture(texture: Tensor) -> Tensor:
    """A texture [B, T] or map [B, T, h, w] at unit length, as [B, T, 1, 1] or [B, T, h, w]."""
    texture = unit_length(texture)
    return texture[:, :, None, None] if texture.dim() == 2 else texture


def per_block(textures: Textures, blocks: int) -> Sequence[Tensor]:
    """One texture for each of so many blocks."""
    return [textures] * blocks if isinstance(textures, Tensor) else textures
