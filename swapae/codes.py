"""`Codes`: what an image is split into, a value to keep, edit, save and load."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Codes(NamedTuple):
    """Structure and texture of a batch of images.

    Attributes:
        structure: [B, K, h, w], unit length over channels; h = H/stride, w = W/stride.
        texture: [B, T], unit length, or a map [B, T, any, any] that is resized to each layer's grid.
    """

    structure: Tensor
    texture: Tensor
