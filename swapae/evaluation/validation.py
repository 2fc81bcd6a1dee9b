"""How good a model in training is on photographs it is not trained on, and which of a run's models is the best."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from swapae.codes import Codes
from swapae.evaluation.lpips import LPIPS
from swapae.evaluation.metrics import grain_patches, local_frechet, local_moments, structure_distance, texture_distance
from swapae.model import Autoencoder

# Of the layers that LPIPS compares, SqueezeNet's last at 1/8 of the side, AlexNet's first at 1/16: objects, not edges.
STRUCTURE_LAYER = 2
# The local Frechet distance is 2 to 4 where the others are about a half.
LOCAL_SHARE = 4


class Evaluator:
    """Reconstructions of a fixed set of photographs, and hybrids of each with the texture of another.

    Training longer may lose structure, which neither the losses nor LPIPS of reconstructions shows: hybrids do.
    Hatching shows in none of the distances of single images: the local Frechet distance sees it.

    Args:
        images: two or more, each [1, 3, S, S] in [-1, 1].
        distance: LPIPS, whose features the other figures use too.
    """

    def __init__(self, images: Sequence[Tensor], distance: LPIPS) -> None:
        self.images, self.distance = list(images), distance
        self.moments = [local_moments(grain_patches(image)[0]) for image in self.images]
        count = len(self.images)
        # The number of each hybrid's texture image: one of the same half for the local distance, where there is one.
        self.textures = [(i + 2) % count if count > 2 else 1 - i for i in range(count)]

    @torch.no_grad()
    def __call__(self, model: Autoencoder) -> dict[str, float]:
        """Means over all photographs; the smaller, the better.

        Returns:
            lpips: of reconstructions.
            structure: distance in structure of hybrids from their structure image, 1 being that of the two images.
            texture: distance in texture of hybrids from their texture image, 1 being that of the two images.
            local: local Frechet distance of hybrids by the grain of luminance, 1 being that of photographs.
            score: the sum of the four, the last divided by `LOCAL_SHARE`, by which the best model of a run is chosen. A
                model that leaves its structure image as it is, or makes noise with the right colours, gains in one and
                loses in another.
        """
        codes = [model.encode(image) for image in self.images]
        layers = [self.layers(image) for image in self.images]
        sums = torch.zeros(5)
        local: list[Tensor] = []
        for i, (image, j) in enumerate(zip(self.images, self.textures, strict=True)):
            reconstruction = model.decode(codes[i], noise=model.reconstruction_noise()).clamp(-1, 1)
            hybrid = self.layers(model.decode(Codes(codes[i].structure, codes[j].texture)).clamp(-1, 1))
            local.append(local_moments(grain_patches(hybrid[0])[0]))
            sums += torch.stack(
                [
                    self.distance(image, reconstruction)[0],
                    structure_distance(hybrid[1 + STRUCTURE_LAYER], layers[i][1 + STRUCTURE_LAYER])[0],
                    structure_distance(layers[j][1 + STRUCTURE_LAYER], layers[i][1 + STRUCTURE_LAYER])[0],
                    texture_distance(hybrid, layers[j])[0],
                    texture_distance(layers[i], layers[j])[0],
                ]
            ).cpu()
        lpips, structure, unrelated_structure, texture, unrelated_texture = sums.clamp(min=1e-8).tolist()
        figures = {
            "lpips": lpips / len(self.images),
            "structure": structure / unrelated_structure,
            "texture": texture / unrelated_texture,
            "local": local_frechet(self.moments, local, self.textures),
        }
        score = figures["lpips"] + figures["structure"] + figures["texture"] + figures["local"] / LOCAL_SHARE
        return {**figures, "score": score}

    def layers(self, image: Tensor) -> list[Tensor]:
        """The image itself, for its colours, then the network's layers."""
        return [image.float(), *self.distance.features(image)]
