"""How long a direction has to be, measured on decoded pictures: decodes are what making directions takes time for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from swapae.codes import Codes
from swapae.model import Autoencoder

# A texture code has length 1: further than this from it hardly anything of the picture's own is left.
LONGEST_EDIT = 1.5
FIRST_GUESS = 0.4  # a usual length
FEW = 4  # one picture of so many is enough for a first estimate
EXACT = 0.01  # of the change that is wanted
MOST_TRIES = 12


class Calibration:
    """Scales directions to a wanted change of decoded pictures.

    Args:
        model: decodes.
        codes: of some photographs, each of a batch of one.
    """

    @torch.no_grad()
    def __init__(self, model: Autoencoder, codes: Sequence[Codes]) -> None:
        self.model, self.codes = model, codes
        self.before = [self.decode(code) for code in codes]

    def decode(self, code: Codes) -> Tensor:
        """The picture [1, 3, H, W] of a code, in [-1, 1]."""
        return self.model.decode(code).float().clamp(-1, 1)

    @torch.no_grad()
    def scale(self, vector: Tensor, measure: Callable[[Tensor], Tensor], change: float) -> tuple[Tensor, float]:
        """The vector scaled so that adding it to textures changes pictures by as much as wanted.

        Args:
            vector: [T].
            measure: images [1, 3, H, W] -> [1], what the direction is about.
            change: wanted of the mean of `measure`.

        Returns:
            The scaled vector [T], and the share of `change` that it brings: less than 1 if a vector as long as
            `LONGEST_EDIT` does not bring all of it.
        """
        unit = vector / vector.norm()

        def brought(length: float, every: int) -> float:
            """The share of `change` that a length brings, on one of `every` pictures."""
            changes = []
            for code, before in zip(self.codes[::every], self.before[::every], strict=True):
                after = self.decode(Codes(code.structure, code.texture + (length * unit).to(code.texture)))
                changes.append(measure(after) - measure(before))
            return torch.cat(changes).mean().item() / change

        rough, _ = length_for(lambda length: brought(length, FEW), FIRST_GUESS, 10 * EXACT)
        length, share = length_for(lambda length: brought(length, 1), rough, EXACT)
        return unit * length, 1.0 if share > 1 - EXACT else share


def length_for(brought: Callable[[float], float], guess: float, tolerance: float) -> tuple[float, float]:
    """The least length whose share of the wanted change is 1, by the secant method within a bracket.

    Args:
        brought: the share that a length brings, 0 at 0, and more for longer ones.
        guess: to begin with.
        tolerance: of the share.

    Returns:
        The length, at most `LONGEST_EDIT`, and its share.
    """
    shorter, low, high = (0.0, 0.0), (0.0, 0.0), None  # (length, share); `high` is one that brings too much
    length = guess
    for _ in range(MOST_TRIES):
        share = brought(length)
        if abs(share - 1) <= tolerance or (length == LONGEST_EDIT and share < 1):
            break
        if share < 1:
            shorter, low = low, (length, share)
        else:
            high = (length, share)
        if high is not None:
            ahead = (1 - low[1]) / (high[1] - low[1])
            # Not too near an end, where a curved response would only creep.
            length = low[0] + (high[0] - low[0]) * min(max(ahead, 0.1), 0.9)
        else:
            slope = (low[1] - shorter[1]) / (low[0] - shorter[0])
            length = min(low[0] + (1 - low[1]) / slope, LONGEST_EDIT) if slope > 0 else LONGEST_EDIT
    return length, share
