"""What the tab Train answers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from swapae.apps.cli.own_model import LONGEST, RUN
from swapae.apps.page import parts
from swapae.apps.page.models import Models
from swapae.apps.page.results import Results
from swapae.apps.page.slots import uploaded
from swapae.apps.page.training import told
from swapae.apps.page.training.chart import chart
from swapae.apps.page.training.course import Course, complaint, course, left_out
from swapae.apps.page.training.dropped import Dropped, count
from swapae.apps.page.training.intake import Given
from swapae.apps.page.training.job import Job, State, Trainings
from swapae.apps.page.training.permission import digest, is_own, may_begin
from swapae.apps.page.training.sharing import pack, push
from swapae.editing.validation import number
from swapae.errors import UserError
from swapae.training.own_model import FEWEST

NAME = re.compile(r"[^\W_][\w -]{0,59}")
NOT_TAKEN = "The photographs could not be looked at: drop them again in a moment."
NOT_HERE = "whoever runs this page has to allow it: SWAPAE_TRAIN=1"


class TrainingHandlers:
    """What begins, shows and ends the training of `trainings`, whose models `models` offers."""

    def __init__(self, trainings: Trainings, models: Models, results: Results) -> None:
        self.trainings, self.models, self.results = trainings, models, results
        self.dropped = Dropped(trainings.dropped)

    # ------------------------------------------------------------ photographs

    def took(self, event: gr.EventData, name: str) -> tuple[dict[str, Any], str]:
        """Values of the place to drop photographs, and of their folder's name, after some arrived."""
        try:
            self.check_permission()
            name, kept, reasons = self.dropped.add(name, given(getattr(event, "files", None)))
        except UserError as error:
            return {"problem": parts.sentence(error), "told": told.now()}, name
        more = f"; {FEWEST} are needed" if kept < FEWEST else ""
        words = f"{kept} photograph{'s' * (kept != 1)}{more}"
        lines = [f"{one}: {reason}" for one, reason in reasons]
        return {"words": words, "details": told.left_out_html(lines), "told": told.now()}, name

    def not_taken(self) -> dict[str, Any]:
        """The value of the place to drop photographs where `took` answered nothing, as when too many wait."""
        return {"problem": NOT_TAKEN, "told": told.now()}

    def cleared(self, name: str) -> tuple[dict[str, Any], str]:
        """Values as of `took`, without any."""
        self.dropped.forget(name)
        return {"told": told.now()}, ""

    # ------------------------------------------------------------ the training

    def told(self, key: str, seen: str) -> tuple:
        """Values of status, grid, curve, the buttons, what is done with a model, the choice of models, and `seen`.

        Args:
            key: of the browser that asks.
            seen: JSON of what it shows already, of which nothing is sent again.
        """
        job = self.trainings.job
        state = self.trainings.state(job) if job else None
        on = state in ("on", "stopping")
        if job:
            self.trainings.tidy(job)
        if job is None or state is None or not is_own(job, key):
            whole = self.of_another(job if on else None)
        else:
            whole = self.of_own(job, state)
        whole["models"] = (self.models.names, lambda: gr.Dropdown(choices=self.models.names))
        return unseen(whole, seen)

    def of_another(self, job: Job | None) -> dict[str, tuple[Any, Callable[[], Any]]]:
        """What is told of a training of somebody else, by part: what it depends on, and what makes the value."""
        status = told.others_html(job, self.course(job, on=True) if job else None)
        return {
            "status": (status, lambda: status),
            "grid": ("", str),
            "chart": ("", str),
            **buttons(start=job is None, stop="", go_on="", share=False),
        }

    def of_own(self, job: Job, state: State) -> dict[str, tuple[Any, Callable[[], Any]]]:
        """As `of_another`, of one's own."""
        on = state in ("on", "stopping")
        now = self.course(job, on)
        has_model = (self.trainings.model(job) / "config.json").is_file()
        wrong = self.scrubbed(complaint(self.trainings.log)) if state == "failed" else ""
        out = told.left_out_html(left_out(self.trainings.log))
        status = told.status_html(job, state, now, has_model, wrong) + out
        drawn = chart(now.evaluations) or (told.no_chart(job.minutes) if on and now.begun else "")
        grid = now.grid
        stop = {"on": "Stop, and keep the best", "stopping": "End it at once" * self.trainings.overdue(job)}
        return {
            "status": (status, lambda: status),
            "grid": (str(grid), lambda: told.grid_html(grid) if grid else ""),
            "chart": (drawn, lambda: drawn),
            **buttons(
                start=not on,
                stop=stop.get(state, ""),
                go_on=f"Go on with {job.name}" if state in ("stopped", "failed", "killed") else "",
                share=has_model and not on,
            ),
        }

    def course(self, job: Job, on: bool) -> Course:
        """How far a training is."""
        return course(self.trainings.model(job) / RUN, job.began, self.trainings.clock() if on else None)

    def began(self, key: str, seen: str, name: Any, minutes: Any, dropped: str) -> tuple:
        """Values of the place to drop photographs, their folder's name and the note, then as of `told`."""
        try:
            self.check_permission()
            name = self.checked_name(name)
            number(1, LONGEST)("Minutes", minutes)
            folder = self.dropped.find(dropped) if dropped else None
            there = count(folder) if folder else 0
            if folder is None or there < FEWEST:
                raise UserError(f"{there} of {FEWEST} photographs are there: drop more")
            self.trainings.begin(name, float(minutes), digest(key), folder)
        except UserError as error:
            return gr.skip(), gr.skip(), parts.problem(self.scrubbed(str(error))), *self.told(key, seen)
        return {"told": told.now()}, "", "", *self.told(key, seen)

    @staticmethod
    def check_permission() -> None:
        """Raise UserError if whoever asks may not train here, nor have photographs kept for it."""
        if not may_begin():
            raise UserError(NOT_HERE)

    def checked_name(self, name: Any) -> str:
        """The name of a new model.

        Raises:
            UserError: it is none, or taken.
        """
        text = str(name or "").strip()
        if not NAME.fullmatch(text):
            raise UserError("give the model a name: up to 60 letters, digits, spaces, - and _")
        if text in self.models.names:
            raise UserError(f"there is a model {text!r} already: choose another name")
        return text

    def stopped(self, key: str, seen: str) -> tuple:
        """Values of the note, then as of `told`, after "Stop"."""
        return self.after(self.trainings.stop, key, seen)

    def went_on(self, key: str, seen: str) -> tuple:
        """Values as of `stopped`, after "Go on"."""
        return self.after(self.trainings.go_on, key, seen)

    def after(self, act: Callable[[Job], Any], key: str, seen: str) -> tuple:
        """Values as of `stopped`, after something was done with one's own training."""
        note = ""
        try:
            act(self.own(key))
        except UserError as error:
            note = parts.problem(self.scrubbed(str(error)))
        return note, *self.told(key, seen)

    # ------------------------------------------------------------ the model

    def packed(self, key: str) -> tuple:
        """Values of a model's file and a note."""
        try:
            model = self.finished(key)
            return str(pack(model, self.results.new("zip", parts.session()).with_name(f"{model.name}.zip"))), ""
        except UserError as error:
            return None, parts.problem(self.scrubbed(str(error)))

    def pushed(self, key: str, repo: str, token: str, private: bool) -> Iterator[tuple[str, str]]:
        """Values of the token, which is forgotten at once, and of a note."""
        yield "", parts.progress("Uploading ...", 0, 0)
        try:
            address = push(self.finished(key), str(repo or "").strip(), str(token or "").strip(), bool(private))
        except UserError as error:
            yield "", parts.problem(self.scrubbed(str(error)))
        else:
            yield "", parts.quiet(f"It is there: {address}")

    def own(self, key: str) -> Job:
        """One's own training.

        Raises:
            UserError: there is none.
        """
        job = self.trainings.job
        if job is None or not is_own(job, key):
            raise UserError("there is no training of yours here")
        return job

    def finished(self, key: str) -> Path:
        """The folder of one's own model.

        Raises:
            UserError: there is none.
        """
        job = self.own(key)
        model = self.trainings.model(job)
        if self.trainings.state(job) in ("on", "stopping") or not (model / "config.json").is_file():
            raise UserError("there is no model yet: wait for the end of the training")
        return model

    def scrubbed(self, text: str) -> str:
        """A message without this machine's folders."""
        text = text.replace(repr(str(self.trainings.photographs)), "what you gave")
        return text.replace(f"{self.trainings.folder}/", "")


