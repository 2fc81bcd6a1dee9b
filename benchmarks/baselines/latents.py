"""The model's codes of a photograph found by optimisation, as was done before there were encoders.

Codes are sought in units of their spread among photographs, starting at the mean, so that the published learning rates
keep their meaning: codes = mean + deviation * z.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from swapae import Codes, SwapAE


class Spread(NamedTuple):
    """Mean and deviation of codes over photographs, every place of the structure alike: [K], [1], [T], [1]."""

    structure: Tensor
    structure_deviation: Tensor
    texture: Tensor
    texture_deviation: Tensor

    @classmethod
    @torch.no_grad()
    def of(cls, model: SwapAE, images: Iterable[Tensor]) -> Spread:
        """That of photographs, each [1, 3, H, W]; their deviation is the root of the mean over channels."""
        codes = [model.encode(image) for image in images]
        places = torch.cat([code.structure.flatten(2).transpose(1, 2).flatten(0, 1) for code in codes])
        textures = torch.cat([code.texture for code in codes])
        return cls(
            *(places.mean(0), places.var(0).mean().sqrt()),
            *(textures.mean(0), textures.var(0).mean().sqrt()),
        )


class Im2StyleGAN:
    """Codes by Adam on a perceptual distance and the mean squared difference (Abdal et al. 2019, Sec. 5.1).

    Args:
        model: decodes; only its encoder is not used.
        distance: perceptual, [1, 3, H, W] twice -> [1]; the paper's is of VGG-16's features.
        spread: where to start.
        iterations: the paper's 5000.
    """

    name = "Im2StyleGAN"

    def __init__(
        self, model: SwapAE, distance: Callable[[Tensor, Tensor], Tensor], spread: Spread, iterations: int = 5000
    ) -> None:
        self.model, self.distance, self.spread, self.iterations = model, distance, spread, iterations

    def embed(self, image: Tensor) -> Tensor:
        """The reconstruction from the codes found."""
        return self.decode(self.find(image))

    def hybrid(self, structure: Tensor, texture: Tensor) -> Tensor:
        """The codes of both found, then swapped."""
        return self.decode(Codes(self.find(structure).structure, self.find(texture).texture))

    @torch.inference_mode()
    def decode(self, codes: Codes) -> Tensor:
        """The image of codes."""
        return self.model.decode(codes).clamp(-1, 1)

    def find(self, image: Tensor, watch: Callable[[int, Codes], bool] = lambda iteration, codes: False) -> Codes:
        """The codes of an image.

        Args:
            image: [1, 3, H, W] in [-1, 1], sides multiples of the stride.
            watch: is given the number of finished iterations and the codes so far; true ends the search.
        """
        rows, columns = (side // self.model.config.stride for side in image.shape[2:])
        structure = torch.zeros(1, len(self.spread.structure), rows, columns, requires_grad=True)
        texture = torch.zeros(1, len(self.spread.texture), requires_grad=True)
        adam = torch.optim.Adam([structure, texture], lr=self.rate(0), betas=(0.9, 0.999), eps=1e-8)
        for iteration in range(self.iterations):
            adam.param_groups[0]["lr"] = self.rate(iteration)
            picture = self.model.decode(self.codes(structure, self.shaken(texture, iteration)))
            loss = self.loss(picture, image)
            gradients = torch.autograd.grad(loss, [structure, texture])
            structure.grad, texture.grad = gradients
            adam.step()
            found = Codes(*(code.detach() for code in self.codes(structure, texture)))
            if watch(iteration + 1, found):
                break
        return found

    def codes(self, structure: Tensor, texture: Tensor) -> Codes:
        """From units of the spread to codes."""
        mean = self.spread.structure.view(1, -1, 1, 1)
        return Codes(
            mean + self.spread.structure_deviation * structure,
            self.spread.texture + self.spread.texture_deviation * texture,
        )

    def rate(self, iteration: int) -> float:
        """The learning rate of an iteration: constant."""
        return 0.01

    def shaken(self, texture: Tensor, iteration: int) -> Tensor:
        """The texture that an iteration looks at: itself."""
        return texture

    def loss(self, picture: Tensor, image: Tensor) -> Tensor:
        """What is made small."""
        return self.distance(picture, image).sum() + (picture - image).square().mean()


class Projector(Im2StyleGAN):
    """StyleGAN2's projection (Karras et al. 2020, Appendix D), with the texture in the place of w.

    Noise is added to the texture and fades over the first three quarters; the learning rate rises over the first
    twentieth and falls over the last quarter; the loss is the perceptual distance alone. What StyleGAN2 puts into its
    noise maps is free here in the structure.

    Args:
        iterations: the paper's 1000.
    """

    name = "StyleGAN2 projector"

    def __init__(
        self, model: SwapAE, distance: Callable[[Tensor, Tensor], Tensor], spread: Spread, iterations: int = 1000
    ) -> None:
        super().__init__(model, distance, spread, iterations)
        self.generator = torch.Generator()

    def rate(self, iteration: int) -> float:
        """0.1 at most."""
        done = iteration / self.iterations
        fall = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - done) / 0.25))
        return 0.1 * fall * min(1.0, done / 0.05)

    def shaken(self, texture: Tensor, iteration: int) -> Tensor:
        """With noise of a twentieth of the spread, fading as the square of what is left; the same for every image."""
        if iteration == 0:
            self.generator.manual_seed(0)
        strength = 0.05 * max(0.0, 1 - iteration / self.iterations / 0.75) ** 2
        # The spread of whole codes, as the paper has it: over all channels together.
        return texture + strength * math.sqrt(texture.shape[1]) * torch.randn(texture.shape, generator=self.generator)

    def loss(self, picture: Tensor, image: Tensor) -> Tensor:
        """What is made small."""
        return self.distance(picture, image).sum()


class Reached(NamedTuple):
    """A search watched from outside.

    Attributes:
        iterations, seconds: until it was as good as wanted, None if it never was.
        total_seconds: that it ran.
        picture: the last that was measured, [1, 3, H, W].
        measured: what the measure says of it.
    """

    iterations: int | None
    seconds: float | None
    total_seconds: float
    picture: Tensor
    measured: float


def race(
    method: Im2StyleGAN, image: Tensor, measure: Callable[[Tensor, Tensor], Tensor], goal: float, *, every: int = 5
) -> Reached:
    """Search until a measure of the reconstruction is at most `goal`; the time of measuring does not count.

    Args:
        method: that searches; `goal` below all that is possible lets it run to its end.
        image: [1, 3, H, W] in [-1, 1].
        measure: images twice -> [1], such as LPIPS.
        goal: wanted.
        every: so many iterations it is measured.
    """
    start, paused = time.perf_counter(), 0.0
    seen: list[tuple[int, float, Tensor, float]] = []

    def watch(iteration: int, codes: Codes) -> bool:
        nonlocal paused
        if iteration % every and iteration != method.iterations:
            return False
        stopped = time.perf_counter()
        with torch.inference_mode():
            picture = method.decode(codes)
            seen[:] = [(iteration, stopped - start - paused, picture, measure(image, picture).item())]
        paused += time.perf_counter() - stopped
        return seen[0][3] <= goal

    method.find(image, watch)
    iteration, seconds, picture, measured = seen[0]
    reached = measured <= goal
    return Reached(iteration if reached else None, seconds if reached else None, seconds, picture, measured)
