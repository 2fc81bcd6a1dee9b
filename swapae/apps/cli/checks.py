"""Checks of options' values, each with a message in the command line's terms."""

from __future__ import annotations

from swapae.errors import UserError

STRONGEST = 1000  # at which long since nothing of a picture is left


def check_between(option: str, value: float, low: float, high: float) -> None:
    """Raise UserError unless `low` <= value <= `high`."""
    if not low <= value <= high:
        raise UserError(f"--{option} must be {low} to {high}, got {value}")


def check_strength(option: str, *values: float) -> None:
    """Raise UserError unless all are numbers that codes can be multiplied with in any precision."""
    for value in values:
        if not abs(value) <= STRONGEST:  # put so that NaN fails too
            raise UserError(f"--{option} must be a number, {-STRONGEST} to {STRONGEST}, got {value}")


def check_alpha(alpha: float) -> None:
    """Raise UserError unless alpha is a strength; beyond 0 and 1 it exaggerates."""
    if not abs(alpha) <= STRONGEST:
        raise UserError(f"--alpha must be a number, 0 for the own texture to 1 for the other's, got {alpha}")


def check_film(frames_per_second: int, option: str, frames: int, fewest: int) -> None:
    """Raise UserError for a number of frames, of the option that gives it, or a rate that no film has."""
    check_between(option, frames, fewest, 10_000)
    check_between("fps", frames_per_second, 1, 60)


def check_feather(pixels: int) -> None:
    """Raise UserError for an edge that cannot be feathered over so many pixels."""
    check_between("feather", pixels, 0, 1024)


def whole_numbers(what: str, text: str, *forms: str) -> tuple[int, ...]:
    """The numbers of a value such as 10,20, the value of `what`, written in one of `forms` such as X,Y.

    Raises:
        UserError: other text, or numbers that no picture has.
    """
    try:
        values = tuple(int(part) for part in text.split(",")) if len(text) < 60 else ()
    except ValueError:
        values = ()
    fits = len(values) in {len(form.split(",")) for form in forms}
    if not fits or any(abs(value) > 10**6 for value in values):
        example = ",".join(["10", "20", "40", "30"][: len(forms[0].split(","))])
        raise UserError(f"{what} takes {' or '.join(forms)} in pixels, such as {example}, got {text!r:.60}")
    return values
