"""Blur and noise for what the structure is read from, so that fine grain goes into the texture code alone.

A structure code with room for grain takes it, and the cheapest believable hybrid is then the structure photograph in
other colours. Reading the structure of some images from a copy whose grain was changed leaves that of the image itself
nowhere else to come from than the texture code. It is no part of the published method.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

# Uniform numbers that `hide_grain` takes for an image: whether, how much blur, how much noise.
NUMBERS = 3
LARGEST_BLUR = 3.0  # the side is divided by up to this, and brought back
LARGEST_NOISE = 0.15  # deviation, of pixels in [-1, 1]
SMALLEST_SIDE = 16


def hide_grain(images: Tensor, numbers: Tensor, noise: Tensor, share: float) -> Tensor:
    """Blur some of the images by random factors, and add noise of random strength to them.

    Args:
        images: [B, 3, H, W] in [-1, 1].
        numbers: [B, `NUMBERS`] uniform in [0, 1).
        noise: [B, 3, H, W], standard normal.
        share: of the images that are changed, in [0, 1].

    Returns:
        [B, 3, H, W], nominally in [-1, 1].
    """
    height, width = images.shape[2:]
    resize = partial(F.interpolate, mode="bilinear", align_corners=False)
    changed = []
    for image, (chosen, blur, strength), grain in zip(images, numbers.tolist(), noise, strict=True):
        if chosen < share:
            factor = 1 + (LARGEST_BLUR - 1) * blur
            small = [max(min(SMALLEST_SIDE, side), round(side / factor)) for side in (height, width)]
            less = resize(image[None].float(), size=small, antialias=True)
            image = resize(less, size=(height, width))[0].to(images.dtype)
            image = image + LARGEST_NOISE * strength * grain.to(image.dtype)
        changed.append(image)
    return torch.stack(changed)
