"""Attributes of photographs that can be measured from their pixels: how bright, warm, vivid, contrasty and sharp."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

BT_601 = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


class Attribute(NamedTuple):
    """A measure of images [B, 3, H, W] in [-1, 1] -> [B], and the words for less and more of it."""

    measure: Callable[[Tensor], Tensor]
    less: str
    more: str


def luma_601(images: Tensor) -> Tensor:
    """[B, 3, H, W] -> [B, H, W]."""
    return torch.einsum("c,bchw->bhw", torch.tensor(BT_601, dtype=images.dtype, device=images.device), images)


def brightness(images: Tensor) -> Tensor:
    """Mean luminance, in [-1, 1]."""
    return luma_601(images).mean((1, 2))


def warmth(images: Tensor) -> Tensor:
    """Mean of red less blue, in [-2, 2]."""
    return (images[:, 0] - images[:, 2]).mean((1, 2))


def vividness(images: Tensor) -> Tensor:
    """Mean distance of a pixel's colour from grey, from 0 on."""
    return (images - images.mean(1, keepdim=True)).square().sum(1).sqrt().mean((1, 2))


def contrast(images: Tensor) -> Tensor:
    """Standard deviation of luminance, from 0 on."""
    return luma_601(images).std((1, 2), unbiased=False)


def sharpness(images: Tensor) -> Tensor:
    """Mean difference of neighbouring pixels' luminance, from 0 on."""
    light = luma_601(images)
    return (light.diff(dim=1).abs().mean((1, 2)) + light.diff(dim=2).abs().mean((1, 2))) / 2


ATTRIBUTES = {
    "bright": Attribute(brightness, "darker", "brighter"),
    "warm": Attribute(warmth, "cooler", "warmer"),
    "vivid": Attribute(vividness, "more muted", "more vivid"),
    "contrast": Attribute(contrast, "flatter", "more contrast"),
    "sharp": Attribute(sharpness, "softer", "sharper"),
}


def picture_statistics(images: Tensor) -> Tensor:
    """What the attributes and colours of whole pictures say: [B, 3, H, W] -> [B, 12]."""
    flat = images.flatten(2)
    measured = torch.stack([attribute.measure(images) for attribute in ATTRIBUTES.values()], 1)
    green = (images[:, 1] - (images[:, 0] + images[:, 2]) / 2).mean((1, 2))[:, None]
    return torch.cat([flat.mean(2), flat.std(2, unbiased=False), measured, green], 1)
