"""Random numbers of a training step: the same for an image whichever process has it, and after any restart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class StepRandom:
    """Numbers decided by (seed, step, place in the global batch) and the order of calls alone.

    Args:
        seed: of the run.
        step: number of the step.
        share, shares: which equal share of the global batch this is; processes and the parts in which a batch is
            accumulated are shares alike.
    """

    def __init__(self, seed: int, step: int, share: int = 0, shares: int = 1) -> None:
        self.share, self.shares = share, shares
        self._seed = (seed * 1_000_003 + step) * 2_000_003
        self._shared = torch.Generator().manual_seed(self._seed % 2**63)
        self._calls = 0

    def uniform(self, batch: int, *shape: int) -> Tensor:
        """[batch, *shape] in [0, 1), on the CPU: this share's rows of what is drawn for the global batch."""
        everyone = torch.rand(batch * self.shares, *shape, generator=self._shared)
        return everyone[self.share * batch : (self.share + 1) * batch]

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal numbers of the shape and on the device of `like` [B, C, H, W]."""
        batch, channels, height, width = like.shape
        (maps,) = self.noise(batch, [(channels * height, width)], like.device)
        return maps.view(like.shape)

    def noise(self, batch: int, sides: Sequence[tuple[int, int]], device: torch.device) -> list[Tensor]:
        """Standard normal maps [batch, 1, *side], drawn on the device by one generator per image."""
        sizes = [height * width for height, width in sides]
        self._calls += 1
        rows = []
        for place in range(self.share * batch, (self.share + 1) * batch):
            generator = torch.Generator(device)
            generator.manual_seed((self._seed + 1_009 * self._calls + place * 7_368_787) % 2**63)
            rows.append(torch.randn(sum(sizes), generator=generator, device=device))
        maps = torch.stack(rows).split(sizes, 1)
        return [map.view(batch, 1, *side) for map, side in zip(maps, sides, strict=True)]
