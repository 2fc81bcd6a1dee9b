"""Random colours for what the structure is read from, so that colour goes into the texture code alone.

A structure code with room for detail also has room for colours, and takes them: hybrids then keep the colours of their
structure image, and the co-occurrence loss needs very long to drive them out. Reading the structure of an image from
a copy in other colours, and the texture from the image itself, leaves colours nowhere else to be. It is no part of
the published method.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Uniform numbers that `jitter_colours` takes for an image: hue, saturation, contrast and brightness.
NUMBERS = 4


def jitter_colours(images: Tensor, numbers: Tensor) -> Tensor:
    """Turn the hue by up to 90 degrees, scale saturation by 0.5 to 1.5 and contrast by 0.75 to 1.25, shift brightness.

    Args:
        images: [B, 3, H, W] in [-1, 1].
        numbers: [B, `NUMBERS`] uniform in [0, 1).

    Returns:
        [B, 3, H, W], nominally in [-1, 1] but not clamped: what is cut off could not be read any more.
    """
    numbers = numbers.to(images.device, torch.float32)
    angle = (numbers[:, 0] - 0.5) * math.pi
    saturation, contrast = numbers[:, 1] + 0.5, 0.5 * numbers[:, 2] + 0.75
    brightness = (numbers[:, 3] - 0.5) / 2
    # A rotation of RGB about the axis of greys (Rodrigues), whose part along the axis is not scaled.
    grey = torch.full((3, 3), 1 / 3, device=images.device)
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]], device=images.device) / math.sqrt(3)
    identity = torch.eye(3, device=images.device)
    angle, saturation, contrast = (value[:, None, None] for value in (angle, saturation, contrast))
    chroma = angle.cos() * (identity - grey) + angle.sin() * cross  # [B, 3, 3]
    matrix = contrast * (grey + saturation * chroma)
    changed = torch.einsum("bij,bjhw->bihw", matrix, images.float()) + brightness[:, None, None, None]
    return changed.to(images.dtype)
