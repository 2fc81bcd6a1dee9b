"""Undo, redo and the strip of earlier results: a visitor's settings and photographs over time, without their data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

MOST = 24
# Changes of one slider within this many seconds are one step: sliders act while they move.
ONE_STEP = 1.5


@dataclass(frozen=True)
class HistoryStep:
    """What was shown.

    Attributes:
        values: all settings.
        control: what led there, in words.
        time: when, in seconds of any clock.
        thumbnail: how it looked, as the address of a small JPEG.
        paths: of the photographs, by role.
        slides: it was a slider, whose way is one step.
        pull: the number of the press that it is part of, whose way is one step too; 0 of none.
    """

    values: dict[str, Any]
    control: str
    time: float
    thumbnail: str
    paths: dict[str, str] = field(default_factory=dict)
    slides: bool = True
    pull: int = 0

    def same(self, other: HistoryStep) -> bool:
        """Whether both show the same."""
        return (self.values, self.paths) == (other.values, other.paths)

    def goes_on_soon_after(self, last: HistoryStep) -> bool:
        """Whether it is the next position of the same slider."""
        return self.slides and last.control == self.control and self.time - last.time < ONE_STEP


@dataclass(frozen=True)
class History:
    """Steps, oldest first.

    Attributes:
        position: of the step that is shown.
        away: something else is shown, or set, than at that step: a recipe from elsewhere, or what was refused.
    """

    steps: tuple[HistoryStep, ...] = field(default=())
    position: int = -1
    away: bool = False

    def added(self, step: HistoryStep) -> History:
        """After a step; what was undone is forgotten, and a slider's way to its position is one step."""
        if self.steps and self.steps[self.position].same(step):
            # It may look otherwise by now: more faithful to the photograph.
            looks = [replace(one, thumbnail=step.thumbnail) if one.same(step) else one for one in self.steps]
            return History(tuple(looks), self.position)
        steps = self.steps[: self.position + 1]
        last = steps[-1] if len(steps) > 1 else None
        if last and (step.goes_on_soon_after(last) or (step.pull and step.pull == last.pull)):
            steps = steps[:-1]
        steps = (*steps, step)[-MOST:]
        return History(steps, len(steps) - 1)

    def moved(self, position: int) -> History:
        """At another step, the nearest there is."""
        return History(self.steps, min(max(position, 0), len(self.steps) - 1))

    def undone(self) -> History:
        """One step back; to the step itself from what is no step."""
        return self.moved(self.position if self.away else self.position - 1)

    def redone(self) -> History:
        """One step on."""
        return self.moved(self.position + 1)

    def elsewhere(self) -> History:
        """With something shown or set that is no step."""
        return replace(self, away=True)

    @property
    def undoes(self) -> bool:
        """Whether there is something to undo."""
        return bool(self.steps) and (self.away or self.position > 0)

    @property
    def redoes(self) -> bool:
        """Whether there is something to redo."""
        return self.position < len(self.steps) - 1

    @property
    def step(self) -> HistoryStep | None:
        """The step that is shown; None before the first."""
        return self.steps[self.position] if self.steps else None
