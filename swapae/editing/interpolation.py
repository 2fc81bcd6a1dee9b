"""Between two codes of one kind: in a straight line, or along the sphere that codes lie on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from swapae.layers import unit_length
from swapae.precision import upcast

# Below this sine of their angle two codes count as parallel, and the arc between them as of any direction.
PARALLEL = 1e-5


def interpolate(own: Tensor, other: Tensor, amount: float) -> Tensor:
    """Straight from one code to another (section 4.3: textures; structures likewise).

    Args:
        own, other: textures [B, T], maps [B, T, h, w] or structures [B, K, h, w]; batches of 1 and a texture
            beside a map are spread, everything else must agree.
        amount: 0 gives `own`, 1 gives `other`, both bit for bit; beyond is extrapolation.

    Returns:
        The code between, which lies inside the sphere; decoding brings it back.

    Raises:
        ValueError: codes that do not fit each other, or an amount that is not finite.
    """
    check_finite("amount", amount)
    own, other = spread([own, other])
    return torch.lerp(own, other, amount)


def interpolate_spherical(own: Tensor, other: Tensor, amount: float) -> Tensor:
    """Along the great circle from one code to another, turning by the same angle for equal steps of `amount`.

    Maps and structures turn location by location. Where both codes are opposite no circle is the shortest: one
    is taken, always the same.

    Args:
        own, other, amount: as in `interpolate`; both codes are brought to unit length first.

    Returns:
        The code between, of unit length.

    Raises:
        ValueError: as of `interpolate`.
    """
    check_finite("amount", amount)
    own, other = spread([own, other])
    start, end = (unit_length(upcast(code)) for code in (own, other))
    cosine = (start * end).sum(1, keepdim=True)
    tangent = end - cosine * start
    sine = tangent.norm(dim=1, keepdim=True)
    angle = torch.atan2(sine, cosine)
    direction = F.normalize(torch.where(sine > PARALLEL, tangent, perpendicular(start)), dim=1)
    turned = (amount * angle).cos() * start + (amount * angle).sin() * direction
    return F.normalize(turned, dim=1).to(own.dtype)


def perpendicular(codes: Tensor) -> Tensor:
    """Of unit codes [B, C, ...], a vector at a right angle to each: the axis furthest from it, made upright."""
    axis = torch.zeros_like(codes).scatter_(1, codes.abs().argmin(1, keepdim=True), 1.0)
    return axis - (axis * codes).sum(1, keepdim=True) * codes


def spread(codes: Sequence[Tensor]) -> list[Tensor]:
    """Codes in one shape: batches of 1 repeated, and textures beside maps written into every location.

    Raises:
        ValueError: shapes that cannot be brought together.
    """
    maps = any(code.dim() == 4 for code in codes)
    widened = [code[:, :, None, None] if maps and code.dim() == 2 else code for code in codes]
    largest = tuple(max(sides) for sides in zip(*(code.shape for code in widened), strict=False))
    for code in widened:
        # Only the batch of a texture may be 1 and its grid 1 x 1; a grid of one row must not stretch.
        grids = {tuple(largest[2:]), (1, 1)} if maps else {()}
        fits = code.dim() == len(largest) and code.shape[0] in (1, largest[0]) and code.shape[1] == largest[1]
        if not fits or tuple(code.shape[2:]) not in grids:
            raise ValueError(f"expected codes of one shape, got {' and '.join(str(list(one.shape)) for one in codes)}")
    return [code.expand(largest) for code in widened]


def check_finite(name: str, *values: float) -> None:
    """Raise ValueError unless all are finite numbers."""
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"expected a finite {name}, got {', '.join(str(value) for value in values)}")
