"""What the dragger answers: points that are pulled, and what is not to move with them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from swapae.apps.page.dragger import points_of
from swapae.apps.page.handlers import Handlers
from swapae.apps.page.visits import turn_of
from swapae.errors import UserError


class DraggingHandlers:
    """What pulls points, with the rest of the page's `handlers`."""

    def __init__(self, handlers: Handlers) -> None:
        self.handlers, self.visits = handlers, handlers.visits

    def dragged(self, event: gr.EventData, *arguments: Any) -> tuple:
        """Values of the dragger and `shown`, after a point was put somewhere else, or was taken away.

        The dragger is told which of its requests this answers, and keeps its points: they may be elsewhere by now.
        """
        visit, answer = self.visits.of(arguments), {"answer": turn_of(getattr(event, "number", 0))}
        try:
            drawn = points_of(event)
        except UserError as error:
            return answer, *self.handlers.refused(visit, error)
        visit = self.visits.change(visit, lambda one: one.drawing(drawn, visit.turn))
        did, press = str(getattr(event, "did", ""))[:20], turn_of(getattr(event, "press", 0))
        return answer, *self.handlers.shown(visit, did, slides=not press, pull=press)
