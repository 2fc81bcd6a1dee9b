"""Where results are written that are files: under names that nobody guesses, until their visit ends.

They are in Gradio's folder, which serves what is in it to whoever knows the name. Gradio's own names are digests of a
secret of its installation and of what is in the files: somebody with the same photographs could have the same file
made, and so be told its name.
"""

from __future__ import annotations

import secrets
import shutil
import threading
from collections import deque
from pathlib import Path

from gradio.utils import get_upload_folder

# Of one visit's results; of all, Gradio deletes those that are two hours old.
MOST = 32


class Results:
    """New files, by visit; a visit's oldest go when it has too many. Threads may share it."""

    def __init__(self) -> None:
        self._kept: dict[str, deque[Path]] = {}
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
        with self._lock:
            if session:
                kept = self._kept.setdefault(session, deque())
                kept.append(folder)
                while len(kept) > MOST:
                    shutil.rmtree(kept.popleft(), ignore_errors=True)
        return (folder / f"swapae.{ending}").resolve()

    def find(self, name: str, session: str) -> Path | None:
        """A visit's file by the end of its path, "folder/file"; None if the visit has none of this name."""
        with self._lock:
            folders = list(self._kept.get(session, ()))
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
            folders = self._kept.pop(session, ())
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
