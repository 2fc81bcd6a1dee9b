"""Undo, redo and the strip of earlier results: a visitor's settings over time, without the pictures' data."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

MOST = 24
# Changes of one control within this many seconds are one step: sliders act while they move.
ONE_STEP = 1.5
THUMBNAIL = 56


@dataclass(frozen=True)
class Step:
    """Settings that were shown, which control led there, when, and how it looked (a small JPEG as base64)."""

    values: dict[str, Any]
    control: str
    time: float
    thumbnail: str


@dataclass(frozen=True)
class History:
    """Steps, oldest first, and which of them is shown."""

    steps: tuple[Step, ...] = field(default=())
    position: int = -1

    def added(self, step: Step) -> History:
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


def thumbnail(image: Image.Image) -> str:
    """A small square JPEG of a picture's middle, as base64."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    small = image.resize((THUMBNAIL, THUMBNAIL), box=(left, top, left + side, top + side))
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=80)
    return base64.b64encode(stream.getvalue()).decode()
