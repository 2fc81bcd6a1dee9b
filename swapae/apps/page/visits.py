"""What the page's handlers are given of a visitor: photographs, settings and history, from the components' values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from swapae.apps.page import parts
from swapae.apps.page.history import History
from swapae.apps.page.settings import MAX_DIRECTIONS, ROLES, SETTINGS
from swapae.apps.page.studio import MAX_DOMAIN


class Visit(NamedTuple):
    """What every handler is given.

    Attributes:
        paths: of the photographs by role, of those that are there.
        kinds: paths of the photographs of the one kind, and of the other.
        model: the chosen one's name.
        values: all settings, as they came.
        history: of the visitor.
        session: by which the visitor is known to the server.
    """

    paths: dict[str, str]
    kinds: tuple[list[str], list[str]]
    model: str
    values: dict[str, Any]
    history: History
    session: str = ""

    def files(self) -> dict[str, bytes]:
        """The photographs by role.

        Raises:
            UserError: one was deleted since.
        """
        files = {role: parts.read(path, role.capitalize()) for role, path in self.paths.items()}
        if self.values["translation"]:
            for name, paths in zip(("from", "to"), self.kinds, strict=True):
                # One more than may be, so that too many are refused and not passed over.
                some = paths[: MAX_DOMAIN + 1]
                files |= {f"{name} {number}": parts.read(path) for number, path in enumerate(some, 1)}
        return files


# The settings that are one component each.
NAMED = tuple(name for name in SETTINGS if name not in ("paint", "gains", "axes"))


def visit_of(arguments: Sequence[Any]) -> Visit:
    """What the inputs hold, in the order of `Page.visit`."""
    paths, rest = arguments[: len(ROLES)], list(arguments[len(ROLES) :])
    source, target, model, paint, history = (rest.pop(0) for _ in range(5))
    values = dict(zip(NAMED, rest, strict=False))
    rest = rest[len(NAMED) :]
    values |= {"paint": paint or {}, "gains": rest[:MAX_DIRECTIONS], "axes": rest[MAX_DIRECTIONS:]}
    given = {role: path for role, path in zip(ROLES, paths, strict=True) if path}
    return Visit(given, (source or [], target or []), model, values, history or History(), parts.session())
