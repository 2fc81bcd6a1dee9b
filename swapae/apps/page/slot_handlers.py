"""What the slots answer: a photograph dropped there, taken away, or picked among the examples."""

from __future__ import annotations

from typing import Any

import gradio as gr

from swapae.apps.page import parts
from swapae.apps.page.edits_on import without_photograph
from swapae.apps.page.examples import paths_of, showcase
from swapae.apps.page.handlers import KEEP, Handlers, number_of
from swapae.apps.page.settings import ROLES
from swapae.apps.page.slots import ORDINALS, uploaded
from swapae.apps.page.visits import Visit
from swapae.errors import UserError


class SlotHandlers:
    """What the slots answer, with the rest of the page's `handlers`."""

    def __init__(self, handlers: Handlers) -> None:
        self.handlers = handlers

    def chose(self, role: str, path: object, visit: Visit) -> tuple:
        """Values of all slots, the canvases and `shown` after an upload; a bad one changes nothing."""
        try:
            path = uploaded(path)
            self.handlers.models.studio(visit.model).taken_in(parts.read(path), visit.session)
        except UserError as error:
            kept = " The photograph from before is kept." if role in visit.paths else ""
            return self.unchanged(visit, role, parts.sentence(error) + kept)
        return self.placed(visit, {role: path}, f"The {ORDINALS[role]} photograph")

    def placed(self, visit: Visit, photographs: dict[str, str], control: str) -> tuple:
        """Values of all slots, the canvases and `shown`, with other photographs by role; the controls stay."""
        before = visit
        visit = self.handlers.visits.change(visit, lambda one: one._replace(paths=one.paths | photographs))
        slots = self.handlers.slots(visit, before.paths)
        # Also where the photograph is the same: what was said beside it is over.
        pairs = zip(ROLES, slots, strict=True)
        told = (self.handlers.slot(visit, role) if role in photographs else slot for role, slot in pairs)
        return *told, *self.handlers.canvases(visit), *self.handlers.shown(visit, control)

    def unchanged(self, visit: Visit, role: str, problem: str) -> tuple:
        """Values as of `chose` where nothing changes but that a slot says why."""
        slots = (self.handlers.slot(visit, role, problem) if one == role else KEEP for one in ROLES)
        canvases = KEEP, KEEP, KEEP
        return *slots, *canvases, KEEP, KEEP, KEEP, KEEP, *self.handlers.around(visit)

    def missing(self, role: str, visit: Visit) -> tuple:
        """Values as of `chose` after a photograph that is needed was taken away: the picture stays."""

        def without(one: Visit) -> Visit:
            return one._replace(paths=without_role(one.paths, role), history=one.history.elsewhere())

        visit = self.handlers.visits.change(visit, without)
        return self.unchanged(visit, role, "Add a photograph here, or pick an example; Undo brings this one back.")

    def removed(self, role: str, visit: Visit) -> tuple:
        """Values of all slots and of `set_to` after a further photograph was taken away: nothing uses it any longer."""
        values, touched = without_photograph(visit.values, role), f"Without photograph {ROLES.index(role) + 1}"

        def without(one: Visit) -> Visit:
            return one.setting(values)._replace(paths=without_role(one.paths, role), touched=(touched, False))

        before, visit = visit, self.handlers.visits.change(visit, without)
        return *self.handlers.slots(visit, before.paths), *self.handlers.set_to(visit, before)

    def uploading(self, role: str) -> Any:
        """The handler of an upload to a slot."""

        # Functions of their own, since Gradio does not see the annotation of a partial one's event.
        def handle(event: gr.EventData, *arguments: Any) -> tuple:
            return self.chose(role, getattr(event, "path", None), self.handlers.visits.of(arguments))

        return handle

    def removing(self, role: str) -> Any:
        """The handler of a slot's cross."""
        remove = self.missing if role in ROLES[:2] else self.removed
        return lambda *arguments: remove(role, self.handlers.visits.of(arguments))

    def picked_pair(self, event: gr.EventData, *arguments: Any) -> tuple:
        """Values as of `chose` after an example was clicked."""
        visit = self.handlers.visits.of(arguments)
        pairs = showcase(self.handlers.models.comes_with(visit.model)).pairs
        structure, texture = paths_of(pairs[number_of(event, len(pairs))])
        return self.placed(visit, {"structure": structure, "texture": texture}, "Example")


def without_role(paths: dict[str, str], role: str) -> dict[str, str]:
    """Photographs without one of them."""
    return {other: path for other, path in paths.items() if other != role}
