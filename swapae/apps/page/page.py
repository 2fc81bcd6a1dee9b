"""The page: three columns under a row of tabs, and which handler answers what is touched."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from swapae.apps.page import parts, tabs
from swapae.apps.page.cutter import EDGES
from swapae.apps.page.endpoints import add_endpoints
from swapae.apps.page.examples import PAIRS, examples
from swapae.apps.page.films import Films
from swapae.apps.page.handlers import Handlers, describe_model
from swapae.apps.page.history import History
from swapae.apps.page.layout import RecipePanels, example_pairs, recipe_panels, results_column, tab_row
from swapae.apps.page.models import EMBEDDED_NAME, Models
from swapae.apps.page.motion import MotionHandlers
from swapae.apps.page.settings import DEFAULTS, ROLES, SETTINGS
from swapae.apps.page.slots import SlotHandlers, slot_of
from swapae.apps.page.style import TABS
from swapae.apps.page.visits import NAMED, Visit

# A visitor's files are deleted two hours after they came; looked for every quarter of an hour.
DELETE_CACHE = (900, 7200)
MAX_WAITING = 32
# The page opens with the first pair, and two more photographs for the tabs that take them.
MORE = (3, 0)
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
# How handlers of the page run: one inference at a time, since they would only share the same cores.
PRIVATE: dict[str, Any] = {
    "concurrency_id": "model",
    "concurrency_limit": 1,
    "api_visibility": "private",
    "show_progress": "hidden",
}


class Page:
    """The components of the page, connected to its handlers.

    Args:
        models: what visitors may choose from.
    """

    def __init__(self, models: Models) -> None:
        self.models, self.films, self.gallery = models, Films(), examples()
        self.handlers = Handlers(models)
        chosen = [*PAIRS[0], *MORE]
        self.opening: dict[str, str] = dict(
            zip(ROLES, (str(self.gallery[index].path) for index in chosen), strict=False)
        )

    def build(self) -> gr.Blocks:
        """The page; launch it with `launch.LAUNCH`."""
        studio = self.models.first
        opening = Visit(self.opening, ([], []), "", {**DEFAULTS, "gains": [], "axes": []}, History())
        result, status, words, downloads, strip, history = self.handlers.shown(opening, "opening")
        with gr.Blocks(title="swapae", analytics_enabled=False, delete_cache=DELETE_CACHE) as demo:
            gr.HTML(parts.HEADER, js_on_load=parts.SWITCH_THEME, apply_default_css=False, elem_id="title")
            self.tabs = tab_row()
            with gr.Row(elem_id="page"):
                with gr.Column(scale=3, min_width=240, elem_id="inputs"):
                    self.slots = {role: slot_of(role, self.opening.get(role)) for role in ROLES}
                    size = studio.model.config.image_size
                    flowers = "This model knows flowers; other photographs come out looser. It works"
                    works = flowers if self.models.opening == EMBEDDED_NAME else "This model works"
                    gr.HTML(parts.quiet(f"{works} at {size} pixels on the short side."), apply_default_css=False)
                with gr.Column(scale=6, min_width=320, elem_id="results"):
                    self.results = results_column(result, status, downloads.props["recipe"], strip)
                with gr.Column(scale=4, min_width=260, elem_id="controls"):
                    thumbnails = self.handlers.thumbnails(TABS[0], opening)
                    self.controls = tabs.all_controls(studio, self.models.names, thumbnails)
            panels = recipe_panels(words)
            pairs = example_pairs(self.gallery)
            self.paint, self.history, self.tab = gr.State({}), gr.State(history), gr.State(TABS[0])
            self.connect(panels, pairs)
            add_endpoints(self.models, self.films, self.slots, self.controls)
            self.connect_visits(demo, opening)
        return demo.queue(max_size=MAX_WAITING)

    def connect(self, panels: RecipePanels, pairs: gr.HTML) -> None:
        """Connect controls and handlers."""
        controls, results = self.controls, self.results
        self.visit = self.visit_inputs()
        self.named = [controls.named[name] for name in NAMED]
        self.drawn = [controls.others[name] for name in ("painter", "cutter")]
        picture = [results.result, results.status, panels.words, results.downloads]
        self.shown = [*picture, results.strip, self.history]
        # While a result is made, a thin line moves beneath the last one.
        self.shows = PRIVATE | {"show_progress": "minimal", "show_progress_on": results.result}
        self.connect_settings()
        self.connect_steps()
        self.connect_drawing()
        self.connect_slots(pairs)
        self.connect_tabs()
        self.connect_motion()
        panels.replay.click(self.handlers.replayed, [panels.recipe, panels.images, *self.visit], picture, **PRIVATE)

    def visit_inputs(self) -> list[Any]:
        """The inputs of every handler, in the order of `visit_of`."""
        controls = self.controls
        paths = [path for _, path, _ in self.slots.values()]
        others = [controls.others[name] for name in ("from", "to", "model")]
        named = [controls.named[name] for name in NAMED]
        return [*paths, *others, self.paint, self.history, *named, *controls.gains, *controls.axes]

    def connect_settings(self) -> None:
        """Every control to the picture."""
        controls, handlers = self.controls, self.handlers
        # While a slider moves one request is under way and the newest position waits; the others are dropped.
        live = self.shows | {"trigger_mode": "always_last"}
        sliders = ((str(one.label), one) for one in (*controls.gains, *controls.axes))
        for name, control in [*zip(NAMED, self.named, strict=True), *sliders]:
            label = SETTINGS[name].label if name in SETTINGS else name
            control.input(partial(handlers.moved, label), self.visit, self.shown, **live)
        for kind in ("from", "to"):
            controls.others[kind].change(partial(handlers.moved, "kinds"), self.visit, self.shown, **live)

    def connect_steps(self) -> None:
        """What sets all controls at once: undo, redo, reset, the history and the presets."""
        controls, results, handlers = self.controls, self.results, self.handlers
        everything = [*self.named, *controls.gains, *controls.axes, self.paint, *self.drawn, *self.shown]
        for button, by in ((results.undo, -1), (results.redo, 1)):
            button.click(partial(handlers.stepped, by), self.visit, everything, **self.shows)
        results.reset.click(handlers.reset, self.visit, everything, **self.shows)
        results.strip.click(handlers.picked_step, self.visit, everything, **self.shows)
        for tab, presets in controls.presets.items():
            presets.click(handlers.tried(tab), self.visit, everything, **self.shows)

    def connect_drawing(self) -> None:
        """The painter and the cutter."""
        controls, handlers, (painter, cutter) = self.controls, self.handlers, self.drawn
        # What is drawn comes with the event, and of waiting ones Gradio keeps the first one's: let none be dropped.
        each = self.shows | {"trigger_mode": "multiple"}
        painted = [self.paint, painter, controls.others["note"], *self.shown]
        painter.click(handlers.painted, self.visit, painted, **each)
        edges = [controls.named[edge] for edge in EDGES]
        cutter.click(handlers.cut, self.visit, [*edges, controls.others["cutter-note"], *self.shown], **each)

    def connect_slots(self, pairs: gr.HTML) -> None:
        """The photographs' slots and the examples; after another photograph the presets show that one."""
        handlers = SlotHandlers(self.handlers, self.gallery)
        presets = list(self.controls.presets.values())

        def refresh_after(event: Any) -> None:
            event.then(self.handlers.refreshed, [self.tab, *self.visit], presets, **PRIVATE)

        for role, (view, path, note) in self.slots.items():
            outputs = [path, note, *self.drawn, *self.shown]
            uploaded = partial(handlers.chose, role)
            refresh_after(view.upload(uploaded, [view, *self.visit], [view, *outputs], **self.shows))
            refresh_after(view.clear(partial(handlers.removed, role), self.visit, outputs, **self.shows))
        both = [*self.slots["structure"], *self.slots["texture"]]
        refresh_after(pairs.click(handlers.picked_pair, self.visit, [*both, *self.drawn, *self.shown], **self.shows))

    def connect_tabs(self) -> None:
        """The tabs themselves, the axes to explore, and the choice of a model."""
        controls, others, handlers = self.controls, self.controls.others, self.handlers
        for tab, opened in self.tabs.items():
            outputs = [self.tab, *controls.presets.values()]
            opened.select(handlers.opened(tab), self.visit, outputs, **PRIVATE)
        full = PRIVATE | {"show_progress": "full"}
        others["explore"].expand(handlers.explored, self.visit, controls.strips, **full)
        told = [others[name] for name in ("device", "card", "directions", "explore", "direction")]
        sliders = [*controls.gains, *controls.axes, *controls.strips]
        changed = [*told, *sliders, self.paint, *self.drawn, *self.shown]
        others["model"].input(handlers.chose_model, self.visit, changed, **self.shows)

    def connect_motion(self) -> None:
        """Films and restyled videos."""
        others, results, handlers = self.controls.others, self.results, MotionHandlers(self.models, self.films)
        outputs = [results.film, results.video, results.film_file, others["film-note"]]
        wishes = [others[name] for name in ("kind", "direction", "reach", "frames", "rate", "back", "format")]
        full = PRIVATE | {"show_progress": "full"}
        others["make"].click(handlers.filmed, [*self.visit, *wishes], outputs, **full)
        others["restyle"].click(handlers.restyled, [*self.visit, others["video"]], outputs, **full)

    def connect_visits(self, demo: gr.Blocks, opening: Visit) -> None:
        """What happens when a visitor comes and goes."""
        others = self.controls.others
        about_model: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

        def describe() -> tuple[str, str]:
            return describe_model(self.models.first), self.models.card("")

        demo.load(None, None, None, js=SHORTCUTS, api_visibility="private")
        demo.load(describe, None, [others["device"], others["card"]], **about_model)
        demo.load(lambda: self.handlers.canvases(opening), None, self.drawn, **PRIVATE)
        demo.unload(self.handlers.left)
