"""What happens when something on the page is touched: another picture, another setting, a step back.

Every handler takes the whole visit (the photographs' paths, all settings, what was painted, the history) and returns
a value for each of its outputs. To leave one out makes Gradio keep a copy of that component for the visitor, and of
the copy's files it does not know that they are to be deleted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from PIL import Image

from swapae.apps.page import parts, tabs, zerogpu
from swapae.apps.page.addresses import canvas_photo, thumbnail
from swapae.apps.page.cutter import EDGES, box_of, on_cutter
from swapae.apps.page.history import History, HistoryStep
from swapae.apps.page.models import Models
from swapae.apps.page.painter import on_canvas, with_region
from swapae.apps.page.settings import AXES, DEFAULTS, LAYERS, SETTINGS
from swapae.apps.page.studio import Result, Studio
from swapae.apps.page.visits import NAMED, Visit, visit_of
from swapae.editing.masks import grid_of
from swapae.errors import UserError
from swapae.pictures.images import to_pil

# How far to either side the pictures of an axis show it.
GLIMPSE = 2.0


class Handlers:
    """What the page answers; `models` are what visitors may choose from."""

    def __init__(self, models: Models) -> None:
        self.models = models

    def shown(self, visit: Visit, control: str) -> tuple:
        """Values of result, status, words, downloads, history strip and history."""
        if not {"structure", "texture"} <= visit.paths.keys():
            return self.nothing(visit, "Two photographs are needed: upload both, or pick an example.")
        try:
            result = self.models.studio(visit.model).edit(visit.files(), visit.values, visit.session)
        except UserError as error:
            return self.nothing(visit, error)
        values = dict(visit.values)
        history = visit.history.added(HistoryStep(values, control, time.monotonic(), thumbnail(result.image)))
        return (*self.pictured(result), parts.history_html(history), history)

    @staticmethod
    def pictured(result: Result) -> tuple:
        """Values of result, status, words and downloads."""
        recipe = gr.HTML(parts.DOWNLOADS, recipe=result.recipe.to_json())
        return (result.before, result.image), parts.describe(result), parts.words_html(result), recipe

    @staticmethod
    def nothing(visit: Visit, error: UserError | str) -> tuple:
        """As `shown`, where there is no picture."""
        downloads = gr.HTML(parts.DOWNLOADS, recipe="")
        return None, parts.problem(error), "", downloads, parts.history_html(visit.history), visit.history

    def moved(self, name: str, *arguments: Any) -> tuple:
        """Values of `shown` after a control moved."""
        return self.shown(visit_of(arguments), name)

    def canvases(self, visit: Visit) -> tuple:
        """Values of painter and cutter: the structure photograph, and what was drawn on it."""
        try:
            studio = self.models.studio(visit.model)
            photograph = studio.uploads.get(parts.read(visit.paths.get("structure")), visit.session)
        except UserError:
            return None, None
        grid = grid_of(photograph.encoded.codes.structure)
        image = to_pil(photograph.encoded.image, photograph.encoded.size, photograph.encoded.opacity)
        shown = canvas_photo(image, grid, studio.model.config.stride)
        return on_canvas(shown, grid, visit.values["paint"]), on_cutter(shown, visit.values)

    def thumbnails(self, tab: str, visit: Visit) -> list[str]:
        """Values of all tabs' presets: what those of one tab make of the photograph, in small."""
        pictures: list[Image.Image | None] = []
        if tab in tabs.TAB_PRESETS:
            try:
                studio, files, grid = self.models.studio(visit.model), visit.files(), self.grid(visit)
                for number in range(len(tabs.TAB_PRESETS[tab])):
                    values = visit.values | tabs.preset(tab, number, grid)
                    pictures.append(studio.glimpse(files, values, visit.session))
            except UserError:
                pictures = []
        return [parts.presets_html(tabs.words_of(name), pictures if name == tab else ()) for name in tabs.TAB_PRESETS]

    def opened(self, tab: str) -> Callable[..., tuple]:
        """The handler of a tab that was opened: which it is, and its presets' thumbnails."""
        return lambda *arguments: (tab, *self.thumbnails(tab, visit_of(arguments)))

    def refreshed(self, tab: str, *arguments: Any) -> list[str]:
        """Values of all tabs' presets after another photograph."""
        return self.thumbnails(tab, visit_of(arguments))

    def explored(self, *arguments: Any) -> list[str]:
        """Values of the strips: what each axis does to the photograph."""
        visit = visit_of(arguments)
        try:
            studio, files = self.models.studio(visit.model), visit.files()
        except UserError:
            return [""] * len(AXES)
        there = studio.direction_names
        plain = studio.glimpse(files, visit.values | {"axes": []}, visit.session)

        def strip(name: str) -> str:
            gains = ([gain * (name == axis) for axis in AXES] for gain in (-GLIMPSE, GLIMPSE))
            less, more = (studio.glimpse(files, visit.values | {"axes": axes}, visit.session) for axes in gains)
            return parts.strip_html((less, plain, more), GLIMPSE)

        return [strip(name) if name in there else "" for name in AXES]

    def grid(self, visit: Visit) -> tuple[int, int]:
        """(rows, columns) of the structure photograph.

        Raises:
            UserError: there is none, or none that can be read.
        """
        studio, data = self.models.studio(visit.model), parts.read(visit.paths.get("structure"))
        return grid_of(studio.uploads.get(data, visit.session).encoded.codes.structure)

    def set_to(self, values: dict[str, Any], control: str, visit: Visit) -> tuple:
        """Values of all controls, the canvases and `shown`, with other settings."""
        visit = visit._replace(values=visit.values | values)
        gains = padded(visit.values["gains"], tabs.MAX_DIRECTIONS)
        axes = padded(visit.values["axes"], len(AXES))
        controls = [visit.values[name] for name in NAMED]
        return (*controls, *gains, *axes, visit.values["paint"], *self.canvases(visit), *self.shown(visit, control))

    def stepped(self, by: int, *arguments: Any) -> tuple:
        """Undo or redo."""
        visit = visit_of(arguments)
        return self.jumped(visit.history.position + by, visit)

    def jumped(self, position: int, visit: Visit) -> tuple:
        """To a step of the history."""
        history = visit.history.moved(position)
        return self.set_to(history.values or {}, "step", visit._replace(history=history))

    def picked_step(self, event: gr.EventData, *arguments: Any) -> tuple:
        """To the step whose thumbnail was clicked."""
        visit = visit_of(arguments)
        return self.jumped(number_of(event, len(visit.history.steps)), visit)

    def reset(self, *arguments: Any) -> tuple:
        """All settings to their defaults."""
        return self.set_to(dict(DEFAULTS), "reset", visit_of(arguments))

    def tried(self, tab: str) -> Callable[..., tuple]:
        """The handler of a tab's presets."""

        # A function of its own, since Gradio does not see the annotation of a partial one's event.
        def handle(event: gr.EventData, *arguments: Any) -> tuple:
            visit = visit_of(arguments)
            number = number_of(event, len(tabs.TAB_PRESETS[tab]))
            try:
                values = tabs.preset(tab, number, self.grid(visit))
            except UserError:
                values = {}
            return self.set_to(values, tabs.TAB_PRESETS[tab][number][0], visit)

        return handle

    def painted(self, event: gr.EventData, *arguments: Any) -> tuple:
        """Values of what was painted, the painter, its note and `shown`, after a stroke or a click on a place."""
        visit, note = visit_of(arguments), ""
        paint = getattr(event, "paint", None)
        try:
            if paint is None:
                paint = self.selected(event, visit)
            paint = {name: one.to_dict() for name, one in SETTINGS["paint"].check("Painted regions", paint).items()}
        except UserError as error:
            paint, note = visit.values["paint"], parts.problem(error)
        visit = visit._replace(values=visit.values | {"paint": paint})
        painter, _ = self.canvases(visit)
        return paint, painter, note, *self.shown(visit, "painting")

    def cut(self, event: gr.EventData, *arguments: Any) -> tuple:
        """Values of the box's sliders, a note and `shown`, after another box was drawn."""
        visit, note = visit_of(arguments), ""
        try:
            visit = visit._replace(values=visit.values | box_of(event))
        except UserError as error:
            note = parts.problem(error)
        return *(visit.values[edge] for edge in EDGES), note, *self.shown(visit, "box")

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

    def replayed(self, recipe: str | None, images: list[str] | None, *arguments: Any) -> tuple:
        """Values of result, status, words and downloads for a recipe from elsewhere."""
        visit = visit_of(arguments)
        try:
            text, files = parts.read(recipe, "Recipe"), [parts.read(path) for path in images or []]
            mine = list(visit.files().values())
            return self.pictured(self.models.studio(visit.model).replay(text, [*files, *mine]))
        except UserError as error:
            return None, parts.problem(error), "", gr.HTML(parts.DOWNLOADS, recipe="")

    def chose_model(self, *arguments: Any) -> tuple:
        """Values of what depends on the model, the canvases and `shown` after another one was chosen."""
        visit = visit_of(arguments)
        try:
            studio, card = self.models.studio(visit.model), self.models.card(visit.model)
        except UserError as error:
            studio, card = self.models.first, parts.sentence(error)
        visit = visit._replace(values=visit.values | {"gains": [], "axes": [], "paint": {}}, history=History())
        gains = [gr.Slider(value=0, **options) for options in tabs.gain_sliders(studio)]
        explore = gr.Accordion(visible=studio.directions is not None)
        axes = [gr.Slider(value=0, **options) for options in tabs.axis_sliders(studio)]
        names = studio.direction_names
        direction = gr.Dropdown(names, value=names[0] if names else "")
        about = (describe_model(studio), card, tabs.about_directions(studio), explore, direction)
        return *about, *gains, *axes, *[""] * len(AXES), {}, *self.canvases(visit), *self.shown(visit, "model")

    def left(self, request: gr.Request) -> None:
        """A visitor closed the page."""
        self.models.leave(request.session_hash or "")


def padded(values: Sequence[float], length: int) -> list[float]:
    """Values for `length` sliders, 0 for those that have none."""
    return [*values, *[0] * length][:length]


def number_of(event: gr.EventData, count: int) -> int:
    """The number of the button that was clicked, which comes from the browser and so may be anything."""
    number = getattr(event, "number", None)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < count:
        raise gr.Error("There is no such button.", print_exception=False)
    return number


def describe_model(studio: Studio) -> str:
    """Size and place of a model as HTML."""
    weight = studio.model.encoder.to_texture.weight
    config = studio.model.config
    device = "a GPU that is lent for each picture (ZeroGPU)" if zerogpu.ACTIVE else weight.device.type
    text = f"{studio.model.parameter_count / 1e6:.1f} million parameters, {config.image_size} pixels, on {device}."
    return parts.quiet(text)
