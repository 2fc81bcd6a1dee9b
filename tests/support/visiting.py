"""The page's handlers without a browser: a visit, what they are given, and what they show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gradio as gr
import pytest
from studio_page import tiny_directions, tiny_model

from swapae.apps.page import page
from swapae.apps.page.handlers import Handlers
from swapae.apps.page.models import Models
from swapae.apps.page.settings import AXES, DEFAULTS, MAX_DIRECTIONS
from swapae.apps.page.studio import Studio
from swapae.apps.page.visits import NAMED, Visits


def everything(monkeypatch: pytest.MonkeyPatch, folder: Path, sessions: str = "me", allowed: Sequence[str] = ()):
    """The page's handlers, with a visit "name" that has the example photographs, for a session."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    monkeypatch.setattr("swapae.apps.page.parts.session", lambda: sessions)
    model = tiny_model()
    whole = page.Page(Models(Studio(model, tiny_directions(model)), allowed))
    whole.handlers.results = whole.results_files
    return whole.handlers


def inputs(visits: Visits, name: str, turn: int = 0, **settings: object) -> list:
    """The inputs of a handler."""
    values = DEFAULTS | settings
    gains, axes = values.get("gains", []), values.get("axes", [])
    sliders = [*gains, *[0] * MAX_DIRECTIONS][:MAX_DIRECTIONS] + [*axes, *[0] * len(AXES)][: len(AXES)]
    return [f"{visits.start}.{name}", turn, None, None, "", *(values[one] for one in NAMED), *sliders]


SHOWN = ["result", "status", "words", "downloads", "edits", "strip", "undo", "redo", "keeper"]


def shown(values: tuple) -> dict:
    """The last values of a handler, by what they are of."""
    return dict(zip(SHOWN, values[-len(SHOWN) :], strict=True))


def settled(handlers: Handlers, name: str, arrived: tuple) -> tuple:
    """What is shown once the browser has taken the controls that an arrival set, and asks for the picture."""
    controls = arrived[7 : 7 + len(NAMED) + MAX_DIRECTIONS + len(AXES)]
    values = [one.value if isinstance(one, gr.Slider) else one for one in controls]
    return handlers.rendered(name, 0, None, None, arrived[0], *values)