def given(files: Any) -> list[Given]:
    """What a browser says it sent, which may be anything: JSON, a list of {name, pieces}.

    Raises:
        UserError: it is not that.
    """
    try:
        return [
            Given(str(one["name"])[-200:], [Path(uploaded(path)) for path in one["pieces"]])
            for one in json.loads(files)
        ]
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError("the photographs did not arrive: drop them again") from None


def buttons(start: bool, stop: str, go_on: str, share: bool) -> dict[str, tuple[Any, Callable[[], Any]]]:
    """Start, Stop and Go on with what they say, if they are there, and what is done with a model."""
    return {
        "start": (start, lambda: gr.Button(interactive=start)),
        "stop": (stop, lambda: gr.Button(stop or "Stop", visible=bool(stop))),
        "go_on": (go_on, lambda: gr.Button(go_on or "Go on", visible=bool(go_on))),
        "share": (share, lambda: gr.Column(visible=share)),
    }


def unseen(whole: dict[str, tuple[Any, Callable[[], Any]]], seen: str) -> tuple:
    """The values of what a browser does not show already, and what it shows then, as JSON."""
    try:
        before = dict(json.loads(seen))
    except (TypeError, ValueError, RecursionError):
        before = {}
    after = {name: hashlib.sha256(repr(one).encode()).hexdigest()[:16] for name, (one, _) in whole.items()}
    values = [gr.skip() if before.get(name) == after[name] else make() for name, (_, make) in whole.items()]
    return *values, json.dumps(after)
