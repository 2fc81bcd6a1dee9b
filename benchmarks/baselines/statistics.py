"""Means and deviations of features matched, the statistics of AdaIN (Huang and Belongie 2017), without its decoder."""

from __future__ import annotations

import torch
from torch import Tensor

from swapae.evaluation.lpips import LPIPS
from swapae.evaluation.metrics import texture_statistics


class StatisticsMatching:
    """Pixels optimised so that a trunk's features keep the structure image's and take the texture image's statistics.

    AdaIN's decoder is trained for VGG; to optimise the pixels (Gatys et al. 2016) for its two losses (Eqs. 11 to 13)
    needs no decoder and works with any trunk.

    Args:
        trunk: whose features count; the content is its layer `content`.
        iterations: of Adam.
        weight: of the statistics.
    """

    name = "statistics matching"
    embed = None

    def __init__(self, trunk: LPIPS, iterations: int = 200, weight: float = 10.0, content: int = 2) -> None:
        self.trunk, self.iterations, self.weight, self.content = trunk, iterations, weight, content

    def hybrid(self, structure: Tensor, texture: Tensor) -> Tensor:
        """The optimised image."""
        with torch.no_grad():
            content = self.trunk.features(structure)[self.content]
            wanted = texture_statistics([texture, *self.trunk.features(texture)])
        picture = structure.clone().requires_grad_(True)
        adam = torch.optim.Adam([picture], lr=0.02)
        for _ in range(self.iterations):
            features = self.trunk.features(picture)
            statistics = texture_statistics([picture, *features])
            kept = (features[self.content] - content).square().sum(1).mean()
            loss = kept + self.weight * (statistics - wanted).square().sum()
            (picture.grad,) = torch.autograd.grad(loss, [picture])
            adam.step()
            with torch.no_grad():
                picture.clamp_(-1, 1)
        return picture.detach()
