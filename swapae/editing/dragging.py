"""Drag points of a picture elsewhere: a smooth deformation of its structure code that takes handles to targets.

The deformation is by rigid moving least squares (Schaefer, McPhail and Warren, "Image deformation using moving least
squares", SIGGRAPH 2006, section 2.3): at every place the rotation and the translation that fit the points best, the
nearest points counting most. Decoded, the generator draws what belongs to the deformed shapes, where warped pixels
would be smeared.

Points are (x, y) in pixels; (0, 0) is the centre of the first one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from swapae.editing.masks import feather_outward, fit_mask, grid_of
from swapae.editing.structure import check_structure
from swapae.errors import UserError
from swapae.precision import upcast

Points = Sequence[tuple[float, float]]

MAX_POINTS = 32
PLACES_AT_ONCE = 65_536  # of which the distances to all points are in memory


def drag(
    code: Tensor, handles: Points, targets: Points, *, stride: int, mask: Tensor | None = None, radius: int = 0
) -> Tensor:
    """A code, deformed so that what is at the handles comes to the targets.

    A point whose target is itself pins what is around it. One point moves everything alike, two turn it besides. What
    comes in over the border is mirrored. Blends of structures are inside the sphere that structures lie on; decoding
    brings them back.

    Args:
        code: [B, C, h, w], a structure, or what is at the pixels if `stride` is 1.
        handles, targets: as many of the one as of the other.
        stride: pixels per cell of the code.
        mask: [1, 1, any, any] in [0, 1]; 1 stays as it is, bit for bit.
        radius: cells outside the mask over which half of the fade to the full deformation goes.

    Returns:
        [B, C, h, w], a new tensor.

    Raises:
        UserError: points of which no deformation follows.
        ValueError: another shape, a mask outside [0, 1], or a negative radius.
    """
    check_structure(code)
    check_points(handles, targets)
    offsets = backward_offsets(grid_of(code), handles, targets, stride)
    if mask is not None:
        kept = feather_outward(fit_mask(mask, 1, grid_of(code), torch.device("cpu")), radius)
        offsets = offsets * (1 - kept[0, 0, :, :, None])
    return sample(code, offsets)


def backward_offsets(grid: tuple[int, int], handles: Points, targets: Points, stride: int) -> Tensor:
    """From each cell to where its contents come from, (x, y) in cells: float64 [h, w, 2].

    It is the deformation that takes targets to handles, so that every cell has one origin, wherever shapes overlap.
    """
    rows, columns = (torch.arange(side, dtype=torch.float64) for side in grid)
    centres = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), 2).flatten(0, 1) * stride + (stride - 1) / 2
    ends = (torch.tensor(points, dtype=torch.float64) for points in (targets, handles))
    start, end = ends
    parts = [rigid_displacements(part, start, end) for part in centres.split(PLACES_AT_ONCE)]
    return torch.cat(parts).view(*grid, 2) / stride


def rigid_displacements(places: Tensor, p: Tensor, q: Tensor, *, alpha: float = 1.0) -> Tensor:
    """How far rigid moving least squares takes places: f_r(v) - v of the paper's equation 8.

    Where all q are p it is 0 exactly; at the points it is q - p to rounding.

    Args:
        places: v, [M, 2].
        p, q: [N, 2], the points before and after.
        alpha: points weigh 1 / |p - v| to the power of 2 alpha.

    Returns:
        [M, 2], finite everywhere. Where the points give no rotation, they give a translation.
    """
    squares = (p - places[:, None]).square().sum(2)  # [M, N]
    nearest = squares.amin(1, keepdim=True)
    # Over the largest weight, so that it is 1 at a point, and that of the others 0.
    weights = torch.where(squares > nearest, nearest / squares, 1.0).pow(alpha)[..., None]
    total = weights.sum(1)
    p_mean, q_mean = (weights * p).sum(1) / total, (weights * q).sum(1) / total
    p_hat, q_hat = p - p_mean[:, None], q - q_mean[:, None]
    # In complex numbers the rotation is that of the sum of weight * conj(p_hat) * q_hat.
    cosine = (weights * p_hat * q_hat).sum((1, 2))
    sine = (weights[..., 0] * (p_hat[..., 0] * q_hat[..., 1] - p_hat[..., 1] * q_hat[..., 0])).sum(1)
    length = torch.hypot(cosine, sine)
    turns = length > 0
    length = torch.where(turns, length, 1.0)
    less_one, sine = torch.where(turns, cosine / length - 1, 0.0), sine / length
    x, y = (places - p_mean).unbind(1)
    turned = torch.stack([less_one * x - sine * y, sine * x + less_one * y], 1)
    return turned + (q_mean - p_mean)


def sample(code: Tensor, offsets: Tensor) -> Tensor:
    """A code [B, C, h, w] at its cells plus offsets [h, w, 2] of (x, y) in cells: bilinear, mirrored at the border.

    Where an offset is 0 the cell stays as it was, bit for bit.
    """
    rows, columns = grid_of(code)
    x = torch.arange(columns) + offsets[..., 0]
    y = torch.arange(rows)[:, None] + offsets[..., 1]
    wide = upcast(code)
    across, down = ((at - at.floor()).to(wide) for at in (x, y))
    left, right = (mirrored(x + step, columns).to(code.device) for step in (0, 1))
    top, bottom = (mirrored(y + step, rows).to(code.device) for step in (0, 1))
    above, below = (torch.lerp(wide[:, :, row, left], wide[:, :, row, right], across) for row in (top, bottom))
    return torch.lerp(above, below, down).to(code.dtype)


def mirrored(positions: Tensor, length: int) -> Tensor:
    """The cells, from 0 to `length` - 1, in which positions are; beyond the border as `structure.mirror` goes on."""
    index = positions.floor().long() % (2 * length)
    return torch.minimum(index, 2 * length - 1 - index)


def check_points(handles: Points, targets: Points) -> None:
    """Raise UserError for points of which no deformation follows, whatever the picture."""
    if not handles or not targets:
        raise UserError("there is nothing to drag: give at least one point and where it goes")
    if len(handles) != len(targets):
        raise UserError(f"every point needs a place to go, got {len(handles)} points and {len(targets)} places")
    if len(handles) > MAX_POINTS:
        raise UserError(f"at most {MAX_POINTS} points can be dragged at once, got {len(handles)}")
    forward: dict[tuple[float, float], tuple[float, float]] = {}
    backward: dict[tuple[float, float], tuple[float, float]] = {}
    for handle, target in zip(handles, targets, strict=True):
        if forward.setdefault(handle, target) != target:
            raise UserError(f"the point {shown(handle)} cannot go to {shown(forward[handle])} and to {shown(target)}")
        if backward.setdefault(target, handle) != handle:
            raise UserError(f"{shown(backward[target])} and {shown(handle)} cannot both go to {shown(target)}")


def check_within(points: Points, size: tuple[int, int]) -> None:
    """Raise UserError unless all points are on a picture of `size`, (width, height)."""
    for point in points:
        if not all(0 <= value <= side - 1 for value, side in zip(point, size, strict=True)):
            raise UserError(f"the point {shown(point)} is beyond the picture, which has {size[0]}x{size[1]} pixels")


def shown(point: tuple[float, float]) -> str:
    """A point as people write it."""
    return ",".join(f"{value:g}" for value in point)
