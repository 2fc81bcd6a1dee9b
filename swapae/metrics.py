"""How alike two images are in structure and in texture, by the features of a network such as `LPIPS.features`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

# Self-similarity compares every two places: of more than this many a side, neighbours are averaged first.
LARGEST_GRID = 32


def self_similarity(features: Tensor) -> Tensor:
    """Cosine similarity of every two places: features [B, C, h, w] -> [B, n, n] in [-1, 1], n = h w at most 1024."""
    sides = [min(side, LARGEST_GRID) for side in features.shape[2:]]
    if list(features.shape[2:]) != sides:
        features = F.adaptive_avg_pool2d(features, sides)
    places = F.normalize(features.flatten(2), dim=1)  # [B, C, n]
    return places.transpose(1, 2) @ places


def structure_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean difference of two self-similarities (Kolkin et al. 2019, STROTSS, Eq. 6, with plain cosines).

    It asks which places look alike, not what they look like: colours and materials may change, the layout not.

    Args:
        a: features [B, C, h, w] of one image each, such as one entry of `LPIPS.features`.
        b: of other images of the same size.

    Returns:
        [B] in [0, 2]: 0 for the same layout.
    """
    return (self_similarity(a) - self_similarity(b)).abs().mean((1, 2))


def texture_statistics(layers: Sequence[Tensor]) -> Tensor:
    """Mean and deviation of each channel over all places: layers of [B, C, h, w] -> [B, sum of 2 C].

    Each layer is divided by the root of its number of channels, so that all count alike in `texture_distance`.
    """
    statistics = []
    for layer in layers:
        flat = layer.flatten(2)
        both = torch.cat([flat.mean(2), flat.std(2, unbiased=False)], 1)
        statistics.append(both / layer.shape[1] ** 0.5)
    return torch.cat(statistics, 1)


def texture_distance(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Length of the difference of two images' `texture_statistics`: what they are made of, wherever it is.

    Args:
        a: layers of features, each [B, C, h, w]; the image itself may be one, and then its colours count.
        b: the same layers of other images, of any size.

    Returns:
        [B], 0 for the same statistics.
    """
    return (texture_statistics(a) - texture_statistics(b)).norm(dim=1)
