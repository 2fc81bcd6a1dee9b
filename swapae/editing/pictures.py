"""Pictures [B, 3, H, W] in [-1, 1] after decoding: keep luminance or colour, protect a region, measure the change."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from swapae.editing.masks import feather, feather_outward, fit_mask, grid_of
from swapae.precision import upcast

# Rec. 709, whose primaries are those of sRGB.
REC_709 = (0.2126, 0.7152, 0.0722)
LEVELS_PER_UNIT = 127.5  # of 8 bits in one unit of [-1, 1]


class Change(NamedTuple):
    """Differences of two pictures in 8-bit levels, 0 to 255; 0 where a side of the mask holds no pixel.

    Attributes:
        inside_mean, inside_max: absolute differences where the mask is over 0.
        outside_mean, outside_max: where it is 0.
    """

    inside_mean: float
    inside_max: float
    outside_mean: float
    outside_max: float


def luma_709(images: Tensor) -> Tensor:
    """Luma of images [B, 3, H, W]: [B, 1, H, W], in their range."""
    weights = torch.tensor(REC_709, device=images.device, dtype=images.dtype)
    return (images * weights.view(1, 3, 1, 1)).sum(1, keepdim=True)


def combine_luminance_and_colour(luminance_images: Tensor, colour_images: Tensor) -> Tensor:
    """Pictures with the luminance of some and the colours of others.

    (original, hybrid) changes colours only; (hybrid, original) keeps the original's colours. Luminance is kept
    exactly: a colour that does not exist at it is made paler, not clipped.

    Args:
        luminance_images, colour_images: [B, 3, H, W]; taken as clamped to [-1, 1].

    Returns:
        [B, 3, H, W] in [-1, 1].

    Raises:
        ValueError: different or other shapes.
    """
    check_pictures(luminance_images, colour_images)
    light = luma_709(upcast(luminance_images).clamp(-1, 1))
    colour = upcast(colour_images).clamp(-1, 1)
    chroma = colour - luma_709(colour)
    # How far each channel may go from grey before it leaves [-1, 1]; a chroma of 0 may go as far as it likes.
    room = torch.where(chroma > 0, 1 - light, 1 + light) / chroma.abs().clamp_min(1e-12)
    paled = room.amin(1, keepdim=True).clamp(0, 1) * chroma
    return (light + paled).clamp(-1, 1).to(luminance_images.dtype)


def composite(original: Tensor, result: Tensor, mask: Tensor, *, radius: int = 0) -> Tensor:
    """Lay a result over the original where a mask says so, its edge feathered over `radius` pixels to each side.

    Args:
        original, result: [B, 3, H, W].
        mask: [B or 1, 1, any, any] in [0, 1]; 1 shows the result.
        radius: of `feather`, in pixels.

    Returns:
        [B, 3, H, W]; bit for bit the original where the feathered mask is 0, the result where it is 1.

    Raises:
        ValueError: other shapes, a mask outside [0, 1], or a negative radius.
    """
    check_pictures(original, result)
    weight = fit_mask(mask, len(original), grid_of(original), original.device)
    return torch.lerp(original, result.to(original.dtype), feather(weight, radius).to(original.dtype))


def protect(original: Tensor, result: Tensor, mask: Tensor, *, radius: int = 0) -> Tensor:
    """Keep the original in a region, bit for bit where the mask is 1, and fade to the result outside it.

    Args:
        original, result: [B, 3, H, W].
        mask: [B or 1, 1, any, any] in [0, 1]; 1 is protected.
        radius: pixels over which half of the fade goes; from twice as far on the result is as it was.

    Returns:
        [B, 3, H, W].

    Raises:
        ValueError: as of `composite`.
    """
    check_pictures(original, result)
    kept = fit_mask(mask, len(original), grid_of(original), original.device)
    return composite(original, result, 1 - feather_outward(kept, radius))


def change(before: Tensor, after: Tensor, mask: Tensor) -> Change:
    """How much an edit changed inside its mask, and how much beyond it: layers see further than a mask's edge.

    Args:
        before, after: [B, 3, H, W]; taken as clamped to [-1, 1].
        mask: [B or 1, 1, any, any] in [0, 1]; every pixel over 0 is inside.

    Raises:
        ValueError: other shapes, or a mask outside [0, 1].
    """
    check_pictures(before, after)
    inside = fit_mask(mask, len(before), grid_of(before), before.device) > 0
    difference = level_differences(before, after)
    inside = inside.expand_as(difference)
    figures: list[float] = []
    for values in (difference[inside], difference[~inside]):
        figures += [values.mean().item(), values.max().item()] if values.numel() else [0.0, 0.0]
    return Change(*figures)


def level_differences(first: Tensor, second: Tensor) -> Tensor:
    """Absolute differences of two pictures, as they are seen: clamped to [-1, 1], in 8-bit levels."""
    return (upcast(first).clamp(-1, 1) - upcast(second).clamp(-1, 1)).abs() * LEVELS_PER_UNIT


def check_pictures(first: Tensor, second: Tensor) -> None:
    """Raise ValueError unless both are [B, 3, H, W] of one shape."""
    if first.dim() != 4 or first.shape[1] != 3 or first.shape != second.shape:
        raise ValueError(f"expected two pictures [B, 3, H, W], got {list(first.shape)} and {list(second.shape)}")
