"""Photographs that are drawn more faithfully than the model sees them at once: refined, and kept in memory alone.

It takes seconds to half a minute and is done once for a photograph and a degree; edits find what was made here. Nothing
of it is written to the disk, since it is as good as the visitor's photograph.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple

from swapae.apps.page import zerogpu
from swapae.apps.page.long_work import Progress
from swapae.apps.page.turns import Turns
from swapae.apps.page.uploads import Upload
from swapae.codes import Codes
from swapae.inference.fast import in_form_of
from swapae.model import DEFAULT_NOISE_SEED, Autoencoder, SwapAE
from swapae.training.refining import count_steps, refine

# That are kept; with a generator of its own each takes some four times the model's size.
MOST = 16


class Wish(NamedTuple):
    """A photograph by the SHA-256 of its file, and the steps that it takes: of its codes alone, with the generator."""

    sha256: str
    alone: int
    together: int


class Drawing(NamedTuple):
    """What draws a photograph faithfully: its codes, of a batch of one, and a model that decodes them."""

    codes: Codes
    model: Autoencoder


class RefinedPhotographs:
    """Those of one model's visitors; threads may share it.

    Args:
        model: that draws all others.
        trained: gives its trained form, which can be refined.
        turns: of the page.
    """

    def __init__(self, model: Autoencoder, trained: Callable[[], SwapAE], turns: Turns) -> None:
        self.model, self.trained, self.turns = model, trained, turns
        self._kept: OrderedDict[Wish, tuple[Drawing, set[str]]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def possible(self) -> bool:
        """Whether photographs can be refined here: not where a GPU is lent for a picture at a time."""
        return not zerogpu.ACTIVE

    def wish(self, sha256: str, fidelity: float) -> Wish | None:
        """What a photograph with a fidelity in [0, 1] needs; None for 0."""
        alone, together = count_steps(fidelity)
        return Wish(sha256, alone, together) if alone and self.possible else None

    def find(self, wish: Wish | None, visit: str = "") -> Drawing | None:
        """What was made of it, if it was and is still kept; henceforth also for this visit."""
        with self._lock:
            if wish is None or wish not in self._kept:
                return None
            self._kept.move_to_end(wish)
            drawing, visits = self._kept[wish]
            visits |= {visit} if visit else set()
            return drawing

    def make(self, upload: Upload, fidelity: float, progress: Progress, visit: str = "") -> None:
        """Refine a photograph, so that `find` finds it.

        Args:
            upload: the photograph.
            fidelity: in [0, 1], not 0.
            progress: is given the steps; others' edits go between them.
            visit: for which it is kept, until `leave`; "" if for none.

        Raises:
            UserError: the model can no longer be loaded.
        """
        wish = self.wish(upload.sha256, fidelity)
        assert wish is not None, "nothing to refine"
        total = wish.alone + wish.together
        trained, steps = self.trained(), progress(iter(range(total)), total)
        next(steps)
        with ExitStack() as turn:
            turn.enter_context(self.turns.one_of_many())

            def step_done() -> None:
                turn.close()
                next(steps, None)
                turn.enter_context(self.turns.one_of_many())

            encoded = upload.encoded
            refined = refine(
                trained, encoded.image, encoded.codes, fidelity, noise=DEFAULT_NOISE_SEED, step_done=step_done
            )
            model = in_form_of(self.model, refined.model(trained)) if refined.changes else self.model
        with self._lock:
            self._kept[wish] = Drawing(refined.codes, model), {visit} if visit else set()
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)

    def leave(self, visit: str) -> None:
        """Forget the photographs that only this visit had."""
        with self._lock:
            for wish, (_, visits) in [*self._kept.items()]:
                visits.discard(visit)
                if not visits:
                    del self._kept[wish]


class UnderWay:
    """What is refined just now for each visitor's session, one photograph at a time; threads may share it."""

    def __init__(self) -> None:
        self._work: dict[str, tuple[Wish, threading.Event]] = {}
        self._lock = threading.Lock()

    def wants(self, session: str, wish: Wish | None) -> bool:
        """Stop what is under way for another wish; whether there is one that nobody works on yet."""
        with self._lock:
            under_way = self._work.get(session)
            if under_way and under_way[0] == wish:
                return False
            if under_way:
                under_way[1].set()
            return wish is not None

    def begin(self, session: str, wish: Wish, stop: threading.Event) -> bool:
        """Note that a wish is being worked on until `stop` is set, instead of another; False if it was already."""
        if not self.wants(session, wish):
            return False
        with self._lock:
            self._work[session] = wish, stop
            return True

    def end(self, session: str, stop: threading.Event) -> None:
        """Note that the work with this event has ended."""
        with self._lock:
            if session in self._work and self._work[session][1] is stop:
                del self._work[session]
