"""What `train_accelerate.py` is made of: one module per optimiser, averaged weights, lazy R1's optimiser.

DDP and autocast see only `forward` of what Accelerate prepared, so each optimiser has a module whose forward
returns losses. The other networks of a step are kept out of its module tree: they are not its to train.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor, nn

from swapae.augment import DRAWS, adapted, augment
from swapae.config import DiscriminatorConfig
from swapae.discriminators import ImageDiscriminator, PatchDiscriminator, random_patches
from swapae.draws import Draws
from swapae.losses import (
    PATCHES_PER_IMAGE,
    Augmenter,
    Cropper,
    LossWeights,
    NoiseMaker,
    Recolourer,
    discriminator_losses,
    encode,
    generate,
    generator_losses,
    r1_losses,
    reconstruction_losses,
)
from swapae.model import SwapAE
from swapae.recolour import DRAWS as COLOUR_DRAWS
from swapae.recolour import recolour

R1_INTERVAL = 16
TrainingNoise = Literal["random", "zero"]


def noise_maker(model: SwapAE, draws: Draws, noise: TrainingNoise) -> NoiseMaker:
    """What `losses.generate` asks for noise: fresh maps of each step, or zero."""
    if noise == "zero":
        return lambda structure: "zero"
    return lambda structure: draws.noise(
        len(structure), model.generator.noise_sides(*structure.shape[2:]), structure.device
    )


def recolourer(draws: Draws, recoloured: bool) -> Recolourer | None:
    """What `losses.generate` reads the structure from: images in other colours, or None for the images."""
    return (lambda images: recolour(images, draws.uniform(len(images), COLOUR_DRAWS))) if recoloured else None


class DiscriminatorStep(nn.Module):
    """Both discriminators; forward gives their losses, or every `R1_INTERVAL` steps the gradient penalty."""

    strength: Tensor

    def __init__(
        self,
        config: DiscriminatorConfig,
        weights: LossWeights,
        noise: TrainingNoise = "random",
        augmented: bool = False,
        recoloured: bool = False,
    ) -> None:
        super().__init__()
        self.image_discriminator = ImageDiscriminator(config)
        self.patch_discriminator = PatchDiscriminator(config)
        self.patch_size, self.weights, self.noise = config.patch_size, weights, noise
        self.augmented, self.recoloured, self.compiled = augmented, recoloured, False
        self.register_buffer("strength", torch.zeros(()))  # of the augmentation
        self.to(memory_format=torch.channels_last)

    def cropper(self, draws: Draws) -> Cropper:
        """Images [B, 3, H, W] -> random patches [B, N, 3, S, S]."""
        return lambda images: random_patches(images, self.patch_size, draws.uniform(len(images), PATCHES_PER_IMAGE, 5))

    def augmenter(self, draws: Draws) -> Augmenter:
        """Images [B, 3, H, W] -> as the image discriminator sees them."""
        if not self.augmented:
            return lambda images: images
        return lambda images: augment(images, draws.uniform(len(images), DRAWS), self.strength)

    def adapt(self, real_sign: Tensor, images: int) -> None:
        """Augment more often, or less, after a step whose `images` real ones had logits of this mean sign []."""
        self.strength.copy_(adapted(self.strength, real_sign, images))

    def forward(self, model: SwapAE, images: Tensor, draws: Draws, *, r1: bool = False) -> dict[str, Tensor]:
        """Weighted loss terms for images [B, 3, H, W] in [-1, 1]."""
        critics = (self.image_discriminator, self.patch_discriminator, self.cropper(draws), self.augmenter(draws))
        if r1:
            # Compiled functions have no second derivative; half precision errs by 3 % in the penalty's gradient.
            eager = torch.compiler.set_stance("force_eager") if self.compiled else nullcontext()
            with torch.autocast(images.device.type, enabled=False), eager:
                return r1_losses(images, *critics, self.weights, R1_INTERVAL)
        with torch.no_grad():
            fakes = generate(model, images, noise_maker(model, draws, self.noise), recolourer(draws, self.recoloured))
        return discriminator_losses(fakes, images, *critics)


class GeneratorStep(nn.Module):
    """Encoder and generator; forward gives their losses under frozen discriminators."""

    def __init__(
        self,
        model: SwapAE,
        weights: LossWeights,
        noise: TrainingNoise = "random",
        perceptual_distance: Callable[[Tensor, Tensor], Tensor] | None = None,
        recoloured: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.weights, self.noise, self.recoloured = weights, noise, recoloured
        if noise == "zero":  # without a gradient, DDP would wait for them
            for name, parameter in model.named_parameters():
                if name.endswith("noise_weight"):
                    parameter.requires_grad_(False)
        self._perceptual_distance = [perceptual_distance]  # in a list: no submodule, its weights are fixed

    def forward(self, critics: DiscriminatorStep, images: Tensor, draws: Draws) -> dict[str, Tensor]:
        """Weighted loss terms for images [B, 3, H, W] in [-1, 1]."""
        make_noise, recolouring = noise_maker(self.model, draws, self.noise), recolourer(draws, self.recoloured)
        if not self.weights.adversarial:
            codes = encode(self.model, images, recolouring)
            reconstructions = self.model.decode(codes, noise=make_noise(codes.structure))
            return reconstruction_losses(reconstructions, images, self.weights, self._perceptual_distance[0])
        trained = [parameter for parameter in critics.parameters() if parameter.requires_grad]
        for parameter in trained:
            parameter.requires_grad_(False)
        try:
            return generator_losses(
                generate(self.model, images, make_noise, recolouring),
                images,
                critics.image_discriminator,
                critics.patch_discriminator,
                critics.cropper(draws),
                critics.augmenter(draws),
                self.weights,
                self._perceptual_distance[0],
            )
        finally:
            for parameter in trained:
                parameter.requires_grad_(True)


def adam(parameters: Iterable[nn.Parameter], lr: float, lazy_r1_interval: int | None = None) -> torch.optim.Adam:
    """Adam with betas (0, 0.99); for lazy R1, rate and betas corrected by interval / (interval + 1) (StyleGAN2)."""
    ratio = lazy_r1_interval / (lazy_r1_interval + 1) if lazy_r1_interval else 1.0
    return torch.optim.Adam(parameters, lr=lr * ratio, betas=(0.0, 0.99**ratio))


def share_of_rate(images_seen: int, total_images: int, decay_images: int) -> float:
    """Share in (0, 1] of the learning rate: it falls in a straight line to 0 over the last `decay_images` of a run."""
    return min(1.0, (total_images - images_seen) / decay_images) if decay_images else 1.0


class AveragedWeights:
    """Exponential moving average of a model's parameters, by images seen.

    Args:
        model: the model that is trained.
        averaged: its copy, which holds the average.
        half_life: images after which an old value has half its weight.
        ramp: start with a half-life of 5 % of the images seen, so that a random start is forgotten soon.
    """

    def __init__(self, model: nn.Module, averaged: nn.Module, half_life: float, *, ramp: bool = True) -> None:
        self.source = list(model.parameters())
        self.target = list(averaged.requires_grad_(False).parameters())
        self.half_life, self.ramp = half_life, ramp

    @torch.no_grad()
    def update(self, batch: int, images_seen: int) -> None:
        """Move the average towards the parameters after a step on `batch` images."""
        half_life = min(self.half_life, max(0.05 * images_seen, 1e-8)) if self.ramp else self.half_life
        torch._foreach_lerp_(self.target, self.source, 1 - 0.5 ** (batch / half_life))


def compile_networks(model: SwapAE, critics: DiscriminatorStep) -> None:
    """Have torch.compile make each network faster where it is called; the weights keep their names."""
    networks = (model.encoder, model.generator, critics.image_discriminator, *critics.patch_discriminator.children())
    for network in networks:
        network.compile()
    critics.compiled = True
