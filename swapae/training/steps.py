"""What `train_accelerate.py` is made of: one module per optimiser, averaged weights, lazy R1's optimiser.

DDP and autocast see only `forward` of what Accelerate prepared, so each optimiser has a module whose forward
returns losses. The other networks of a step are kept out of its module tree: they are not its to train.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from swapae.backbones import FrozenBackbone
from swapae.codes import Codes
from swapae.config import DiscriminatorConfig, DiscriminatorKind
from swapae.discriminators import PATCH_SIDES as PIXEL_PATCH_SIDES
from swapae.discriminators import ImageDiscriminator, PatchDiscriminator, random_patches
from swapae.errors import UserError
from swapae.feature_discriminators import (
    PATCH_SIDES,
    SMALLEST_SEEN,
    FeatureImageDiscriminator,
    FeaturePatchDiscriminator,
    power_iteration,
)
from swapae.losses import (
    HINGE,
    NON_SATURATING,
    PATCHES_PER_IMAGE,
    Augmenter,
    Cropper,
    Fakes,
    LossWeights,
    NoiseMaker,
    discriminator_losses,
    generate,
    generator_losses,
    r1_losses,
    reconstruction_losses,
)
from swapae.model import SwapAE
from swapae.training.augment import DRAWS, JITTER_DRAWS, adapted, augment, jitter, shifted
from swapae.training.colour_jitter import DRAWS as COLOUR_DRAWS
from swapae.training.colour_jitter import recolour
from swapae.training.grain import DRAWS as GRAIN_DRAWS
from swapae.training.grain import hide_grain
from swapae.training.random import Draws

R1_INTERVAL = 16
# The co-occurrence discriminator that looks through features learns at this multiple of the rate: at the same rate it
# stays near blindness, and hybrids near the texture of their structure image.
PATCH_RATE = 2.0
# LPIPS looks at crops shifted by up to so many pixels, since SqueezeNet's first layer sees only every second well.
LARGEST_SHIFT = 7
# Images over which the learning rate rises where discriminators look through features: Adam's first steps are as long
# as any, and weights under spectral norm small, whose estimate needs some steps to follow.
WARM_UP_IMAGES = 1600
# Where reconstructions have no noise, its weights start here: from zero they learn too slowly to be of use.
NOISE_START = 0.05
TrainingNoise = Literal["random", "hybrids", "zero"]


@dataclass(frozen=True)
class Reading:
    """How training encodes and decodes: what the structure is read from, and where noise maps go.

    Attributes:
        noise: "random" maps for all, for "hybrids" alone, or "zero". Reconstruction losses silence noise, and a
            generator without it draws grain as a periodic pattern.
        recolour: read the structure from images in random other colours.
        hide_grain: share of the images whose structure is read from a blurred and noisy copy.
        structure_noise: largest deviation of noise on structure codes, in units of their root mean square.
    """

    noise: TrainingNoise = "random"
    recolour: bool = False
    hide_grain: float = 0.0
    structure_noise: float = 0.0

    def encoder(self, model: SwapAE, draws: Draws) -> Callable[[Tensor], Codes]:
        """Images -> codes, the structure read from disguised copies."""

        def encode(images: Tensor) -> Codes:
            seen = images
            if self.recolour:
                seen = recolour(seen, draws.uniform(len(images), COLOUR_DRAWS))
            if self.hide_grain:
                chosen = draws.uniform(len(images), GRAIN_DRAWS)
                seen = hide_grain(seen, chosen, draws.normal(images), self.hide_grain)
            if seen is images:
                structure, texture = model.encode(images)
            else:
                codes = model.encode(torch.cat([seen, images]))
                structure, texture = codes.structure[: len(images)], codes.texture[len(images) :]
            if self.structure_noise:
                strength = draws.uniform(len(images), 1, 1, 1).to(structure.device) * self.structure_noise
                structure = structure + strength / structure.shape[1] ** 0.5 * draws.normal(structure)
            return Codes(structure, texture)

        return encode

    def noise_makers(self, model: SwapAE, draws: Draws) -> tuple[NoiseMaker, NoiseMaker]:
        """What `losses.generate` asks for noise of hybrids and of reconstructions."""

        def random(structure: Tensor) -> list[Tensor]:
            sides = model.generator.noise_sides(*structure.shape[2:])
            return draws.noise(len(structure), sides, structure.device)

        def none(structure: Tensor) -> list[Tensor]:
            sides = model.generator.noise_sides(*structure.shape[2:])
            return [torch.zeros(len(structure), 1, *side, device=structure.device) for side in sides]

        if self.noise == "zero":
            return (lambda structure: "zero",) * 2
        return random, none if self.noise == "hybrids" else random


class DiscriminatorStep(nn.Module):
    """Both discriminators; forward gives their losses, or every `R1_INTERVAL` steps the gradient penalty.

    Args:
        config: their sizes; of those that look through features only those of crops and patches.
        weights: of the losses.
        reading: how the fakes are made.
        augmented: whether the image discriminator sees augmented images (ADA).
        backbone: what the discriminators look through, on their device; pixels if not given.

    Raises:
        UserError: crops or patches too small to be looked at through the backbone.
    """

    strength: Tensor

    def __init__(
        self,
        config: DiscriminatorConfig,
        weights: LossWeights,
        reading: Reading = Reading(),
        augmented: bool = False,
        backbone: FrozenBackbone | None = None,
    ) -> None:
        super().__init__()
        self.kind: DiscriminatorKind = "pixels" if backbone is None else "features"
        self.image_discriminator: ImageDiscriminator | FeatureImageDiscriminator
        self.patch_discriminator: PatchDiscriminator | FeaturePatchDiscriminator
        if backbone is None:
            self.image_discriminator = ImageDiscriminator(config)
            self.patch_discriminator = PatchDiscriminator(config)
            self.adversarial, self.patch_sides = NON_SATURATING, PIXEL_PATCH_SIDES
        else:
            if min(config.crop_size, 2 * config.patch_size) < SMALLEST_SEEN:
                raise UserError(
                    f"--discriminators features sees nothing of crops of {config.crop_size} pixels with patches of "
                    f"{config.patch_size}: they need at least {SMALLEST_SEEN} and {SMALLEST_SEEN // 2 + 1}; choose a "
                    "larger --resolution, or --discriminators pixels"
                )
            self.image_discriminator = FeatureImageDiscriminator(backbone)
            self.patch_discriminator = FeaturePatchDiscriminator(backbone)
            self.adversarial, self.patch_sides = HINGE, PATCH_SIDES
        self.patch_size, self.weights, self.reading = config.patch_size, weights, reading
        self.augmented, self.compiled = augmented, False
        self.register_buffer("strength", torch.zeros(()))  # of the augmentation
        self.to(memory_format=torch.channels_last)

    @property
    def shares_fakes(self) -> bool:
        """Whether one batch, and what the generator makes of it, serves both updates.

        The paper's objective has a batch for either.
        """
        return self.kind == "features"

    def cropper(self, draws: Draws) -> Cropper:
        """Images [B, 3, H, W] -> random patches [B, N, 3, S, S]."""
        return lambda images: random_patches(
            images, self.patch_size, draws.uniform(len(images), PATCHES_PER_IMAGE, 5), self.patch_sides
        )

    def augmenter(self, draws: Draws) -> Augmenter:
        """Images [B, 3, H, W] -> as the image discriminator sees them."""
        if self.kind == "features":
            return lambda images: jitter(images, draws.uniform(len(images), JITTER_DRAWS))
        if not self.augmented:
            return lambda images: images
        return lambda images: augment(images, draws.uniform(len(images), DRAWS), self.strength)

    def heads(self, images: Tensor) -> list[Tensor]:
        """Logits [B, ...] of each head of the image discriminator."""
        logits = self.image_discriminator(images)
        return logits if isinstance(logits, list) else [logits]

    def adapt(self, real_sign: Tensor, images: int) -> None:
        """Augment more often, or less, after a step whose `images` real ones had logits of this mean sign []."""
        self.strength.copy_(adapted(self.strength, real_sign, images))

    @property
    def warm_up_images(self) -> int:
        """Images over which the learning rate rises."""
        return WARM_UP_IMAGES if self.kind == "features" else 0

    def settle(self) -> None:
        """Bring what is estimated of the weights up to date, after each of their updates."""
        power_iteration(self)

    def forward(
        self, model: SwapAE, images: Tensor, draws: Draws, *, fakes: Fakes | None = None, r1: bool = False
    ) -> dict[str, Tensor]:
        """Weighted loss terms for images [B, 3, H, W] in [-1, 1], and fakes, made anew if not given."""
        crop, augmented = self.cropper(draws), self.augmenter(draws)
        if r1:
            # Compiled functions have no second derivative; half precision errs by 3 % in the penalty's gradient.
            eager = torch.compiler.set_stance("force_eager") if self.compiled else nullcontext()
            with torch.autocast(images.device.type, enabled=False), eager:
                networks = (self.image_discriminator, self.patch_discriminator)
                return r1_losses(images, *networks, crop, augmented, self.weights, R1_INTERVAL)
        if fakes is None:
            with torch.no_grad():
                fakes = generate(
                    model, images, self.reading.encoder(model, draws), *self.reading.noise_makers(model, draws)
                )
        return discriminator_losses(
            fakes, images, self.heads, self.patch_discriminator, crop, augmented, self.adversarial
        )


class GeneratorStep(nn.Module):
    """Encoder and generator; forward gives their losses under frozen discriminators, and what was made."""

    def __init__(
        self,
        model: SwapAE,
        weights: LossWeights,
        reading: Reading = Reading(),
        perceptual_distance: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.weights, self.reading = weights, reading
        if reading.noise == "zero" or (reading.noise == "hybrids" and not weights.adversarial):
            # Without a gradient, DDP would wait for them.
            for name, parameter in model.named_parameters():
                if name.endswith("noise_weight"):
                    parameter.requires_grad_(False)
        self._perceptual_distance = (perceptual_distance,)  # in a tuple: no submodule, its weights are fixed

    def perceptual(self, draws: Draws) -> Callable[[Tensor, Tensor], Tensor] | None:
        """The perceptual distance of two batches, seen through the same shifted crops."""
        (distance,) = self._perceptual_distance
        if distance is None:
            return None

        def shifted_distance(a: Tensor, b: Tensor) -> Tensor:
            starts = draws.uniform(len(a), 2)
            return distance(shifted(a, starts, LARGEST_SHIFT), shifted(b, starts, LARGEST_SHIFT))

        return shifted_distance

    def forward(
        self, critics: DiscriminatorStep, images: Tensor, draws: Draws
    ) -> tuple[dict[str, Tensor], Fakes | None]:
        """Weighted loss terms for images [B, 3, H, W] in [-1, 1], and the fakes, detached, where there are any."""
        encode, noise_makers = self.reading.encoder(self.model, draws), self.reading.noise_makers(self.model, draws)
        if not self.weights.adversarial:
            codes = encode(images)
            reconstructions = self.model.decode(codes, noise=noise_makers[1](codes.structure))
            return reconstruction_losses(reconstructions, images, self.weights, self.perceptual(draws)), None
        trained = [parameter for parameter in critics.parameters() if parameter.requires_grad]
        for parameter in trained:
            parameter.requires_grad_(False)
        try:
            fakes = generate(self.model, images, encode, *noise_makers)
            terms = generator_losses(
                fakes,
                images,
                critics.heads,
                critics.patch_discriminator,
                critics.cropper(draws),
                critics.augmenter(draws),
                self.weights,
                self.perceptual(draws),
                critics.adversarial,
            )
            return terms, Fakes(*(pictures.detach() for pictures in fakes))
        finally:
            for parameter in trained:
                parameter.requires_grad_(True)


@torch.no_grad()
def wake_noise(model: SwapAE) -> None:
    """Bring noise weights that are smaller than `NOISE_START` there."""
    for name, parameter in model.named_parameters():
        if name.endswith("noise_weight"):
            parameter.copy_(torch.where(parameter.abs() < NOISE_START, NOISE_START, parameter))


def adam(parameters: Iterable[nn.Parameter], lr: float, lazy_r1_interval: int | None = None) -> torch.optim.Adam:
    """Adam with betas (0, 0.99); for lazy R1, rate and betas corrected by interval / (interval + 1) (StyleGAN2)."""
    ratio = lazy_r1_interval / (lazy_r1_interval + 1) if lazy_r1_interval else 1.0
    return torch.optim.Adam(parameters, lr=lr * ratio, betas=(0.0, 0.99**ratio))


def discriminators_adam(critics: DiscriminatorStep, lr: float) -> torch.optim.Adam:
    """Adam of both discriminators, corrected for lazy R1 where there is R1."""
    if critics.kind == "pixels":
        return adam(critics.parameters(), lr, R1_INTERVAL)
    optimizer = adam(critics.image_discriminator.parameters(), lr)
    optimizer.add_param_group({"params": list(critics.patch_discriminator.parameters()), "lr": PATCH_RATE * lr})
    return optimizer


def share_of_rate(images_seen: int, total_images: int, decay_images: int, warm_up_images: int = 0) -> float:
    """Share in (0, 1] of the learning rate.

    It rises in a straight line from 0 over the first `warm_up_images` of a run, and falls so to 0 over the last
    `decay_images`.
    """
    falling = min(1.0, (total_images - images_seen) / decay_images) if decay_images else 1.0
    rising = min(1.0, (images_seen + 1) / warm_up_images) if warm_up_images else 1.0
    return falling * rising


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
