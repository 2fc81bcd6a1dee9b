"""The slots of the photographs: what is dropped there, taken away, or picked among the examples."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import gradio as gr
from PIL import Image

from swapae.apps.page import parts
from swapae.apps.page.examples import PAIRS, Example
from swapae.apps.page.handlers import Handlers, number_of
from swapae.apps.page.style import on
from swapae.apps.page.visits import Visit, visit_of
from swapae.errors import UserError


class SlotHandlers:
    """What the slots answer, with the rest of the page's `handlers`; `gallery`: the example photographs."""

    def __init__(self, handlers: Handlers, gallery: Sequence[Example]) -> None:
        self.handlers, self.gallery = handlers, gallery

    def chose(self, role: str, uploaded: str | None, *arguments: Any) -> tuple:
        """Values of a slot, the canvases and `shown` after an upload to it; a bad one leaves things as they were."""
        visit = visit_of(arguments)
        try:
            # What is shown is a PNG of what was understood: upright, one frame, in a format that browsers know.
            preview, note = self.preview(visit, str(uploaded or "")), ""
            visit = visit._replace(paths=visit.paths | {role: str(uploaded)})
        except UserError as error:
            preview, note = None, parts.sentence(error)
            if kept := visit.paths.get(role):
                with contextlib.suppress(UserError):
                    preview = self.preview(visit, kept)
                    note += " The photograph from before is kept."
            note = parts.problem(note)
        shown = self.handlers.shown(visit, f"{role} photograph")
        return preview, visit.paths.get(role), note, *self.handlers.canvases(visit), *shown

    def preview(self, visit: Visit, path: str) -> Image.Image:
        """What is seen of an upload.

        Raises:
            UserError: no picture that can be read.
        """
        return self.handlers.models.studio(visit.model).uploads.get(parts.read(path), visit.session).preview

    def removed(self, role: str, *arguments: Any) -> tuple:
        """Values of a slot's path and note, the canvases and `shown`, after its photograph was taken away."""
        visit = visit_of(arguments)
        visit.paths.pop(role, None)
        if role in ("structure", "texture"):
            note = parts.problem(f"Upload a {role} photograph, or pick an example.")
            shown = (None, "", "", gr.HTML(parts.DOWNLOADS, recipe=""), parts.history_html(visit.history))
            return None, note, *self.handlers.canvases(visit), *shown, visit.history
        return None, "", *self.handlers.canvases(visit), *self.handlers.shown(visit, f"{role} photograph")

    def picked_pair(self, event: gr.EventData, *arguments: Any) -> tuple:
        """Values of the first two slots, the canvases and `shown` after an example was clicked."""
        visit, pair = visit_of(arguments), PAIRS[number_of(event, len(PAIRS))]
        structure, texture = (str(self.gallery[index].path) for index in pair)
        visit = visit._replace(paths=visit.paths | {"structure": structure, "texture": texture})
        slots = (structure, structure, "", texture, texture, "")
        return *slots, *self.handlers.canvases(visit), *self.handlers.shown(visit, "example")


def slot_of(role: str, file: str | None) -> tuple[parts.Photograph, gr.State, gr.HTML]:
    """A slot; those after the second are there on the tabs that take them, of the empty ones only the first."""
    if role in ("structure", "texture"):
        return parts.slot(role, file, ["slot"])
    with gr.Column(elem_classes=[*on("mix", "regions", "structure", "motion"), "further"]):
        return parts.slot(role, file, ["slot"])
