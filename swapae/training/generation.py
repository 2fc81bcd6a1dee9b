"""How training makes the pictures that losses judge: what the structure is read from, and where noise goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from swapae.codes import Codes
from swapae.losses import NoiseMaker
from swapae.model import SwapAE
from swapae.training.colour_jitter import NUMBERS as COLOUR_NUMBERS
from swapae.training.colour_jitter import jitter_colours
from swapae.training.grain import NUMBERS as GRAIN_NUMBERS
from swapae.training.grain import hide_grain
from swapae.training.random import StepRandom

# Where reconstructions have no noise, its weights never fall below this: left alone they are gone within a thousand
# updates, long before the generator has learnt to draw grain from noise, and grain is then a periodic pattern.
LEAST_NOISE = 0.05
TrainingNoise = Literal["random", "hybrids", "zero"]


@dataclass(frozen=True)
class Generation:
    """How training makes reconstructions and hybrids: what the structure is read from, and where noise maps go.

    Attributes:
        noise: "random" maps for all, for "hybrids" alone, or "zero". Reconstruction losses silence noise, and a
            generator without it draws grain as a periodic pattern.
        colour_jitter: read the structure from images in random other colours.
        hide_grain: share of the images whose structure is read from a blurred and noisy copy.
        structure_noise: largest deviation of noise on structure codes, in units of their root mean square.
    """

    noise: TrainingNoise = "random"
    colour_jitter: bool = False
    hide_grain: float = 0.0
    structure_noise: float = 0.0

    def encoder(self, model: SwapAE, random: StepRandom) -> Callable[[Tensor], Codes]:
        """Images -> codes, the structure read from changed copies."""

        def encode(images: Tensor) -> Codes:
            seen = images
            if self.colour_jitter:
                seen = jitter_colours(seen, random.uniform(len(images), COLOUR_NUMBERS))
            if self.hide_grain:
                chosen = random.uniform(len(images), GRAIN_NUMBERS)
                seen = hide_grain(seen, chosen, random.normal(images), self.hide_grain)
            if seen is images:
                structure, texture = model.encode(images)
            else:
                codes = model.encode(torch.cat([seen, images]))
                structure, texture = codes.structure[: len(images)], codes.texture[len(images) :]
            if self.structure_noise:
                strength = random.uniform(len(images), 1, 1, 1).to(structure.device) * self.structure_noise
                structure = structure + strength / structure.shape[1] ** 0.5 * random.normal(structure)
            return Codes(structure, texture)

        return encode

    def noise_makers(self, model: SwapAE, random: StepRandom) -> tuple[NoiseMaker, NoiseMaker]:
        """What `losses.generate` asks for noise of hybrids and of reconstructions."""

        def fresh(structure: Tensor) -> list[Tensor]:
            sides = model.generator.noise_sides(*structure.shape[2:])
            return random.noise(len(structure), sides, structure.device)

        def none(structure: Tensor) -> list[Tensor]:
            sides = model.generator.noise_sides(*structure.shape[2:])
            return [torch.zeros(len(structure), 1, *side, device=structure.device) for side in sides]

        if self.noise == "zero":
            return (lambda structure: "zero",) * 2
        return fresh, none if self.noise == "hybrids" else fresh


PLAIN = Generation()


@torch.no_grad()
def keep_noise(model: SwapAE) -> None:
    """Bring noise weights that are smaller than `LEAST_NOISE` there, and those at the structure's resolution to 0.

    Noise of a cell's size is no grain: it is drawn as blotches in a grid. In the embedded model's training it grew to
    five times the other noise, in place of what `alternation_loss` held down.
    """
    for block in model.generator.blocks:
        for name, parameter in block.named_parameters():
            if name.endswith("noise_weight") and parameter.requires_grad:  # what is frozen stays as it is
                kept = torch.where(parameter.abs() < LEAST_NOISE, LEAST_NOISE, parameter)
                parameter.copy_(kept if block.upsample else torch.zeros_like(kept))
