"""The model itself: photographs are embedded by its encoder."""

from __future__ import annotations

import torch
from torch import Tensor

from swapae import SwapAE


class Encoder:
    """One forward pass."""

    name = "encoder"

    def __init__(self, model: SwapAE) -> None:
        self.model = model

    @torch.inference_mode()
    def embed(self, image: Tensor) -> Tensor:
        """The reconstruction."""
        return self.model(image).clamp(-1, 1)

    @torch.inference_mode()
    def hybrid(self, structure: Tensor, texture: Tensor) -> Tensor:
        """The swap."""
        return self.model.swap(structure, texture).clamp(-1, 1)
