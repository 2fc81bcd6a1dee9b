"""Where results are written that are files: under names that nobody guesses, until their visit ends.

They are in Gradio's folder, which serves what is in it to whoever knows the name. Gradio's own names are digests of a
secret of its installation and of what is in the files: somebody with the same photographs could have the same file
made, and so be told its name.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from gradio.utils import get_upload_folder

# Of one visit's results; of all, Gradio deletes those that are two hours old.
MOST = 32
# Seconds after a visit's newest result when nothing is kept of it any more. A program that calls without a session is a
# new visit each time, and never leaves.
KEPT = 7200.0


class Kept(NamedTuple):
    """The folders of a visit's results, and when the newest was made (`time.monotonic`)."""

    folders: deque[Path]
    newest: float


class Results:
    """New files, by visit; a visit's oldest go when it has too many, and all in time. Threads may share it."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()  # by the newest
        self._work: dict[str, set[threading.Event]] = {}
        self._lock = threading.Lock()

    def new(self, suffix: object, session: str = "") -> Path:
        """A name for a file that is not there yet, in a folder of its own.

        Args:
            suffix: comes from outside; who writes the file checks it.
            session: whose it is; "" for nobody's, which stays until Gradio deletes it.
        """
        ending = suffix if isinstance(suffix, str) and suffix.isalnum() else "file"
        folder = Path(get_upload_folder(), secrets.token_urlsafe(24))
        folder.mkdir(parents=True)
        over: list[Path] = []
        with self._lock:
            now = time.monotonic()
            if session:
                folders = self._kept.pop(session, Kept(deque(), now)).folders
                folders.append(folder)
                over += [folders.popleft() for _ in range(len(folders) - MOST)]
                self._kept[session] = Kept(folders, now)
            while self._kept and now - next(iter(self._kept.values())).newest > KEPT:
                over += self._kept.popitem(last=False)[1].folders
        delete(over)
        return (folder / f"swapae.{ending}").resolve()

    def find(self, name: str, session: str) -> Path | None:
        """A visit's file by the end of its path, "folder/file"; None if the visit has none of this name."""
        with self._lock:
            folders = list(self._kept[session].folders) if session in self._kept else []
        found = [folder / Path(name).name for folder in folders if name.split("/")[0] == folder.name]
        return next((path.resolve() for path in found if path.is_file()), None)

    def stopping(self, session: str) -> threading.Event:
        """An event that is set once this visit ends, or wants its films no longer."""
        stop = threading.Event()
        with self._lock:
            self._work.setdefault(session, set()).add(stop)
        return stop

    def done(self, session: str, stop: threading.Event) -> None:
        """Forget an event of `stopping`."""
        with self._lock:
            self._work.get(session, set()).discard(stop)
            if not self._work.get(session):
                self._work.pop(session, None)

    def stop(self, session: str) -> None:
        """Stop the films that this visit makes."""
        with self._lock:
            for stop in self._work.get(session, set()):
                stop.set()

    def leave(self, session: str) -> None:
        """Stop a visit's films and delete its results."""
        self.stop(session)
        with self._lock:
            kept = self._kept.pop(session, None)
        delete(kept.folders if kept else ())


def delete(folders: Iterable[Path]) -> None:
    """Delete folders, as far as they are still there."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
