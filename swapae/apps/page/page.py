"""The page: three columns under a row of tabs, and which handler answers what is touched."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from swapae.apps.page import parts, tabs
from swapae.apps.page.arrivals import ArrivalHandlers
from swapae.apps.page.cutter import EDGES
from swapae.apps.page.dragging import DraggingHandlers
from swapae.apps.page.endpoints import InSentences, add_endpoints
from swapae.apps.page.examples import examples, showcase
from swapae.apps.page.finder import finder
from swapae.apps.page.finding import FindingHandlers
from swapae.apps.page.handlers import Handlers
from swapae.apps.page.history import History
from swapae.apps.page.keeper import NUMBERED, STORE, keeper, name_of_tab
from swapae.apps.page.keyboard import NAMES, SHORTCUTS
from swapae.apps.page.layout import (
    SAVE_LARGE,
    RecipePanels,
    credits,
    example_pairs,
    recipe_panels,
    results_column,
    tab_row,
)
from swapae.apps.page.model_handlers import ModelHandlers, describe_model
from swapae.apps.page.models import Models
from swapae.apps.page.motion import MotionHandlers
from swapae.apps.page.numbers import CHECK_NUMBERS
from swapae.apps.page.photographs import PhotographFolder
from swapae.apps.page.previews import PreviewHandlers
from swapae.apps.page.refining import RefiningHandlers
from swapae.apps.page.results import Results
from swapae.apps.page.settings import AXES, DEFAULTS, MAX_DIRECTIONS, ROLES, SETTINGS
from swapae.apps.page.slot_handlers import SlotHandlers
from swapae.apps.page.slots import slot
from swapae.apps.page.style import TABS, on
from swapae.apps.page.training.job import Trainings
from swapae.apps.page.training.tab import TrainingTab
from swapae.apps.page.visits import NAMED, Visit, Visits

# A visitor's files are deleted two hours after they came; looked for every quarter of an hour.
DELETE_CACHE = (900, 7200)
MAX_WAITING = 32
# No part of the page is a function for programs, and every part tells how far it is in its own way.
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
# Edits wait for each other here, films and previews in queues of their own: who computes is settled by `turns`.
EDIT: dict[str, Any] = PRIVATE | parts.MODEL
# What sets controls does not wait for pictures.
SET: dict[str, Any] = PRIVATE | {"concurrency_id": "controls", "concurrency_limit": 8, "js": NUMBERED}
PREVIEW: dict[str, Any] = PRIVATE | {"concurrency_id": "previews", "concurrency_limit": 4}
FILM: dict[str, Any] = PRIVATE | parts.FILMS
REFINE: dict[str, Any] = PRIVATE | {"concurrency_id": "refining", "concurrency_limit": 2}
AT_ONCE: dict[str, Any] = PRIVATE | {"queue": False}


class Page:
    """The components of the page, connected to its handlers.

    Args:
        models: what visitors may choose from.
        photographs: a folder that they may find photographs in.
        trainings: of models of visitors' own; None where nobody may train.
    """

    def __init__(
        self, models: Models, photographs: PhotographFolder | None = None, trainings: Trainings | None = None
    ) -> None:
        self.models, self.results_files = models, Results()
        self.photographs, self.showcase = photographs, showcase(models.comes_with(""))
        self.opening: dict[str, str] = dict(zip(ROLES, self.showcase.opening, strict=False))
        values = {**DEFAULTS, "gains": [0] * MAX_DIRECTIONS, "axes": [0] * len(AXES)}  # as the controls have them
        self.visits = Visits(Visit(self.opening, ([], []), "", values, History()))
        self.handlers = Handlers(models, self.visits, photographs)
        self.previews = PreviewHandlers(self.handlers)
        self.training = TrainingTab(trainings, models, self.results_files) if trainings else None

    def build(self) -> gr.Blocks:
        """The page; launch it with `launch.LAUNCH`."""
        studio, handlers = self.models.first, self.handlers
        shown = handlers.shown(self.visits.opening._replace(name="opening"), "Opening")
        # Every visit begins with the picture that is made already.
        opening = self.visits.opening = (self.visits.known("opening") or self.visits.opening)._replace(name="")
        with InSentences(title="swapae", analytics_enabled=False, delete_cache=DELETE_CACHE) as demo:
            gr.HTML(parts.HEADER, js_on_load=parts.SWITCH_THEME, apply_default_css=False, elem_id="title")
            self.keeper = keeper(self.visits.start)
            self.name = gr.Textbox("", visible=False, label="The visit's name")
            self.turn = gr.Number(0, precision=0, visible=False, label="The number of the change")
            self.tabs = tab_row(find=self.photographs is not None, train=self.training is not None)
            with gr.Row(elem_id="page"):
                with gr.Column(scale=3, min_width=240, elem_id="inputs"):
                    self.slots = {role: slot(role, handlers.slot(opening, role)) for role in ROLES}
                    pairs = example_pairs(self.showcase)
                    if self.training:
                        self.training.inputs()
                with gr.Column(scale=6, min_width=320, elem_id="results"):
                    self.results = results_column(shown)
                    if self.training:
                        self.training.results()
                with gr.Column(scale=4, min_width=260, elem_id="controls"):
                    thumbnails = self.previews.thumbnails(TABS[0], opening, others="")
                    self.controls = tabs.all_controls(studio, self.models.names, thumbnails, self.showcase)
                    if self.photographs is not None:
                        with gr.Column(elem_classes=on("find"), elem_id="on-find"):
                            self.finder = finder()
                    if self.training:
                        self.training.controls()
            panels = recipe_panels(shown[2])
            credits(examples())
            self.connect(panels, pairs)
            if self.training:
                self.training.connect(demo, self.controls.others["model"])
            add_endpoints(self.models, self.results_files, self.controls)
            self.connect_visits(demo)
        return demo.queue(max_size=MAX_WAITING)

    def connect(self, panels: RecipePanels, pairs: gr.HTML) -> None:
        """Connect controls and handlers."""
        controls, results = self.controls, self.results
        self.named = [controls.named[name] for name in NAMED]
        others = [controls.others[name] for name in ("from", "to", "model")]
        # The inputs of every handler, in the order of `Visits.of`.
        self.visit = [self.name, self.turn, *others, *self.named, *controls.gains, *controls.axes]
        self.drawn = [controls.others[name] for name in ("painter", "cutter", "dragger")]
        picture = [results.result, results.status, panels.words, results.downloads]
        self.shown = [*picture, results.edits, results.strip, results.undo, results.redo, self.keeper]
        self.settings = [*self.named, *controls.gains, *controls.axes]
        # While a result is made, a thin line moves beneath the last one.
        self.shows = EDIT | {"show_progress": "minimal", "show_progress_on": results.result, "js": NUMBERED}
        self.connect_settings()
        self.connect_steps()
        self.connect_drawing()
        self.connect_slots(pairs)
        self.connect_tabs(pairs)
        self.connect_motion()
        self.connect_downloads()
        self.connect_refining()
        replay = [*self.visit, panels.recipe, panels.images]
        panels.replay.click(self.handlers.replayed, replay, [*self.shown, panels.note], **self.shows)

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
            for event in (controls.others[kind].upload, controls.others[kind].clear):
                event(partial(handlers.moved, "The kinds"), self.visit, self.shown, **live)

    def connect_steps(self) -> None:
        """What sets all controls at once: undo, redo, reset, the history, the edits' crosses and the presets."""
        controls, results, handlers = self.controls, self.results, self.handlers
        set_here = [*self.settings, *self.drawn]
        all_slots = [*self.slots.values(), *set_here]
        for event, handle in (
            (results.undo.click, handlers.undo),
            (results.redo.click, handlers.redo),
            (results.strip.click, handlers.picked_step),
        ):
            self.then_previews(self.then_picture(event(handle, self.visit, all_slots, **SET)))
        self.then_picture(results.reset.click(handlers.reset, self.visit, set_here, **SET))
        self.then_picture(results.edits.click(handlers.took_away, self.visit, set_here, **SET))
        for tab, presets in controls.presets.items():
            self.then_picture(presets.click(handlers.tried(tab), self.visit, set_here, **SET))

    def connect_drawing(self) -> None:
        """The painter, the cutter and the dragger."""
        controls, handlers, (painter, cutter, dragger) = self.controls, self.handlers, self.drawn
        # What is drawn comes with the event, and of waiting ones Gradio keeps the first one's: let none be dropped.
        each = {"trigger_mode": "multiple"}
        painted = [painter, controls.others["note"], *self.shown]
        painter.click(handlers.painted, self.visit, painted, **self.shows, **each)
        edges = [controls.named[edge] for edge in EDGES]
        cut = [*edges, controls.others["cutter-note"]]
        self.then_picture(cutter.click(handlers.cut, self.visit, cut, **SET, **each))
        dragger.click(DraggingHandlers(handlers).dragged, self.visit, [dragger, *self.shown], **self.shows, **each)

    def connect_finding(self, handlers: SlotHandlers, photographs: PhotographFolder, outputs: list[Any]) -> None:
        """What finds photographs of a folder."""
        finder, finding = self.finder, FindingHandlers(handlers, photographs)
        wish = [*self.visit, finder.by, finder.like, finder.other]
        search = PREVIEW | {"trigger_mode": "always_last"}
        for event in (finder.by.input, finder.like.input, finder.search.click, finder.found.search):
            event(finding.searched, wish, finder.found, **search)
        finder.found.look(finding.looked, self.visit, finder.found, **AT_ONCE)
        for event in (self.tabs.select, self.controls.others["model"].input):
            event(finding.looked, self.visit, finder.found, **AT_ONCE)
        each = self.shows | {"trigger_mode": "multiple"}
        self.then_previews(finder.found.click(finding.used, self.visit, outputs, **each))

    def connect_slots(self, pairs: gr.HTML) -> None:
        """The photographs' slots and the examples; after another photograph the presets show that one."""
        handlers = SlotHandlers(self.handlers)
        slots = list(self.slots.values())
        outputs = [*slots, *self.drawn, *self.shown]
        for role, view in self.slots.items():
            each = self.shows | {"trigger_mode": "multiple"}
            self.then_previews(view.upload(handlers.uploading(role), self.visit, outputs, **each))
            if role in ROLES[:2]:
                cleared = view.clear(handlers.removing(role), self.visit, outputs, **each)
            else:
                set_here = [*slots, *self.settings, *self.drawn]
                cleared = self.then_picture(view.clear(handlers.removing(role), self.visit, set_here, **SET))
            self.then_previews(cleared)
        self.then_previews(pairs.click(handlers.picked_pair, self.visit, outputs, **self.shows))
        if self.photographs is not None:
            self.connect_finding(handlers, self.photographs, outputs)

    def then_picture(self, event: Any) -> Any:
        """After an event that sets controls: the picture of what they are by then."""
        return event.then(self.handlers.rendered, self.visit, self.shown, trigger_mode="multiple", **self.shows)

    def then_previews(self, event: Any) -> None:
        """After an event that may bring other photographs: previews of those."""
        event.then(self.previews.refreshed, self.visit, list(self.controls.presets.values()), **PREVIEW)

    def connect_tabs(self, pairs: gr.HTML) -> None:
        """The tabs themselves, the axes to explore, and the choice of a model."""
        controls, others, handlers = self.controls, self.controls.others, ModelHandlers(self.handlers)
        latest = PREVIEW | {"trigger_mode": "always_last"}
        self.tabs.select(self.previews.opened, self.visit, list(controls.presets.values()), **latest)
        strips = [others["exploring"], *controls.strips]
        others["explore"].expand(self.previews.explored, self.visit, strips, **PREVIEW)
        told = [*(others[name] for name in ("device", "card", "directions", "explore", "direction")), pairs]
        self.of_model = [others["model"], *told]
        set_here = [*told, *controls.gains, *controls.axes, *controls.strips]
        photographs = [*self.drawn, *self.slots.values(), others["from"], others["to"]]
        chose = others["model"].input(handlers.chose, self.visit, [*set_here, *photographs], **SET)
        self.then_previews(self.then_picture(chose))

    def connect_motion(self) -> None:
        """Films and restyled videos."""
        others, results = self.controls.others, self.results
        handlers = MotionHandlers(self.models, self.visits, self.results_files)
        outputs = [others[name] for name in ("made", "film-note", "make", "restyle", "cancel")]
        wishes = [others[name] for name in ("kind", "direction", "reach", "frames", "rate", "back", "format")]
        others["make"].click(handlers.filmed, [*self.visit, *wishes], outputs, **FILM)
        others["restyle"].click(handlers.restyled, [*self.visit, others["video"]], outputs, **FILM)
        others["cancel"].click(handlers.stopped, None, None, **AT_ONCE)
        film = [results.film, results.video, results.film_file]
        others["made"].change(handlers.shown, others["made"], film, **AT_ONCE)

    def connect_downloads(self) -> None:
        """Larger pictures."""
        results, handlers = self.results, MotionHandlers(self.models, self.visits, self.results_files)
        results.downloads.enlarge(
            handlers.enlarged, self.visit, [results.large_name, results.large_note, results.large], **FILM
        ).success(None, None, None, js=SAVE_LARGE, api_visibility="private")

    def connect_refining(self) -> None:
        """Photographs that are drawn faithfully, once the picture asks for it."""
        results, handlers = self.results, RefiningHandlers(self.handlers)
        told = [results.refining, results.cancel]
        latest = REFINE | {"trigger_mode": "always_last"}
        refined = self.keeper.refine(handlers.refined, self.visit, told, **latest)
        pictured = refined.success(
            self.handlers.rendered, self.visit, self.shown, trigger_mode="multiple", **self.shows
        )
        self.then_previews(pictured)
        set_here = [*self.settings, *self.drawn, *told]
        self.then_picture(results.cancel.click(handlers.cancelled, self.visit, set_here, **SET))

    def connect_visits(self, demo: gr.Blocks) -> None:
        """What happens when a visitor comes and goes."""
        others, handlers = self.controls.others, ArrivalHandlers(self.handlers)
        kinds = [others["from"], others["to"]]
        outputs = [*self.of_model, *self.settings, *self.slots.values(), *self.drawn, *kinds]
        setting = SET | {"js": None}

        def describe() -> tuple[str, str]:
            return describe_model(self.models.first), self.models.card("")

        scripts = "".join(f"({script.strip()})();" for script in (SHORTCUTS, NAMES, CHECK_NUMBERS, STORE))
        demo.load(None, None, None, js=f"() => {{ {scripts} }}", api_visibility="private")
        demo.load(None, None, self.name, js=name_of_tab(self.visits.start), api_visibility="private")
        demo.load(describe, None, [others["device"], others["card"]], **AT_ONCE)
        # Of the visit that the tab may have already, whose restoring may be done before this.
        demo.load(self.drawn_on, self.name, self.drawn, js=name_of_tab(self.visits.start), **EDIT)
        self.then_previews(self.then_picture(self.keeper.restore(handlers.restored, None, outputs, **setting)))
        self.then_previews(self.then_picture(self.keeper.resume(handlers.resumed, None, outputs, **setting)))
        self.keeper.ask(self.handlers.asked, None, None, trigger_mode="multiple", **AT_ONCE)
        demo.unload(self.left)

    def drawn_on(self, name: str) -> tuple:
        """Values of the canvases for a visitor who comes, or comes back."""
        visit = self.visits.named(name)
        return self.handlers.canvases(self.visits.opening if visit.lost else visit)

    def left(self, request: gr.Request) -> None:
        """A visitor closed the page, or is about to load it again."""
        session = request.session_hash or ""
        self.results_files.leave(session)
        self.models.leave(session)
        self.handlers.under_way.wants(session, None)
