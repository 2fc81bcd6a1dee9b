"""Who computes: one at a time, for all would share the same cores; edits before films and previews."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Turns at the processor, each for a moment; threads share it, and a thread that has its turn may ask again.

    Whoever waits for a picture goes before what is made of many (the frames of a film, previews), but after every one
    of them one of the others follows: nobody waits for ever, and an edit for two others at most.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._edits: deque[threading.Event] = deque()
        self._others: deque[threading.Event] = deque()
        self._owner: int | None = None
        self._edited_last = False

    @contextmanager
    def edit(self) -> Iterator[None]:
        """Wait for a turn, for a picture that somebody is waiting for; the turn ends with the block."""
        with self._taken(self._edits):
            yield

    @contextmanager
    def one_of_many(self) -> Iterator[None]:
        """As `edit`, for one frame of a film, or one preview."""
        with self._taken(self._others):
            yield

    @property
    def waiting(self) -> int:
        """How many wait."""
        with self._lock:
            return len(self._edits) + len(self._others)

    @contextmanager
    def _taken(self, queue: deque[threading.Event]) -> Iterator[None]:
        thread = threading.get_ident()
        if self._owner == thread:  # it asks within its own turn
            yield
            return
        called = threading.Event()
        with self._lock:
            queue.append(called)
            if self._owner is None:
                self._call_next()
        called.wait()
        self._owner = thread
        try:
            yield
        finally:
            with self._lock:
                self._owner = None
                self._call_next()

    def _call_next(self) -> None:
        """Let the next one go, with the lock held and nobody computing."""
        first, second = (self._others, self._edits) if self._edited_last else (self._edits, self._others)
        queue = first or second
        if queue:
            self._edited_last = queue is self._edits
            self._owner = -1  # taken, until the one that was called says its name
            queue.popleft().set()
