"""What happens when something on the page is touched: another picture, another setting, a step back.

Every handler takes the visit's name and all settings, and returns a value for each of its outputs. `KEEP` leaves one as
it is: whatever goes wrong, the picture that was there stays. To leave out a component with files would make Gradio
keep a copy of it for the visitor, and of the copy's files it does not know that they are to be deleted; those that are
left out here have none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr

from swapae.apps.page import parts, tabs
from swapae.apps.page.addresses import canvas_photo, thumbnail
from swapae.apps.page.compare import compared
from swapae.apps.page.cutter import EDGES, box_of, on_cutter
from swapae.apps.page.downloads import downloadable, replayable
from swapae.apps.page.dragger import on_dragger
from swapae.apps.page.edits_on import edits_html, edits_on
from swapae.apps.page.examples import example_at, showcase
from swapae.apps.page.history import History, HistoryStep
from swapae.apps.page.keeper import HERE, LOST, kept_here
from swapae.apps.page.models import Models
from swapae.apps.page.painter import on_canvas, with_region
from swapae.apps.page.photographs import PhotographFolder
from swapae.apps.page.refined import UnderWay
from swapae.apps.page.settings import AXES, DEFAULTS, LAYERS, MAX_DIRECTIONS, ROLES, SETTINGS, checked
from swapae.apps.page.slots import filled
from swapae.apps.page.visits import NAMED, Visit, Visits
from swapae.editing.masks import grid_of
from swapae.errors import UserError
from swapae.pictures.images import to_pil

KEEP = gr.skip()
NOTHING_NEW = (KEEP,) * 9  # of `Handlers.shown`
STARTED_ANEW = "This page was started anew since you came, and what it kept of your visit is gone."


class Handlers:
    """What the page answers.

    Args:
        models: what visitors may choose from.
        visits: all of them.
        photographs: a folder that visitors may find some in.
    """

    def __init__(self, models: Models, visits: Visits, photographs: PhotographFolder | None = None) -> None:
        self.models, self.visits, self.photographs = models, visits, photographs
        self.under_way = UnderWay()

    # ------------------------------------------------------------ the picture

    def shown(self, visit: Visit, control: str, slides: bool = False, pull: int = 0) -> tuple:
        """Values of picture, status, words, downloads, edits, history strip, undo, redo and keeper.

        Args:
            visit: as it is to be.
            control: what was touched, in words.
            slides, pull: of the step that it is in the history.

        Nothing is shown, nor put into the history, once the visitor has asked for a newer change.
        """
        if not self.visits.newest(visit):
            return NOTHING_NEW
        if not {"structure", "texture"} <= visit.paths.keys():
            return self.refused(visit, STARTED_ANEW if visit.lost else "Two photographs are needed: add the other one.")
        try:
            studio, files = self.models.studio(visit.model), visit.files()
            result = studio.edit(files, visit.values, visit.session)
            photograph = studio.taken_in(files["structure"], visit.session)
        except UserError as error:
            return self.refused(visit, error)
        step = HistoryStep(visit.values, control, time.monotonic(), thumbnail(result.image), visit.paths, slides, pull)
        kept = self.visits.stepped(visit, step)
        if kept is None:
            return NOTHING_NEW
        wish = studio.refined.wish(photograph.sha256, visit.values["fidelity"])
        refine = self.under_way.wants(visit.session, wish) and not result.faithful
        full = min(photograph.size) / studio.model.config.image_size
        picture = compared(result), parts.describe(result), parts.words_html(result), downloadable(result, full)
        return *picture, *self.around(kept, refine)

    def refused(self, visit: Visit, error: UserError | str) -> tuple:
        """Values as of `shown` where there is no new picture: the old one stays, with a sentence beneath it."""
        if not self.visits.newest(visit):
            return NOTHING_NEW
        if not visit.lost:
            visit = self.visits.change(visit, lambda one: one._replace(history=one.history.elsewhere()))
        return KEEP, parts.problem(error), KEEP, KEEP, *self.around(visit)

    def around(self, visit: Visit, refine: bool = False) -> tuple:
        """Values of edits, history strip, undo, redo and keeper; `refine`: it is to ask for a refined photograph."""
        try:
            edits = edits_on(checked(visit.values), self.models.studio(visit.model).gain_names)
        except UserError:  # then what is shown is without them
            edits = []
        history = visit.history
        buttons = (gr.Button(interactive=possible) for possible in (history.undoes, history.redoes))
        keeper = kept_here(visit, LOST if visit.lost else HERE, self.photographs)
        if refine:  # with a number of its own, so that the browser notices it each time
            keeper["refine"] = time.monotonic_ns()
        return edits_html(edits), parts.history_html(history), *buttons, keeper

    def asked(self, event: gr.EventData) -> None:
        """Take note of a change before it is its turn."""
        self.visits.asked(getattr(event, "name", ""), getattr(event, "turn", 0))
        self.models.came_back(parts.session())

    def rendered(self, *arguments: Any) -> tuple:
        """Values of `shown` as the controls are now, after what was touched set some of them."""
        visit = self.visits.of(arguments)
        return self.shown(visit, *visit.touched)

    def moved(self, name: str, *arguments: Any) -> tuple:
        """Values of `shown` after a control moved."""
        return self.shown(self.visits.of(arguments), name, slides=True)

    def replayed(self, *arguments: Any) -> tuple:
        """Values as of `shown`, and a note, for a recipe from elsewhere; what is wrong with it is said beside it."""
        *inputs, recipe, images = arguments
        visit = self.visits.of(inputs)
        try:
            text, files = parts.read(recipe, "Recipe"), [parts.read(path) for path in images or []]
            mine = list(visit.files().values())
            result = self.models.studio(visit.model).replay(text, [*files, *mine])
        except UserError as error:
            return KEEP, KEEP, KEEP, KEEP, *self.around(visit), parts.problem(error)
        if not self.visits.newest(visit):
            return *NOTHING_NEW, ""
        visit = self.visits.change(visit, lambda one: one._replace(history=one.history.elsewhere()))
        picture = compared(result), parts.describe(result), parts.words_html(result), replayable(result)
        return *picture, *self.around(visit), parts.quiet("This is the recipe's picture; Undo brings yours back.")

    # ------------------------------------------------------------ all controls at once

    # These set controls, and are answered at once. Only then the browser asks for the picture of what it shows by then
    # (`rendered`): nothing that was moved meanwhile is lost, and no picture is of other settings than those shown.

    def set_to(self, visit: Visit, before: Visit) -> tuple:
        """Values of all controls and the canvases, for a visit with other settings.

        Controls that are as they were `before` are left alone: meanwhile somebody may have moved them.
        """
        pairs = zip(self.settings(visit), self.settings(before), strict=True)
        settings = (KEEP if new == old else new for new, old in pairs)
        return *settings, *self.canvases(visit)

    def change(self, visit: Visit, values: Mapping[str, Any], control: str) -> tuple:
        """Values of `set_to`, for a visit with some other settings; `control`: what was touched, in words."""
        changes: dict[str, Any] = {"touched": (control, False), "turn": visit.turn}
        changed = self.visits.change(visit, lambda one: one.setting(values)._replace(**changes))
        return self.set_to(changed, visit)

    @staticmethod
    def settings(visit: Visit) -> tuple:
        """Values of all controls."""
        gains, axes = padded(visit.values["gains"], MAX_DIRECTIONS), padded(visit.values["axes"], len(AXES))
        return *(visit.values[name] for name in NAMED), *gains, *axes

    def undo(self, *arguments: Any) -> tuple:
        """One step back."""
        visit = self.visits.of(arguments)
        return self.jumped(visit, visit.history.undone())

    def redo(self, *arguments: Any) -> tuple:
        """One step on."""
        visit = self.visits.of(arguments)
        return self.jumped(visit, visit.history.redone())

    def picked_step(self, event: gr.EventData, *arguments: Any) -> tuple:
        """To the step whose thumbnail was clicked."""
        visit = self.visits.of(arguments)
        return self.jumped(visit, visit.history.moved(number_of(event, len(visit.history.steps))))

    def jumped(self, visit: Visit, history: History) -> tuple:
        """Values of the slots and `set_to`, at a step of the history: with its settings and its photographs."""
        step = history.step
        if step is None:
            return *self.slots(visit, visit.paths), *self.set_to(visit, visit)
        at_step: dict[str, Any] = {"paths": dict(step.paths), "history": history, "turn": visit.turn}
        at_step["touched"] = (step.control, False)
        before, visit = visit, self.visits.change(visit, lambda one: one.setting(step.values)._replace(**at_step))
        return *self.slots(visit, before.paths), *self.set_to(visit, before)

    def slots(self, visit: Visit, before: Mapping[str, str]) -> tuple:
        """Values of all slots; of those where nothing changed since `before`, none."""
        changed = {role for role in ROLES if visit.paths.get(role) != before.get(role)}
        return tuple(self.slot(visit, role) if role in changed else KEEP for role in ROLES)

    def slot(self, visit: Visit, role: str, problem: str = "") -> dict[str, Any]:
        """The value of a slot.

        Args:
            visit: with its photograph.
            role: of the slot.
            problem: what is wrong with what was dropped there.
        """
        path = visit.paths.get(role)
        if path is None:
            return filled(None, problem)
        try:
            preview = self.models.studio(visit.model).taken_in(parts.read(path), visit.session).preview
        except UserError as error:
            return filled(None, problem or parts.sentence(error))
        return filled(preview, problem, rough(self.models.comes_with(visit.model), path))

    def reset(self, *arguments: Any) -> tuple:
        """All settings to their defaults."""
        return self.change(self.visits.of(arguments), {**DEFAULTS, "gains": [], "axes": []}, "Reset")

    def took_away(self, event: gr.EventData, *arguments: Any) -> tuple:
        """Without the edit whose cross was clicked."""
        visit, name = self.visits.of(arguments), getattr(event, "name", None)
        try:
            edits = edits_on(visit.values, self.models.studio(visit.model).gain_names)
        except UserError:  # the model cannot be loaded, which the picture says
            edits = []
        found = next((one for one in edits if one.name == name), None)
        if found is None:
            return self.set_to(visit, visit)
        return self.change(visit, found.without, f"Without: {found.words}")

    def tried(self, tab: str) -> Callable[..., tuple]:
        """The handler of a tab's presets."""

        # A function of its own, since Gradio does not see the annotation of a partial one's event.
        def handle(event: gr.EventData, *arguments: Any) -> tuple:
            visit = self.visits.of(arguments)
            number = number_of(event, len(tabs.TAB_PRESETS[tab]))
            try:
                values = tabs.preset(tab, number, self.grid(visit))
            except UserError:
                values = {}
            return self.change(visit, values, tabs.TAB_PRESETS[tab][number][0])

        return handle

    # ------------------------------------------------------------ what is drawn

    def canvases(self, visit: Visit) -> tuple:
        """Values of painter, cutter and dragger: the structure photograph, and what was drawn on it."""
        try:
            studio = self.models.studio(visit.model)
            photograph = studio.taken_in(parts.read(visit.paths.get("structure")), visit.session)
        except UserError:
            return KEEP, KEEP, KEEP
        grid = grid_of(photograph.encoded.codes.structure)
        image = to_pil(photograph.encoded.image, photograph.encoded.size, photograph.encoded.opacity)
        shown = canvas_photo(image, grid, studio.model.config.stride)
        values = visit.values
        return on_canvas(shown, grid, values["paint"]), on_cutter(shown, values), on_dragger(shown, grid, values)

    def grid(self, visit: Visit) -> tuple[int, int]:
        """(rows, columns) of the structure photograph.

        Raises:
            UserError: there is none.
        """
        data = parts.read(visit.paths.get("structure"), "Structure")
        studio = self.models.studio(visit.model)
        return grid_of(studio.taken_in(data, visit.session).encoded.codes.structure)

    def painted(self, event: gr.EventData, *arguments: Any) -> tuple:
        """Values of the painter, its note and `shown`, after a stroke or a click on a place."""
        visit, note = self.visits.of(arguments), ""
        paint, did = getattr(event, "paint", None), str(getattr(event, "did", "Select similar"))[:20]
        try:
            if paint is None:
                paint = self.selected(event, visit)
            paint = {name: one.to_dict() for name, one in SETTINGS["paint"].check("Painted regions", paint).items()}
        except UserError as error:
            paint, note = visit.values["paint"], parts.problem(error)
        visit = self.visits.change(visit, lambda one: one.drawing({"paint": paint}, visit.turn))
        shown = self.shown(visit, did)
        # After a newer stroke the canvas shows that one already.
        painter = self.canvases(visit)[0] if self.visits.newest(visit) else KEEP
        return painter, note, *shown

    def cut(self, event: gr.EventData, *arguments: Any) -> tuple:
        """Values of the box's sliders and of a note, after another box was drawn."""
        visit, note = self.visits.of(arguments), ""
        try:
            box = box_of(event)
            visit = self.visits.change(visit, lambda one: one.setting(box)._replace(touched=("The box", True)))
        except UserError as error:
            note = parts.problem(error)
        return *(visit.values[edge] for edge in EDGES), note

    def selected(self, event: gr.EventData, visit: Visit) -> dict[str, Any]:
        """What was painted, with all that is like the place clicked on.

        Raises:
            UserError: no such place or layer, or no photograph.
        """
        across, along, likeness, layer = (
            getattr(event, name, None) for name in ("across", "along", "likeness", "layer")
        )
        studio, data = self.models.studio(visit.model), parts.read(visit.paths.get("structure"), "Structure")
        if layer not in LAYERS:
            raise UserError("there is no such brush")
        mask = studio.similar(data, across, along, likeness, visit.session)
        return with_region(visit.values["paint"], layer, mask, (mask.height, mask.width))


def rough(name: str | None, path: str) -> str:
    """What to say beside a photograph that is not an example of the embedded model of this name."""
    example = example_at(path)
    if name is None or (example and example.model == name):
        return ""
    return f"This model knows {showcase(name).knows}; others come out rough."


def padded(values: Sequence[float], length: int) -> list[float]:
    """Values for `length` sliders, 0 for those that have none."""
    return [*values, *[0] * length][:length]


def number_of(event: gr.EventData, count: int) -> int:
    """The number of the button that was clicked, which comes from the browser and so may be anything."""
    number = getattr(event, "number", None)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < count:
        raise gr.Error("There is no such button.", print_exception=False)
    return number
