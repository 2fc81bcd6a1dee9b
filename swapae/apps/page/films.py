"""Where films are written before the page takes its copy: a folder that holds a few and goes with the program."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections import deque
from pathlib import Path

MOST = 16


class Films:
    """New files in a folder of their own; the oldest go when there are too many. Threads may share it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="swapae-films-")
        self._kept: deque[Path] = deque()
        self._lock = threading.Lock()

    def new(self, suffix: object) -> Path:
        """A name for a film that is not there yet; who writes it checks the suffix, which comes from outside."""
        ending = f".{suffix}" if isinstance(suffix, str) and suffix.isalnum() else ".film"
        path = Path(self._folder.name, f"swapae-{secrets.token_hex(6)}{ending}")
        with self._lock:
            self._kept.append(path)
            while len(self._kept) > MOST:
                self._kept.popleft().unlink(missing_ok=True)
        return path
