"""Masks [B or 1, 1, H, W] in [0, 1], which say where an edit goes: their check, their grid and their soft edge.

A mask may be of any size, painted on the picture or selected on the structure's grid; whoever uses it brings it
to the grid it works on.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from swapae.precision import upcast


def grid_of(code: Tensor) -> tuple[int, int]:
    """(rows, columns) of what ends in [..., h, w]."""
    rows, columns = code.shape[-2:]
    return rows, columns


def fit_mask(mask: Tensor, batch: int, grid: tuple[int, int], device: torch.device) -> Tensor:
    """A mask on another grid, each cell the mean of what it covers: float32 (or 64) [B or 1, 1, *grid].

    Args:
        mask: [batch or 1, 1, any, any] in [0, 1], of floats or bool. Its zeros stay exact zeros.
        batch: of what it is for.
        grid: (height, width) wanted.
        device: wanted.

    Raises:
        ValueError: another shape or type, or values outside [0, 1].
    """
    if mask.dim() != 4 or mask.shape[0] not in (1, batch) or mask.shape[1] != 1 or not mask.numel():
        raise ValueError(f"expected a mask [{batch} or 1, 1, H, W], got {list(mask.shape)}")
    if not (mask.is_floating_point() or mask.dtype == torch.bool):
        raise ValueError(f"expected a mask of floats or bool, got {mask.dtype}")
    mask = upcast(mask.to(device))
    low, high = (value.item() for value in mask.aminmax())
    if not (low >= 0 and high <= 1):  # put so that NaN fails too
        raise ValueError(f"expected a mask in [0, 1], got {low:g} to {high:g}")
    return mask if grid_of(mask) == tuple(grid) else F.interpolate(mask, size=grid, mode="area")


def feather(mask: Tensor, radius: int) -> Tensor:
    """Soften the edge of a mask [B, 1, H, W] over `radius` cells to each side, symmetrically.

    Further than `radius` from the edge nothing changes: of a mask of zeros and ones, zeros stay exact zeros and
    ones exact ones there. The picture's border is no edge.

    Raises:
        ValueError: a negative radius.
    """
    check_radius(radius)
    if radius == 0:
        return mask
    side = radius + 1
    soft = F.pad(upcast(mask), [radius] * 4, mode="replicate")
    # Two boxes make a triangle of half-width `radius`; means, unlike convolutions, keep ones exact on any device.
    for kernel in ((side, 1), (side, 1), (1, side), (1, side)):
        soft = F.avg_pool2d(soft, kernel, stride=1)
    return soft.to(mask.dtype)


def feather_outward(mask: Tensor, radius: int) -> Tensor:
    """Soften the edge of a mask [B, 1, H, W] outside it alone: what it holds stays held, zero from 2 `radius` on.

    Raises:
        ValueError: a negative radius.
    """
    check_radius(radius)
    side, grown = 2 * radius + 1, upcast(mask)
    grown = F.max_pool2d(grown, (side, 1), stride=1, padding=(radius, 0))
    grown = F.max_pool2d(grown, (1, side), stride=1, padding=(0, radius))
    return feather(grown, radius).to(mask.dtype)


def check_radius(radius: int) -> None:
    """Raise ValueError for a radius under 0."""
    if radius < 0:
        raise ValueError(f"expected a radius of at least 0 cells, got {radius}")
