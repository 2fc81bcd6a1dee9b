"""The generator's side of training: encoder, generator and their losses, in one module for one optimiser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from swapae.losses import Fakes, Losses, LossWeights, generate, generator_losses, reconstruction_losses
from swapae.model import SwapAE
from swapae.training.augment import shifted
from swapae.training.discriminator_step import DiscriminatorStep
from swapae.training.generation import PLAIN, Generation
from swapae.training.random import StepRandom

# LPIPS looks at crops shifted by up to so many pixels, since SqueezeNet's first layer sees only every second well.
LARGEST_SHIFT = 7


class GeneratorStep(nn.Module):
    """Encoder and generator; forward gives their losses under frozen discriminators, and what was made."""

    def __init__(
        self,
        model: SwapAE,
        weights: LossWeights,
        generation: Generation = PLAIN,
        perceptual_distance: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.weights, self.generation = weights, generation
        if generation.noise == "zero" or (generation.noise == "hybrids" and not weights.adversarial):
            # Without a gradient, DDP would wait for them.
            for name, parameter in model.named_parameters():
                if name.endswith("noise_weight"):
                    parameter.requires_grad_(False)
        self._perceptual_distance = (perceptual_distance,)  # in a tuple: no submodule, its weights are fixed

    def perceptual(self, random: StepRandom) -> Callable[[Tensor, Tensor], Tensor] | None:
        """The perceptual distance of two batches, seen through the same shifted crops."""
        (distance,) = self._perceptual_distance
        if distance is None:
            return None

        def shifted_distance(a: Tensor, b: Tensor) -> Tensor:
            starts = random.uniform(len(a), 2)
            return distance(shifted(a, starts, LARGEST_SHIFT), shifted(b, starts, LARGEST_SHIFT))

        return shifted_distance

    @contextmanager
    def head_features(self) -> Iterator[list[Tensor]]:
        """What the generator's head blocks make within, [B, C, h, w] of each, if a loss is to see it."""
        features: list[Tensor] = []
        generator = self.model.generator
        blocks = generator.blocks[: generator.head_blocks] if self.weights.alternation else ()
        hooks = [block.register_forward_hook(lambda _, __, made: features.append(made)) for block in blocks]
        try:
            yield features
        finally:
            for hook in hooks:
                hook.remove()

    def forward(
        self, discriminators: DiscriminatorStep, images: Tensor, random: StepRandom
    ) -> tuple[Losses, Fakes | None]:
        """Losses for images [B, 3, H, W] in [-1, 1], and the fakes, detached, where there are any."""
        encode, noise_makers = (
            self.generation.encoder(self.model, random),
            self.generation.noise_makers(self.model, random),
        )
        if not self.weights.adversarial:
            codes = encode(images)
            reconstructions = self.model.decode(codes, noise=noise_makers[1](codes.structure))
            return reconstruction_losses(reconstructions, images, self.weights, self.perceptual(random)), None
        trained = [parameter for parameter in discriminators.parameters() if parameter.requires_grad]
        for parameter in trained:
            parameter.requires_grad_(False)
        try:
            with self.head_features() as features:
                fakes = generate(self.model, images, encode, *noise_makers)
            losses = generator_losses(
                fakes,
                images,
                discriminators.heads,
                discriminators.patch_discriminator,
                discriminators.cropper(random),
                discriminators.augmenter(random),
                self.weights,
                self.perceptual(random),
                discriminators.adversarial,
                features,
            )
            return losses, Fakes(*(pictures.detach() for pictures in fakes))
        finally:
            for parameter in trained:
                parameter.requires_grad_(True)
