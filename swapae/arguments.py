"""Command lines by tyro, whose complaint about bad arguments is said in one line instead of a drawn box.

The line is read out of the box: tyro (1.0.17) gives errors as values only by its private module `_errors`, which it
says may change in any release.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable
from typing import TypeVar

from swapae.errors import UserError

Parsed = TypeVar("Parsed")


def parse_arguments(parse: Callable[[], Parsed]) -> Parsed:
    """What `parse`, a call of tyro, returns; --help exits as usual.

    Raises:
        UserError: the arguments are not understood.
    """
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return parse()
    except SystemExit as stop:
        if not stop.code:
            raise
        raise UserError(f"{sentences(complaint.getvalue())}; see --help") from None


def sentences(box: str) -> str:
    """What tyro's error box says, without its frame, its title and the help it repeats."""
    stripped = (line.strip("╭╮╰╯│─ ") for line in box.splitlines())
    _, *lines = [line for line in stripped if line.strip("-")] or [""]
    text = re.split(r" For full helptext| Argument helptext| Got errors", " ".join(lines))[0]
    return text.strip().rstrip(".") or "the arguments are not understood"
