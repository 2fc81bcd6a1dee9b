"""What the tab Find answers: photographs of the operator's folder, and one of them put into a slot."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from swapae.apps.page import parts
from swapae.apps.page.addresses import jpeg_address
from swapae.apps.page.finder import MOST_FOUND, told
from swapae.apps.page.photographs import FoundPhotograph, PhotographFolder
from swapae.apps.page.slot_handlers import SlotHandlers
from swapae.apps.page.visits import Visit
from swapae.editing.validation import choice
from swapae.errors import UserError
from swapae.pictures.images import load_image
from swapae.search import QUESTIONS

SIDE = 192  # pixels of a photograph that was found
MOST_KEPT = 2000  # of those, some 8 kB each


class FindingHandlers:
    """What finds photographs of a folder, with what answers the slots."""

    def __init__(self, slots: SlotHandlers, photographs: PhotographFolder) -> None:
        self.slots, self.handlers, self.photographs = slots, slots.handlers, photographs
        self._pictures: OrderedDict[tuple[str, float], str] = OrderedDict()

    def looked(self, *arguments: Any) -> dict[str, Any]:
        """How far the folder is known to the visit's model, which is begun if it was not."""
        visit = self.handlers.visits.of(arguments)
        try:
            index = self.photographs.index(self.handlers.models.studio(visit.model))
        except UserError as error:
            return told(parts.sentence(error))
        busy = index.busy
        return told(index.words(), wait=busy, again=not busy)

    def searched(self, *arguments: Any) -> dict[str, Any]:
        """The photographs that are most like one."""
        *rest, by, like, other = arguments
        visit = self.handlers.visits.of(rest)
        try:
            question = choice(*QUESTIONS)("Alike in", by)
            choice("structure", "texture", "other")("Like", like)
            path = other if like == "other" else visit.paths.get(like)
            if not path:
                raise UserError("give a photograph to search by")
            studio = self.handlers.models.studio(visit.model)
            index = self.photographs.index(studio)
            codes = studio.taken_in(parts.read(path), visit.session).encoded.codes
            found = index.search(codes, question, MOST_FOUND)
        except UserError as error:
            return told(parts.sentence(error), [])
        shown = [
            {"key": one.key, "picture": picture, "similarity": max(0, round(100 * one.similarity))}
            for one in found
            if (picture := self.picture(one))
        ]
        return told(index.words(), shown, wait=index.busy)

    def picture(self, found: FoundPhotograph) -> str | None:
        """The address of a small picture of one; None if it is no longer there."""
        try:
            path = self.photographs.path(found.key)
            kept = found.key, Path(path).stat().st_mtime
            address = self._pictures.get(kept)
            if address is None:
                image = load_image(path, background=None, draft_to=2 * SIDE)
                image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
                address = self._pictures[kept] = jpeg_address(image, 80)
                while len(self._pictures) > MOST_KEPT:
                    self._pictures.popitem(last=False)
            return address
        except (UserError, OSError):
            return None

    def used(self, event: gr.EventData, *arguments: Any) -> tuple:
        """Values of all slots, the canvases and `shown`, with a photograph that was found as texture or structure."""
        visit = self.handlers.visits.of(arguments)
        role = "structure" if getattr(event, "role", None) == "structure" else "texture"
        try:
            return self.slots.placed(visit, {role: self.readable(event, visit)}, "Found photograph")
        except UserError as error:
            return self.slots.unchanged(visit, role, parts.sentence(error))

    def readable(self, event: gr.EventData, visit: Visit) -> str:
        """The path of the photograph that was clicked, once it is taken in.

        Raises:
            UserError: it is gone, or cannot be read any more.
        """
        path = self.photographs.path(getattr(event, "key", None))
        self.handlers.models.studio(visit.model).taken_in(parts.read(path), visit.session)
        return path
