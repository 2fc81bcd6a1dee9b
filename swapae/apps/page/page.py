"""The page: three columns under a row of tabs, and what happens when something on it is touched.

Every handler takes the whole visit (the photographs' paths, all settings, what was painted, the history) and returns
a value for each of its outputs. To leave one out makes Gradio keep a copy of that component for the visitor, and of
the copy's files it does not know that they are to be deleted.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import gradio as gr
from PIL import Image

from swapae.apps.page import parts, tabs, zerogpu
from swapae.apps.page.addresses import canvas_photo, thumbnail
from swapae.apps.page.cutter import EDGES, box_of, on_cutter
from swapae.apps.page.endpoints import add_endpoints
from swapae.apps.page.examples import PAIRS, examples
from swapae.apps.page.films import Films
from swapae.apps.page.history import History, Step
from swapae.apps.page.models import EMBEDDED, Models
from swapae.apps.page.painter import grown, on_canvas
from swapae.apps.page.restyling import restyle_video
from swapae.apps.page.settings import AXES, DEFAULTS, LAYERS, ROLES, SETTINGS
from swapae.apps.page.studio import Result, Studio
from swapae.apps.page.style import TABS, on
from swapae.apps.page.visits import NAMED, Visit, visit_of
from swapae.errors import UserError
from swapae.pictures.images import to_pil

# A visitor's files are deleted two hours after they came; looked for every quarter of an hour.
DELETE_CACHE = (900, 7200)
MAX_WAITING = 32
# The page opens with the first pair, and two more photographs for the tabs that take them.
MORE = (3, 0)
# How far to either side the pictures of an axis show it.
GLIMPSE = 2.0
SHOWN_TAB = "() => { document.getElementById('page').dataset.tab = '%s'; }"
# Undo and redo by the keys that everybody knows, but where text is typed.
SHORTCUTS = """
() => document.addEventListener('keydown', (event) => {
  const typing = event.target.matches('textarea, input[type=text], input[type=number]');
  if (typing || !(event.ctrlKey || event.metaKey)) return;
  const key = event.key.toLowerCase();
  const name = key === 'y' || (key === 'z' && event.shiftKey) ? 'redo' : key === 'z' ? 'undo' : '';
  if (!name) return;
  event.preventDefault();
  document.getElementById(name).click();
})
"""


class Page:
    """The components of the page, and its handlers.

    Args:
        models: what visitors may choose from.
    """

    def __init__(self, models: Models) -> None:
        self.models, self.films = models, Films()
        self.tabs: dict[str, gr.Tab] = {}
        self.gallery = examples()
        chosen = [*PAIRS[0], *MORE]
        self.opening = dict(zip(ROLES, (str(self.gallery[index].path) for index in chosen), strict=False))

    # Handlers

    def shown(self, visit: Visit, control: str) -> tuple:
        """Values of result, status, words, downloads, history strip and history."""
        if not {"structure", "texture"} <= visit.paths.keys():
            return self.nothing(visit, "Two photographs are needed: upload both, or pick an example.")
        try:
            result = self.models.studio(visit.model).edit(visit.files(), visit.values, visit.session)
        except UserError as error:
            return self.nothing(visit, error)
        values = dict(visit.values)
        history = visit.history.added(Step(values, control, time.monotonic(), thumbnail(result.image)))
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
            photograph = studio.photograph(parts.read(visit.paths.get("structure")), visit.session)
        except UserError:
            return None, None
        grid = tuple(photograph.input.codes.structure.shape[2:])
        image = to_pil(photograph.input.image, photograph.input.size)
        shown = canvas_photo(image, grid, studio.model.config.stride)
        return on_canvas(shown, grid, visit.values["paint"]), on_cutter(shown, visit.values)

    def thumbnails(self, tab: str, visit: Visit) -> list[str]:
        """Values of all tabs' presets: what those of one tab make of the photograph, in small."""
        pictures: list[Image.Image | None] = []
        if tab in tabs.PRESETS:
            try:
                studio, files, grid = self.models.studio(visit.model), visit.files(), self.grid(visit)
                for number in range(len(tabs.PRESETS[tab])):
                    values = visit.values | tabs.preset(tab, number, grid)
                    pictures.append(studio.glimpse(files, values, visit.session))
            except UserError:
                pictures = []
        return [parts.presets_html(tabs.words_of(name), pictures if name == tab else ()) for name in tabs.PRESETS]

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
        rows, columns = studio.photograph(data, visit.session).input.codes.structure.shape[2:]
        return rows, columns

    def set_to(self, values: dict[str, Any], control: str, visit: Visit) -> tuple:
        """Values of all controls, the canvases and `shown`, with other settings."""
        visit = visit._replace(values=visit.values | values)
        gains = spread(visit.values["gains"], tabs.MAX_DIRECTIONS)
        axes = spread(visit.values["axes"], len(AXES))
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
            number = number_of(event, len(tabs.PRESETS[tab]))
            try:
                values = tabs.preset(tab, number, self.grid(visit))
            except UserError:
                values = {}
            return self.set_to(values, tabs.PRESETS[tab][number][0], visit)

        return handle

    def painted(self, event: gr.EventData, *arguments: Any) -> tuple:
        """Values of what was painted, the painter, its note and `shown`, after a stroke or a click on a place."""
        visit, note = visit_of(arguments), ""
        paint = getattr(event, "paint", None)
        try:
            if paint is None:
                paint = self.selected(event, visit)
            paint = {name: one.to_plain() for name, one in SETTINGS["paint"].check("Painted regions", paint).items()}
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
        asked = [getattr(event, name, None) for name in ("across", "along", "likeness", "layer")]
        studio, data = self.models.studio(visit.model), parts.read(visit.paths.get("structure"), "Structure")
        if asked[3] not in LAYERS:
            raise UserError("there is no such brush")
        mask = studio.similar(data, *asked[:3], visit.session)
        return grown(visit.values["paint"], asked[3], mask, (mask.height, mask.width))

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
        return preview, visit.paths.get(role), note, *self.canvases(visit), *self.shown(visit, f"{role} photograph")

    def preview(self, visit: Visit, path: str) -> Image.Image:
        """What is seen of an upload.

        Raises:
            UserError: no picture that can be read.
        """
        return self.models.studio(visit.model).photograph(parts.read(path), visit.session).preview

    def removed(self, role: str, *arguments: Any) -> tuple:
        """Values of a slot's path and note, the canvases and `shown`, after its photograph was taken away."""
        visit = visit_of(arguments)
        visit.paths.pop(role, None)
        if role in ("structure", "texture"):
            note = parts.problem(f"Upload a {role} photograph, or pick an example.")
            shown = (None, "", "", gr.HTML(parts.DOWNLOADS, recipe=""), parts.history_html(visit.history))
            return None, note, *self.canvases(visit), *shown, visit.history
        return None, "", *self.canvases(visit), *self.shown(visit, f"{role} photograph")

    def picked_pair(self, event: gr.EventData, *arguments: Any) -> tuple:
        """Values of the first two slots, the canvases and `shown` after an example was clicked."""
        visit, pair = visit_of(arguments), PAIRS[number_of(event, len(PAIRS))]
        structure, texture = (str(self.gallery[index].path) for index in pair)
        visit = visit._replace(paths=visit.paths | {"structure": structure, "texture": texture})
        slots = (structure, structure, "", texture, texture, "")
        return *slots, *self.canvases(visit), *self.shown(visit, "example")

    def filmed(self, progress: gr.Progress = gr.Progress(), *arguments: Any) -> tuple:  # noqa: B008
        """Values of the film's picture, its video, its file and its note."""
        *rest, kind, direction, reach, frames, rate, back, suffix = arguments
        visit = visit_of(rest)

        def watched(pictures: Iterator[Image.Image], total: int) -> Iterator[Image.Image]:
            return progress.tqdm(pictures, total=total, desc="Frames", unit="frame")

        wishes = {"kind": kind, "direction": direction, "reach": reach, "frames": frames, "rate": rate, "back": back}
        path = self.films.new(suffix)
        try:
            studio = self.models.studio(visit.model)
            studio.film(visit.files(), visit.values, path, **wishes, progress=watched)
        except UserError as error:
            return None, None, None, parts.problem(error)
        return (None, str(path), str(path), "") if suffix == "mp4" else (str(path), None, str(path), "")

    def restyled(self, progress: gr.Progress = gr.Progress(), *arguments: Any) -> tuple:  # noqa: B008
        """Values as of `filmed`, for a video's frames in the texture photograph's texture."""
        *rest, video = arguments
        visit = visit_of(rest)

        def watched(frames: Iterator[Any], total: int) -> Iterator[Any]:
            return progress.tqdm(frames, total=total or None, desc="Frames", unit="frame")

        try:
            if not video:
                raise UserError("Video: give a file")
            texture, path = parts.read(visit.paths.get("texture"), "Texture"), self.films.new("mp4")
            studio, amount = self.models.studio(visit.model), visit.values["amount"]
            done = restyle_video(studio, video, texture, path, amount, watched)
        except UserError as error:
            return None, None, None, parts.problem(error)
        told = "nothing in it stands still" if done.flicker is None else f"flicker {done.flicker:.2f} of 255 levels"
        return None, str(path), str(path), parts.quiet(f"{done.frames} frames; {told}")

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

    # Components

    def build(self) -> gr.Blocks:
        """The page; launch it with `launch.LAUNCH`."""
        studio = self.models.first
        opening = Visit(self.opening, ([], []), "", {**DEFAULTS, "gains": [], "axes": []}, History())
        result, status, words, downloads, strip, history = self.shown(opening, "opening")
        with gr.Blocks(title="swapae", analytics_enabled=False, delete_cache=DELETE_CACHE) as demo:
            gr.HTML(parts.HEADER, js_on_load=parts.SWITCH_THEME, apply_default_css=False, elem_id="title")
            with gr.Tabs(elem_id="tabs"):
                for tab in TABS:
                    name, introduction = tabs.INTRODUCTIONS[tab]
                    with gr.Tab(name, id=tab, elem_id=f"tab-{tab}") as opened:
                        gr.HTML(parts.quiet(introduction), apply_default_css=False)
                    opened.select(None, None, None, js=SHOWN_TAB % tab, api_visibility="private")
                    self.tabs[tab] = opened
            with gr.Row(elem_id="page"):
                with gr.Column(scale=3, min_width=240, elem_id="inputs"):
                    self.slots = {role: slot_of(role, self.opening.get(role)) for role in ROLES}
                    size = studio.model.config.image_size
                    flowers = "This model knows flowers; other photographs come out looser. It works"
                    works = flowers if self.models.opening == EMBEDDED else "This model works"
                    gr.HTML(parts.quiet(f"{works} at {size} pixels on the short side."), apply_default_css=False)
                with gr.Column(scale=6, min_width=320, elem_id="results"):
                    # Each is hidden by the style sheet while it is empty.
                    with gr.Column(elem_classes=on("motion")):
                        film = gr.Image(
                            label="Film", height=520, interactive=False, elem_id="film", type="filepath", buttons=[]
                        )
                        video = gr.Video(label="Film", elem_id="video", autoplay=True, loop=True, interactive=False)
                        film_out = gr.File(label="Film's file", elem_id="film-file", interactive=False)
                    self.result = gr.ImageSlider(
                        result,
                        label="Photograph | result: drag to compare",
                        format="png",
                        height=520,
                        slider_position=12,
                        interactive=False,
                        buttons=["fullscreen"],
                        elem_id="result",
                    )
                    self.status = gr.HTML(status, elem_id="status", apply_default_css=False)
                    with gr.Row(elem_id="actions"):
                        undo, redo, reset = (
                            gr.Button(name.capitalize(), size="sm", min_width=60, elem_id=name)
                            for name in ("undo", "redo", "reset")
                        )
                        self.downloads = gr.HTML(
                            parts.DOWNLOADS,
                            js_on_load=parts.DOWNLOAD,
                            apply_default_css=False,
                            elem_id="downloads",
                            recipe=downloads.props["recipe"],
                        )
                    self.strip = gr.HTML(strip, js_on_load=parts.PICK, apply_default_css=False, elem_id="history")
                with gr.Column(scale=4, min_width=260, elem_id="controls"):
                    self.controls = tabs.all_controls(studio, self.models.names, self.thumbnails(TABS[0], opening))
            with gr.Accordion("Recipe in words", open=False):
                self.words = gr.HTML(words, apply_default_css=False, elem_id="words")
            with gr.Accordion("Replay a recipe", open=False):
                recipe = parts.Files(None, label="Recipe", file_types=[".json"], height=90, elem_id="recipe-in")
                images = parts.Files(
                    None,
                    label="Its photographs, but for those that are here already",
                    file_count="multiple",
                    height=90,
                    elem_id="recipe-photographs",
                )
                replay = gr.Button("Replay", elem_id="replay")
            pairs = gr.HTML(
                parts.pairs_html(self.gallery), js_on_load=parts.PICK, apply_default_css=False, elem_id="examples"
            )
            gr.HTML(parts.credits_html(self.gallery), apply_default_css=False, elem_id="credits")
            self.paint, self.history, self.tab = gr.State({}), gr.State(history), gr.State(TABS[0])
            self.wire(demo, (undo, redo, reset), pairs, (film, video, film_out))
            replay.click(
                self.replayed,
                [recipe, images, *self.visit],
                [self.result, self.status, self.words, self.downloads],
                **private(),
            )
            add_endpoints(self.models, self.films, self.slots, self.controls)
            demo.load(None, None, None, js=SHORTCUTS, api_visibility="private")
            opening_model = (self.controls.others["device"], self.controls.others["card"])
            demo.load(
                lambda: (describe_model(studio), self.models.card("")),
                None,
                opening_model,
                api_visibility="private",
                show_progress="hidden",
            )
            canvases = [self.controls.others[name] for name in ("painter", "cutter")]
            demo.load(lambda: self.canvases(opening), None, canvases, **private())
            demo.unload(self.left)
        return demo.queue(max_size=MAX_WAITING)

    @property
    def visit(self) -> list[Any]:
        """The inputs of every handler, in the order of `visit_of`."""
        controls = self.controls
        paths = [path for _, path, _ in self.slots.values()]
        others = [controls.others[name] for name in ("from", "to", "model")]
        named = [controls.named[name] for name in NAMED]
        return [*paths, *others, self.paint, self.history, *named, *controls.gains, *controls.axes]

    def wire(self, demo: gr.Blocks, buttons: tuple, pairs: gr.HTML, film: tuple) -> None:
        """Connect controls and handlers."""
        controls, visit = self.controls, self.visit
        shown = [self.result, self.status, self.words, self.downloads, self.strip, self.history]
        named = [controls.named[name] for name in NAMED]
        painter, cutter = (controls.others[name] for name in ("painter", "cutter"))
        everything = [*named, *controls.gains, *controls.axes, self.paint, painter, cutter, *shown]
        # While a slider moves one request is under way and the newest position waits; the others are dropped.
        shows = private() | {"show_progress": "minimal", "show_progress_on": self.result}
        live = shows | {"trigger_mode": "always_last"}
        labelled = [*zip(NAMED, named, strict=True), *((one.label, one) for one in (*controls.gains, *controls.axes))]
        for name, control in labelled:
            label = SETTINGS[name].label if name in SETTINGS else name
            control.input(partial(self.moved, label), visit, shown, **live)
        for kind in ("from", "to"):
            controls.others[kind].change(partial(self.moved, "kinds"), visit, shown, **live)
        for button, by in zip(buttons, (-1, 1), strict=False):
            button.click(partial(self.stepped, by), visit, everything, **shows)
        buttons[2].click(self.reset, visit, everything, **shows)
        self.strip.click(self.picked_step, visit, everything, **shows)
        for tab, presets in controls.presets.items():
            presets.click(self.tried(tab), visit, everything, **shows)
        note = controls.others["note"]
        # What is drawn comes with the event, and of waiting ones Gradio keeps the first one's: let none be dropped.
        drawn = shows | {"trigger_mode": "multiple"}
        painter.click(self.painted, visit, [self.paint, painter, note, *shown], **drawn)
        edges = [controls.named[edge] for edge in EDGES]
        cutter.click(self.cut, visit, [*edges, controls.others["cutter-note"], *shown], **drawn)
        presets = list(controls.presets.values())

        def refresh_after(event: Any) -> None:
            event.then(self.refreshed, [self.tab, *visit], presets, **private())

        for role, (view, path, note) in self.slots.items():
            outputs = [path, note, painter, cutter, *shown]
            refresh_after(view.upload(partial(self.chose, role), [view, *visit], [view, *outputs], **shows))
            refresh_after(view.clear(partial(self.removed, role), visit, outputs, **shows))
        both = [*self.slots["structure"], *self.slots["texture"]]
        refresh_after(pairs.click(self.picked_pair, visit, [*both, painter, cutter, *shown], **shows))
        for tab, opened in self.tabs.items():
            opened.select(self.opened(tab), visit, [self.tab, *presets], **private())
        others = controls.others
        others["explore"].expand(self.explored, visit, controls.strips, **private() | {"show_progress": "full"})
        wishes = [others[name] for name in ("kind", "direction", "reach", "frames", "rate", "back", "format")]
        others["make"].click(
            self.filmed, [*visit, *wishes], [*film, others["film-note"]], **private() | {"show_progress": "full"}
        )
        others["restyle"].click(
            self.restyled,
            [*visit, others["video"]],
            [*film, others["film-note"]],
            **private() | {"show_progress": "full"},
        )
        told = [others[name] for name in ("device", "card", "directions", "explore", "direction")]
        sliders = [*controls.gains, *controls.axes]
        changed = [*told, *sliders, *controls.strips, self.paint, painter, cutter, *shown]
        others["model"].input(self.chose_model, visit, changed, **shows)


def private() -> dict[str, Any]:
    """How handlers of the page run: one inference at a time, since they would only share the same cores."""
    return {
        "concurrency_id": "model",
        "concurrency_limit": 1,
        "api_visibility": "private",
        "show_progress": "hidden",
    }


def slot_of(role: str, file: str | None) -> tuple[parts.Photograph, gr.State, gr.HTML]:
    """A slot; those after the second are there on the tabs that take them, of the empty ones only the first."""
    if role in ("structure", "texture"):
        return parts.slot(role, file, ["slot"])
    with gr.Column(elem_classes=[*on("mix", "regions", "structure", "motion"), "further"]):
        return parts.slot(role, file, ["slot"])


def spread(values: Sequence[float], length: int) -> list[float]:
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
