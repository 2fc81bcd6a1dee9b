"""What moves the weights: Adam with lazy R1's correction, and the EMA of the model."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from swapae.model import SwapAE
from swapae.training.discriminator_step import R1_INTERVAL, DiscriminatorStep

# The co-occurrence discriminator that looks through features learns at this multiple of the rate: at the same rate it
# stays near blindness, and hybrids near the texture of their structure image.
PATCH_RATE = 2.0


def adam(parameters: Iterable[nn.Parameter], lr: float, lazy_r1_interval: int | None = None) -> torch.optim.Adam:
    """Adam with betas (0, 0.99); for lazy R1, rate and betas corrected by interval / (interval + 1) (StyleGAN2)."""
    ratio = lazy_r1_interval / (lazy_r1_interval + 1) if lazy_r1_interval else 1.0
    return torch.optim.Adam(parameters, lr=lr * ratio, betas=(0.0, 0.99**ratio))


def discriminator_adam(discriminators: DiscriminatorStep, lr: float) -> torch.optim.Adam:
    """Adam of both discriminators, corrected for lazy R1 where there is R1."""
    if discriminators.kind == "pixels":
        return adam(discriminators.parameters(), lr, R1_INTERVAL)
    optimizer = adam(discriminators.image_discriminator.parameters(), lr)
    optimizer.add_param_group({"params": list(discriminators.patch_discriminator.parameters()), "lr": PATCH_RATE * lr})
    return optimizer


class EMA:
    """Exponential moving average of a model's parameters, by images seen.

    Args:
        model: the model that is trained.
        ema: its copy, which holds the average.
        half_life: images after which an old value has half its weight.
        ramp: start with a half-life of 5 % of the images seen, so that a random start is forgotten soon.
    """

    def __init__(self, model: nn.Module, ema: nn.Module, half_life: float, *, ramp: bool = True) -> None:
        self.source: list[Tensor] = list(model.parameters())
        self.target: list[Tensor] = list(ema.requires_grad_(False).parameters())
        self.half_life, self.ramp = half_life, ramp

    @torch.no_grad()
    def update(self, batch: int, images_seen: int) -> None:
        """Move the average towards the parameters after a step on `batch` images."""
        half_life = min(self.half_life, max(0.05 * images_seen, 1e-8)) if self.ramp else self.half_life
        torch._foreach_lerp_(self.target, self.source, 1 - 0.5 ** (batch / half_life))


def compile_networks(model: SwapAE, discriminators: DiscriminatorStep) -> None:
    """Have torch.compile make each network faster where it is called; the weights keep their names."""
    networks = (
        model.encoder,
        model.generator,
        discriminators.image_discriminator,
        *discriminators.patch_discriminator.children(),
    )
    for network in networks:
        network.compile()
    discriminators.compiled = True
