"""The discriminators' side of training: both of them, and their losses, in one module for one optimiser.

DDP and autocast see only `forward` of what Accelerate prepared, so each optimiser has a module whose forward returns
losses. The model is no part of it: it is not the discriminators' to train.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn

from swapae.backbones import FrozenBackbone
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
    Losses,
    LossWeights,
    discriminator_losses,
    generate,
    r1_losses,
)
from swapae.model import SwapAE
from swapae.training.augment import JITTER_NUMBERS, adapted, augment, jitter
from swapae.training.augment import NUMBERS as ADA_NUMBERS
from swapae.training.generation import PLAIN, Generation
from swapae.training.random import StepRandom

R1_INTERVAL = 16
# Images over which the learning rate rises where discriminators look through features: Adam's first steps are as long
# as any, and weights under spectral norm small, whose estimate needs some steps to follow.
WARM_UP_IMAGES = 1600


class DiscriminatorStep(nn.Module):
    """Both discriminators; forward gives their losses, or every `R1_INTERVAL` steps the gradient penalty.

    Args:
        config: their sizes; of those that look through features only those of crops and patches.
        weights: of the losses.
        generation: how the fakes are made.
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
        generation: Generation = PLAIN,
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
            self.adversarial, sides = NON_SATURATING, PIXEL_PATCH_SIDES
        else:
            if min(config.crop_size, 2 * config.patch_size) < SMALLEST_SEEN:
                raise UserError(
                    f"--discriminators features sees nothing of crops of {config.crop_size} pixels with patches of "
                    f"{config.patch_size}: they need at least {SMALLEST_SEEN} and {SMALLEST_SEEN // 2 + 1}; choose a "
                    "larger --resolution, or --discriminators pixels"
                )
            self.image_discriminator = FeatureImageDiscriminator(backbone)
            self.patch_discriminator = FeaturePatchDiscriminator(backbone)
            self.adversarial, sides = HINGE, PATCH_SIDES
        self.patch_sides = (config.patch_scale * sides[0], config.patch_scale * sides[1])
        self.patch_size, self.weights, self.generation = config.patch_size, weights, generation
        self.augmented, self.compiled = augmented, False
        self.register_buffer("strength", torch.zeros(()))  # of the augmentation
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def shares_fakes(self) -> bool:
        """Whether one batch, and what the generator makes of it, serves both updates.

        The paper's objective has a batch for either.
        """
        return self.kind == "features"

    def cropper(self, random: StepRandom) -> Cropper:
        """Images [B, 3, H, W] -> random patches [B, N, 3, S, S]."""
        return lambda images: random_patches(
            images, self.patch_size, random.uniform(len(images), PATCHES_PER_IMAGE, 5), self.patch_sides
        )

    def augmenter(self, random: StepRandom) -> Augmenter:
        """Images [B, 3, H, W] -> as the image discriminator sees them."""
        if self.kind == "features":
            return lambda images: jitter(images, random.uniform(len(images), JITTER_NUMBERS))
        if not self.augmented:
            return lambda images: images
        return lambda images: augment(images, random.uniform(len(images), ADA_NUMBERS), self.strength)

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

    def finish_update(self) -> None:
        """Bring what is estimated of the weights up to date, after each of their updates."""
        power_iteration(self)

    def forward(
        self, model: SwapAE, images: Tensor, random: StepRandom, *, fakes: Fakes | None = None, r1: bool = False
    ) -> Losses:
        """Losses for images [B, 3, H, W] in [-1, 1], and fakes, made anew if not given."""
        crop, augmented = self.cropper(random), self.augmenter(random)
        if r1:
            # Compiled functions have no second derivative; half precision errs by 3 % in the penalty's gradient.
            eager = torch.compiler.set_stance("force_eager") if self.compiled else nullcontext()
            with torch.autocast(images.device.type, enabled=False), eager:
                networks = (self.image_discriminator, self.patch_discriminator)
                return r1_losses(images, *networks, crop, augmented, self.weights, R1_INTERVAL)
        if fakes is None:
            with torch.no_grad():
                fakes = generate(
                    model, images, self.generation.encoder(model, random), *self.generation.noise_makers(model, random)
                )
        return discriminator_losses(
            fakes, images, self.heads, self.patch_discriminator, crop, augmented, self.adversarial
        )
