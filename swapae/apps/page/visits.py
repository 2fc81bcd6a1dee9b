"""What the page keeps of its visitors: photographs, settings and history, by a name that only the visitor's tab has.

The browser makes the name, after that of this start of the server, and keeps it while the tab is open: so a reload
finds the visit again, and a server that was started anew knows a visit of before as one that it lost.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from swapae.apps.page import parts
from swapae.apps.page.history import History, HistoryStep
from swapae.apps.page.settings import MAX_DIRECTIONS, SETTINGS
from swapae.apps.page.studio import MAX_DOMAIN

# Visits that are remembered; of more, those unused for longest are forgotten.
MOST = 200
Kept = TypeVar("Kept")
# The settings that are drawn on a canvas and kept here, and those that are one component each.
DRAWN = ("paint", "points", "still")
NAMED = tuple(name for name in SETTINGS if name not in (*DRAWN, "gains", "axes"))


class Visit(NamedTuple):
    """What every handler is given.

    Attributes:
        paths: of the photographs by role, of those that are there.
        kinds: paths of the photographs of the one kind, and of the other.
        model: the chosen one's name.
        values: all settings, as they came.
        history: of the visitor.
        name: by which the visit is found again.
        session: by which the server knows whose request it is answering.
        lost: the page does not know the visit, since it was started anew.
        turn: the number of the change that is asked for, larger than those of all before it; 0 of what changes nothing.
        touched: what was touched last, in words, and whether it slides (as of `HistoryStep`).
    """

    paths: dict[str, str]
    kinds: tuple[list[str], list[str]]
    model: str
    values: dict[str, Any]
    history: History
    name: str = ""
    session: str = ""
    lost: bool = False
    turn: int = 0
    touched: tuple[str, bool] = ("", False)

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

    def setting(self, values: Mapping[str, Any]) -> Visit:
        """With other settings."""
        return self._replace(values=self.values | dict(values))

    def drawing(self, drawn: Mapping[str, Any], turn: int) -> Visit:
        """With what was drawn by the change of a number, unless a later one has set everything."""
        return self if turn and turn < self.turn else self.setting(drawn)


class Visits:
    """All visits; `opening` is what a new one begins with. Threads may share it."""

    def __init__(self, opening: Visit) -> None:
        self.opening = opening
        self.start = secrets.token_hex(8)
        self._kept: OrderedDict[str, Visit] = OrderedDict()
        self._tabs: OrderedDict[str, str] = OrderedDict()
        self._turns: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def named(self, name: object) -> Visit:
        """The visit of a name, as it was kept or as every visit begins; of before this start of the server, `lost`.

        Args:
            name: comes from a browser, and so may be anything; "" of one that has not yet made a name.
        """
        name = str(name)[:64]
        found = self.known(name)
        if found is not None:
            return found
        visit = self.opening._replace(name=name, session=parts.session())
        if not name or name.startswith(f"{self.start}."):
            return visit
        return visit._replace(paths={}, history=History(), lost=True)

    def known(self, name: object) -> Visit | None:
        """The visit of a name as it was kept."""
        with self._lock:
            found = self._kept.get(name) if isinstance(name, str) else None
            if found is not None:
                self._kept.move_to_end(found.name)
        return found and found._replace(session=parts.session())

    def keep(self, visit: Visit) -> None:
        """Remember a visit as it is now."""
        if not visit.name:
            return
        with self._lock:
            self._remember(visit)

    def _remember(self, visit: Visit) -> None:
        self._kept[visit.name] = visit
        self._kept.move_to_end(visit.name)
        while len(self._kept) > MOST:
            forgotten, _ = self._kept.popitem(last=False)
            self._tabs.pop(forgotten, None)

    def change(self, visit: Visit, how: Callable[[Visit], Visit]) -> Visit:
        """Change a visit as it is given and as it is kept: what others changed of it meanwhile stays."""
        if visit.name and not visit.lost:
            with self._lock:
                self._remember(how(self._kept.get(visit.name, visit)))
        return how(visit)

    def asked(self, name: object, turn: object) -> None:
        """Take note that a visit asked for a change of this number; both come from a browser, and may be anything."""
        name, turn = str(name)[:64], turn_of(turn)
        if not name or not turn:
            return
        with self._lock:
            remember(self._turns, name, max(turn, self._turns.get(name, 0)))

    def newest(self, visit: Visit) -> bool:
        """Whether a visit has asked for no newer change than this one."""
        return not visit.turn or visit.turn >= self._turns.get(visit.name, 0)

    def stepped(self, visit: Visit, step: HistoryStep) -> Visit | None:
        """Remember what a visit is shown, as a step of its history.

        Returns:
            The visit as it is kept now; None if it asked for a newer change meanwhile, and so is not shown this one.
        """
        with self._lock:
            if not self.newest(visit):
                return None
            kept = self._kept.get(visit.name, visit)
            shown = visit._replace(paths=kept.paths, touched=kept.touched, lost=False)
            shown = shown._replace(history=kept.history.added(step))
            if visit.name:
                self._remember(shown)
            return shown

    def opens(self, visit: Visit, tab: str) -> None:
        """Remember the tab that is open; apart from the rest, for it is opened while an edit is under way."""
        if not visit.name:
            return
        with self._lock:
            remember(self._tabs, visit.name, tab)

    def tab(self, visit: Visit) -> str | None:
        """The tab that is open, if it was opened."""
        return self._tabs.get(visit.name)

    def of(self, arguments: Sequence[Any]) -> Visit:
        """The visit of a request: what was kept of it, with what the inputs hold, in the order of `Page.visit`."""
        name, turn, source, target, model, *rest = arguments
        self.asked(name, turn)
        values = dict(zip(NAMED, rest, strict=False))
        rest = rest[len(NAMED) :]
        values |= {"gains": rest[:MAX_DIRECTIONS], "axes": rest[MAX_DIRECTIONS:]}
        visit = self.named(name)
        values |= {drawn: visit.values[drawn] for drawn in DRAWN}
        kinds = source or [], target or []
        return visit._replace(kinds=kinds, model=model, values=values, turn=turn_of(turn))


def remember(kept: OrderedDict[str, Kept], name: str, value: Kept) -> None:
    """Keep something of a visit; of more than `MOST` visits, that of those it was kept of longest ago goes."""
    kept[name] = value
    kept.move_to_end(name)
    while len(kept) > MOST:
        kept.popitem(last=False)


def turn_of(number: object) -> int:
    """A number of a change, which comes from the browser and so may be anything; 0 if it is none."""
    return number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else 0
