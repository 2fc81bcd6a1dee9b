"""What the slots answer: a photograph dropped there, taken away, or picked among the examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from swapae.apps.page import parts
from swapae.apps.page.edits_on import without_photograph
from swapae.apps.page.examples import PAIRS, Example
from swapae.apps.page.handlers import KEEP, Handlers, number_of
from swapae.apps.page.settings import ROLES
from swapae.apps.page.slots import ORDINALS, uploaded
from swapae.apps.page.visits import Visit
from swapae.errors import UserError


class SlotHandlers:
    """What the slots answer, with the rest of the page's `handlers`; `gallery`: the example photographs."""

    def __init__(self, handlers: Handlers, gallery: Sequence[Example]) -> None:
        self.handlers, self.gallery = handlers, gallery

    def chose(self, role: str, path: object, visit: Visit) -> tuple:
        """Values of all slots, all controls, the canvases and `shown` after an upload; a bad one changes nothing."""
        try:
            path = uploaded(path)
            self.handlers.models.studio(visit.model).taken_in(parts.read(path), visit.session)
        except UserError as error:
            kept = " The photograph from before is kept." if role in visit.paths else ""
            return self.unchanged(visit, role, parts.sentence(error) + kept)
        before, visit = visit, visit._replace(paths=visit.paths | {role: path})
        shown = self.handlers.set_to(visit, f"The {ORDINALS[role]} photograph", before)
        return *self.handlers.slots(visit, before.paths), *shown

    def unchanged(self, visit: Visit, role: str, problem: str) -> tuple:
        """Values as of `chose` where nothing changes but that a slot says why."""
        slots = (self.handlers.slot(visit, role, problem) if one == role else KEEP for one in ROLES)
        settings = [KEEP] * len(self.handlers.settings(visit))
        return *slots, *settings, KEEP, KEEP, KEEP, KEEP, KEEP, KEEP, *self.handlers.around(visit)

    def removed(self, role: str, visit: Visit) -> tuple:
        """Values as of `chose` after a photograph was taken away: what used it does so no longer, the picture stays."""
        paths = {other: path for other, path in visit.paths.items() if other != role}
        if role in ROLES[:2]:
            visit = visit._replace(paths=paths, history=visit.history.elsewhere())
            self.handlers.visits.keep(visit)
            return self.unchanged(visit, role, "Add a photograph here, or pick an example; Undo brings this one back.")
        before, visit = visit, visit.setting(without_photograph(visit.values, role))._replace(paths=paths)
        shown = self.handlers.set_to(visit, f"Without photograph {ROLES.index(role) + 1}", before)
        return *self.handlers.slots(visit, before.paths), *shown

    def uploading(self, role: str) -> Any:
        """The handler of an upload to a slot."""

        # Functions of their own, since Gradio does not see the annotation of a partial one's event.
        def handle(event: gr.EventData, *arguments: Any) -> tuple:
            return self.chose(role, getattr(event, "path", None), self.handlers.visits.of(arguments))

        return handle

    def removing(self, role: str) -> Any:
        """The handler of a slot's cross."""
        return lambda *arguments: self.removed(role, self.handlers.visits.of(arguments))

    def picked_pair(self, event: gr.EventData, *arguments: Any) -> tuple:
        """Values as of `chose` after an example was clicked."""
        visit, pair = self.handlers.visits.of(arguments), PAIRS[number_of(event, len(PAIRS))]
        structure, texture = (str(self.gallery[index].path) for index in pair)
        before = visit
        visit = visit._replace(paths=visit.paths | {"structure": structure, "texture": texture})
        slots = self.handlers.slots(visit, before.paths)
        # Also where the photograph is the same: what was said beside it is over.
        slots = (*(self.handlers.slot(visit, role) for role in ROLES[:2]), *slots[2:])
        return *slots, *self.handlers.set_to(visit, "Example", before)
