"""The plain values that recipes are made of, and masks among them: everything from outside is checked here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from swapae.editing import Box
from swapae.editing.directions import DIRECTION_NAME
from swapae.errors import UserError

MAX_PHOTOGRAPHS = 16
MAX_MASK_SIDE = 256
MAX_CELLS = 512  # of a box's side or offset
MAX_PIXEL = 100_000  # of a point's x or y
MAX_AMOUNT = 10.0
MASK_LEVELS = 255

Check = Callable[[str, Any], Any]


@dataclass(frozen=True)
class Mask:
    """Where an edit goes, as a small grid of levels from 0 to 255, row after row.

    Attributes:
        height, width: of the grid, which is laid over the whole picture.
        runs: level and length by turns.
    """

    height: int
    width: int
    runs: tuple[int, ...]

    @classmethod
    def from_tensor(cls, mask: Tensor) -> Mask:
        """Of a mask [1, 1, h, w] in [0, 1], rounded to levels."""
        values, lengths = torch.unique_consecutive((mask.float() * MASK_LEVELS).round().int(), return_counts=True)
        runs = torch.stack([values.flatten().long(), lengths.flatten()], 1).flatten().tolist()
        return cls(mask.shape[2], mask.shape[3], tuple(runs))

    def to_tensor(self) -> Tensor:
        """float32 [1, 1, h, w] in [0, 1]."""
        values, lengths = torch.tensor(self.runs).view(-1, 2).unbind(1)
        return (torch.repeat_interleave(values, lengths) / MASK_LEVELS).view(1, 1, self.height, self.width)

    @property
    def empty(self) -> bool:
        """Whether it is 0 everywhere."""
        return not any(self.runs[::2])

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"height": self.height, "width": self.width, "runs": list(self.runs)}


def shown(value: Any) -> str:
    """A value from outside, short enough for a message of one line."""
    return repr(str(value)[:40])


def members(name: str, value: Any, keys: set[str]) -> dict[str, Any]:
    """A JSON object with exactly these keys.

    Raises:
        UserError: no object, or other keys.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise UserError(f"{name} must be an object, got {shown(value)}")
    if unknown := sorted(value.keys() - keys):
        raise UserError(f"{name} has the unknown key {shown(unknown[0])}; it takes {', '.join(sorted(keys))}")
    if missing := sorted(keys - value.keys()):
        raise UserError(f"{name} lacks {missing[0]!r}")
    return dict(value)


def number(low: float, high: float) -> Check:
    """A finite number from `low` to `high`."""

    def check(name: str, value: Any) -> float:
        # Put so that NaN fails too; True is an int, but no amount.
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise UserError(f"{name} must be a number from {low:g} to {high:g}, got {shown(value)}")
        return float(value)

    return check


def whole(low: int, high: int) -> Check:
    """A whole number from `low` to `high`."""

    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise UserError(f"{name} must be a whole number from {low} to {high}, got {shown(value)}")
        return value

    return check


def choice(*options: str) -> Check:
    """One of some words."""

    def check(name: str, value: Any) -> str:
        if value not in options:
            raise UserError(f"{name} must be one of {', '.join(options)}, got {shown(value)}")
        return value

    return check


def switch(name: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise UserError(f"{name} must be true or false, got {shown(value)}")
    return value


def several(check: Check, most: int, least: int = 1) -> Check:
    """A list of such values."""

    def check_all(name: str, values: Any) -> tuple[Any, ...]:
        if not isinstance(values, list | tuple) or not least <= len(values) <= most:
            count = most if least == most else f"{least} to {most}"
            raise UserError(f"{name} must be a list of {count} values")
        return tuple(check(name, value) for value in values)

    return check_all


def optional(check: Check) -> Check:
    """Such a value, or none."""
    return lambda name, value: None if value is None else check(name, value)


def box(name: str, value: Any) -> Box:
    """[top, left, height, width] in cells."""
    if not isinstance(value, list | tuple) or len(value) != 4:
        raise UserError(f"{name} must be [top, left, height, width], got {shown(value)}")
    corner = [whole(-MAX_CELLS, MAX_CELLS)(name, number) for number in value[:2]]
    sides = [whole(1, MAX_CELLS)(name, number) for number in value[2:]]
    return Box(*corner, *sides)


def point(name: str, value: Any) -> tuple[float, float]:
    """[x, y] in pixels."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise UserError(f"{name} must be points [x, y], got {shown(value)}")
    x, y = (number(0, MAX_PIXEL)(name, one) for one in value)
    return x, y


def gains(name: str, value: Any) -> dict[str, float]:
    """Gains by the names of directions."""
    if not isinstance(value, Mapping) or len(value) > 64:
        raise UserError(f"{name} must be an object of at most 64 gains by name")
    for key in value:
        if not isinstance(key, str) or not DIRECTION_NAME.fullmatch(key):
            raise UserError(f"{name}: {shown(key)} is no name of a direction")
    return {key: number(-MAX_AMOUNT, MAX_AMOUNT)(f"{name} of {key}", gain) for key, gain in value.items()}


def mask(name: str, value: Any) -> Mask:
    """A mask as `Mask.to_dict` writes it, or a `Mask`."""
    plain = members(name, value.to_dict() if isinstance(value, Mask) else value, {"height", "width", "runs"})
    height, width = (whole(1, MAX_MASK_SIDE)(f"{name} {side}", plain[side]) for side in ("height", "width"))
    runs = several(whole(0, MAX_MASK_SIDE**2), 2 * height * width, 2)(f"{name} runs", plain["runs"])
    if len(runs) % 2 or max(runs[::2]) > MASK_LEVELS or not all(runs[1::2]) or sum(runs[1::2]) != height * width:
        raise UserError(f"{name}: runs must be level and length by turns, levels up to {MASK_LEVELS}, to fill the grid")
    return Mask(height, width, runs)


index: Check = whole(0, MAX_PHOTOGRAPHS - 1)
indices = several(index, MAX_PHOTOGRAPHS)
amount = number(-MAX_AMOUNT, MAX_AMOUNT)
radius = whole(0, 64)
