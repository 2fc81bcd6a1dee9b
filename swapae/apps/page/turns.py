"""Who computes: one at a time, for all would share the same cores; edits before films and previews."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from swapae.errors import UserError

STOPPING = "The page is being stopped; it computes nothing any more."


class Turns:
    """Turns at the processor, each for a moment; threads share it, and a thread that has its turn may ask again.

    Whoever waits for a picture goes before what is made of many (the frames of a film, previews), but after every one
    of them one of the others follows: nobody waits for ever, and an edit for two others at most.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free = threading.Condition(self._lock)
        self._edits: deque[threading.Event] = deque()
        self._others: deque[threading.Event] = deque()
        self._owner: int | None = None
        self._edited_last = False
        self._ended = False

    @contextmanager
    def edit(self) -> Iterator[None]:
        """Wait for a turn, for a picture that somebody is waiting for; the turn ends with the block.

        Raises:
            UserError: the page is stopping, see `end`.
        """
        with self._taken(self._edits):
            yield

    @contextmanager
    def one_of_many(self) -> Iterator[None]:
        """As `edit`, for one frame of a film, or one preview."""
        with self._taken(self._others):
            yield

    def end(self) -> None:
        """Wait for the one who computes; nobody's turn comes any more, and those who wait get an error.

        The process may end then: in the middle of a computation, the engine's threads would abort it.
        """
        with self._free:
            self._ended = True
            for called in (*self._edits, *self._others):
                called.set()
            self._free.wait_for(lambda: self._owner is None)

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
            if self._ended:
                raise UserError(STOPPING)
            queue.append(called)
            if self._owner is None:
                self._call_next()
        called.wait()
        with self._lock:
            if called in queue:  # by nobody before it, but by `end`
                queue.remove(called)
                raise UserError(STOPPING)
            self._owner = thread
        try:
            yield
        finally:
            with self._lock:
                self._owner = None
                self._free.notify_all()
                if not self._ended:
                    self._call_next()

    def _call_next(self) -> None:
        """Let the next one go, with the lock held and nobody computing."""
        first, second = (self._others, self._edits) if self._edited_last else (self._edits, self._others)
        queue = first or second
        if queue:
            self._edited_last = queue is self._edits
            self._owner = -1  # taken, until the one that was called says its name
            queue.popleft().set()
