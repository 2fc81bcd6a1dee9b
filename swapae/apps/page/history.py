"""Undo, redo and the strip of earlier results: a visitor's settings over time, without the pictures' data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MOST = 24
# Changes of one control within this many seconds are one step: sliders act while they move.
ONE_STEP = 1.5


@dataclass(frozen=True)
class HistoryStep:
    """Settings that were shown, which control led there, when, and how it looked (the address of a small JPEG)."""

    values: dict[str, Any]
    control: str
    time: float
    thumbnail: str


@dataclass(frozen=True)
class History:
    """Steps, oldest first, and which of them is shown."""

    steps: tuple[HistoryStep, ...] = field(default=())
    position: int = -1

    def added(self, step: HistoryStep) -> History:
        """After a step; what was undone is forgotten, and a slider's way to its position is one step."""
        if self.values == step.values:
            return self
        steps = self.steps[: self.position + 1]
        last = steps[-1] if len(steps) > 1 else None
        if last and last.control == step.control and step.time - last.time < ONE_STEP:
            steps = steps[:-1]
        steps = (*steps, step)[-MOST:]
        return History(steps, len(steps) - 1)

    def moved(self, position: int) -> History:
        """At another step, the nearest there is."""
        return History(self.steps, min(max(position, 0), len(self.steps) - 1))

    @property
    def values(self) -> dict[str, Any] | None:
        """The settings shown; None before the first step."""
        return self.steps[self.position].values if self.steps else None
