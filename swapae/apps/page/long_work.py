"""Long work that is told piece by piece: it runs in a thread, and stops within a piece once it is to stop."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple, TypeVar

Piece = TypeVar("Piece")
Made = TypeVar("Made")
# Work passes its pieces through one of these, with how many there may be (0: unknown).
Progress = Callable[[Iterator[Any], int], Iterator[Any]]


class Stopped(Exception):
    """The work was to stop before it was done."""


class Told(NamedTuple):
    """How far work is: pieces done, of how many (0: unknown), and seconds left, if one can say."""

    done: int
    total: int
    left: float | None


def told(
    work: Callable[[Progress], Made], stop: threading.Event, clock: Callable[[], float] = time.monotonic
) -> Generator[Told, None, Made]:
    """Do work in a thread, and tell after every piece how far it is; whoever closes the generator stops the work.

    Args:
        work: is given a `Progress`; what it raises is raised here.
        stop: once set, `Stopped` is raised within a piece.
        clock: gives seconds.

    Returns:
        What the work returns, as the generator's value.
    """
    news: queue.SimpleQueue[Told | tuple[bool, Any]] = queue.SimpleQueue()

    def progress(pieces: Iterator[Piece], total: int) -> Iterator[Piece]:
        start = clock()
        for done, piece in enumerate(stoppable(pieces, stop), 1):
            yield piece
            news.put(Told(done, total, (clock() - start) / done * (total - done) if total else None))

    def run() -> None:
        try:
            news.put((True, work(progress)))
        except BaseException as error:
            news.put((False, error))

    # With the context, by which Gradio knows whose work it is.
    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    try:
        while isinstance(one := news.get(), Told):
            yield one
    finally:
        stop.set()
    done, result = one
    if not done:
        raise result
    return result


def seconds_left(left: float) -> str:
    """How long something still takes, for people."""
    seconds = max(1, round(left))
    time = f"{seconds} second{'s' * (seconds > 1)}" if seconds < 100 else f"{round(seconds / 60)} minutes"
    return f"about {time}"


def stoppable(pieces: Iterator[Piece], stop: threading.Event) -> Iterator[Piece]:
    """Pieces as they come, until the work is to stop.

    Raises:
        Stopped: it is.
    """
    for piece in pieces:
        if stop.is_set():
            raise Stopped
        yield piece
