"""What the slider "Faithful to my photograph" answers: the photograph is refined step by step, and then drawn anew.

The picture asks for it: whatever sets the slider or brings another photograph (undo, an upload, a reload) ends in a
picture, and with one that is not yet as faithful as wished the browser is told to ask (`refined`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import gradio as gr

from swapae.apps.page import parts
from swapae.apps.page.handlers import KEEP, Handlers
from swapae.apps.page.long_work import Stopped, Told, seconds_left, told
from swapae.apps.page.settings import checked
from swapae.errors import UserError

WAITING = "Getting closer to your photograph ..."


class RefiningHandlers:
    """What refines photographs, with the rest of the page's `handlers`."""

    def __init__(self, handlers: Handlers) -> None:
        self.handlers, self.under_way = handlers, handlers.under_way

    def refined(self, *arguments: Any) -> Iterator[tuple]:
        """Values of the note and the button that cancels, while the structure photograph is refined."""
        visit = self.handlers.visits.of(arguments)
        try:
            fidelity = checked(visit.values)["fidelity"]
            studio = self.handlers.models.studio(visit.model)
            upload = studio.taken_in(parts.read(visit.paths.get("structure"), "Structure"), visit.session)
        except UserError:  # the picture says it
            yield KEEP, KEEP
            return
        wish = studio.refined.wish(upload.sha256, fidelity)
        if wish is None or studio.refined.find(wish):
            yield KEEP, KEEP
            return
        stop = threading.Event()
        if not self.under_way.begin(visit.session, wish, stop):
            yield KEEP, KEEP
            return
        try:
            yield parts.quiet(WAITING), gr.Button(visible=True)
            news = told(lambda progress: studio.refined.make(upload, fidelity, progress, visit.session), stop)
            for one in news:
                yield parts.progress(words_of(one), one.done, one.total), gr.Button(visible=True)
            yield "", gr.Button(visible=False)
        except Stopped:
            yield "", gr.Button(visible=False)
        except UserError as error:
            yield parts.problem(error), gr.Button(visible=False)
            # Not a success, after which the picture would ask for it once more.
            raise gr.Error(parts.sentence(error), print_exception=False) from None
        finally:
            stop.set()
            self.under_way.end(visit.session, stop)

    def cancelled(self, *arguments: Any) -> tuple:
        """Values of all controls, the canvases, the note and the button: the slider is back at 0."""
        visit = self.handlers.visits.of(arguments)
        self.under_way.wants(visit.session, None)
        return *self.handlers.change(visit, {"fidelity": 0.0}, "Cancelled"), "", gr.Button(visible=False)


def words_of(one: Told) -> str:
    """How far it is: the step, of how many, and how long it still takes."""
    words = f"Getting closer to your photograph: step {one.done} of {one.total}"
    return f"{words}, {seconds_left(one.left)} left" if one.left else words
