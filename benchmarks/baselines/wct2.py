"""Photographs in another's style by whitening and colouring features (Yoo et al. 2019, WCT2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.baselines.wavelets import WaveletAutoencoder

FEWEST = 10  # places of a segment, below which its covariance says nothing


class Wct2:
    """One pass through a wavelet autoencoder, the features given the texture image's mean and covariance on the way.

    Each scale is stylised once, one after another ("progressive stylisation", section 3.3): where the encoder enters a
    level, its details, and where the decoder has them back.

    Args:
        network: of `wavelets`.
        name: in tables and grids, which says whose weights they are.
        parts: of the network in which features are changed; one level of a part is named as in encoder1.
    """

    embed = None

    def __init__(
        self, network: WaveletAutoencoder, name: str, parts: Sequence[str] = ("encoder", "details", "decoder")
    ) -> None:
        self.network, self.name, self.parts = network, name, tuple(parts)

    @torch.inference_mode()
    def hybrid(self, structure: Tensor, texture: Tensor, segments: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """The structure image, its features whitened and coloured.

        Args:
            structure, texture: [1, 3, H, W] in [-1, 1], sides multiples of 8.
            segments: labels [1, 1, H, W] of whole numbers for both images; each segment is given the statistics of the
                other image's of the same label, and stays as it is where that has none. All to all if not given.
        """
        styles: dict[str, Tensor] = {}

        def look(name: str, x: Tensor) -> Tensor:
            styles[name] = x
            return x

        def change(name: str, x: Tensor) -> Tensor:
            if not name.startswith(self.parts):
                return x
            return stylised(x, styles[name], segments)

        self.network(texture, look)
        return self.network(structure, change).clamp(-1, 1)


def stylised(content: Tensor, style: Tensor, segments: tuple[Tensor, Tensor] | None) -> Tensor:
    """Features [1, C, h, w] with mean and covariance of others [1, C, any, any]; segments as of `Wct2.hybrid`."""
    x, other = content[0].flatten(1), style[0].flatten(1)
    if segments is None:
        return whitened_and_coloured(x, other).view_as(content)
    labels, others = (
        F.interpolate(labels.float(), features.shape[2:], mode="nearest").flatten()
        for labels, features in zip(segments, (content, style), strict=True)
    )
    result = x.clone()
    for label in labels.unique():
        here, there = labels == label, others == label
        if min(here.sum(), there.sum()) >= FEWEST:
            result[:, here] = whitened_and_coloured(x[:, here], other[:, there])
    return result.view_as(content)


def whitened_and_coloured(content: Tensor, style: Tensor) -> Tensor:
    """[C, N] with the mean and covariance of [C, M] (Li et al. 2017, Eqs. 3 and 4), computed in float64."""
    x, other = content.double(), style.double()
    centred = x - x.mean(1, keepdim=True)
    whitened = power(torch.cov(x), -0.5) @ centred
    return (power(torch.cov(other), 0.5) @ whitened + other.mean(1, keepdim=True)).to(content.dtype)


def power(covariance: Tensor, exponent: float) -> Tensor:
    """A power of a covariance [C, C]; directions in which nothing varies stay nothing."""
    values, vectors = torch.linalg.eigh(covariance)
    varying = values > 1e-5 * values[-1].clamp(min=1e-12)
    scales = torch.where(varying, values.clamp(min=1e-30) ** exponent, torch.zeros_like(values))
    return (vectors * scales) @ vectors.T
