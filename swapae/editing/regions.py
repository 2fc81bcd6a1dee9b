"""Regions: each photograph's texture where it was brushed, in one decode; and a region selected by a click."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from swapae.editing.masks import feather, fit_mask, grid_of
from swapae.layers import unit_length
from swapae.precision import upcast

# Of a cosine that is 1 but for rounding: a click must select at least itself.
ROUNDING = 1e-6


def texture_map(
    own: Tensor,
    references: Sequence[Tensor],
    masks: Sequence[Tensor],
    grid: tuple[int, int],
    *,
    radius: int = 0,
) -> Tensor:
    """Write the textures of several photographs into regions of one (section 4.3, region editing).

    Where masks overlap their weights are divided by their sum if it is over 1; what is left to 1 is `own`.

    Args:
        own: texture [B, T], or an earlier map [B, T, *grid] to go on from.
        references: textures [B or 1, T].
        masks: one for each reference, [B or 1, 1, any, any] in [0, 1]; the value is the strength.
        grid: (h, w) of the map, usually the structure's; a finer one gives finer edges.
        radius: cells of that grid over which every mask is feathered to each side.

    Returns:
        Map [B, T, *grid] in `own`'s type, for `Codes.texture`. It is `own` bit for bit wherever all feathered
        masks are 0, and a reference where its mask alone is 1.

    Raises:
        ValueError: another number of masks than of references, shapes that do not fit, a mask outside [0, 1].
    """
    if len(references) != len(masks):
        raise ValueError(f"expected a mask for each of {len(references)} references, got {len(masks)}")
    batch, channels = own.shape[:2]
    if own.dim() == 4 and grid_of(own) != tuple(grid):
        raise ValueError(f"expected a map of the grid {list(grid)}, got {list(own.shape)}")
    for reference in references:
        if reference.dim() != 2 or reference.shape[0] not in (1, batch) or reference.shape[1] != channels:
            raise ValueError(f"expected references [{batch} or 1, {channels}], got {list(reference.shape)}")
    own = (own if own.dim() == 4 else own[:, :, None, None]).expand(batch, channels, *grid)
    if not references:
        return own.contiguous()
    shares = [feather(fit_mask(mask, batch, grid, own.device), radius) for mask in masks]
    total = torch.stack(torch.broadcast_tensors(*shares)).sum(0)
    mixed = upcast(own) * (1 - total).clamp_min(0)
    for reference, share in zip(references, shares, strict=True):
        mixed = mixed + reference[:, :, None, None] * (share / total.clamp_min(1))
    return mixed.to(own.dtype)


def similarity(features: Tensor, cell: tuple[int, int]) -> Tensor:
    """Cosine similarity of every location's features to those of one (section 4.3, selecting a region by a click).

    Args:
        features: structure [B, K, h, w], or any other features of that shape.
        cell: (row, column) of the click on their grid.

    Returns:
        [B, 1, h, w] in [-1, 1], float32 (or 64).

    Raises:
        ValueError: another shape, or a cell beyond the grid.
    """
    if features.dim() != 4:
        raise ValueError(f"expected features [B, C, h, w], got {list(features.shape)}")
    (row, column), (height, width) = cell, features.shape[2:]
    if not (0 <= row < height and 0 <= column < width):
        raise ValueError(f"expected a cell within {height} rows and {width} columns, got {list(cell)}")
    directions = unit_length(upcast(features))
    return (directions * directions[:, :, row, column, None, None]).sum(1, keepdim=True).clamp(-1, 1)


def select_similar(features: Tensor, cell: tuple[int, int], *, threshold: float, radius: int = 0) -> Tensor:
    """The region of all locations that are like the one clicked on.

    Args:
        features, cell: as in `similarity`.
        threshold: cosine from which a location belongs to it; -1 selects all, 1 only what is the same.
        radius: cells over which the edge is feathered to each side.

    Returns:
        Mask [B, 1, h, w] in [0, 1].

    Raises:
        ValueError: as of `similarity`, a threshold beyond [-1, 1] or a negative radius.
    """
    if not -1 <= threshold <= 1:
        raise ValueError(f"expected a threshold in [-1, 1], got {threshold}")
    cosine = similarity(features, cell)
    return feather((cosine >= threshold - ROUNDING).to(cosine.dtype), radius)
