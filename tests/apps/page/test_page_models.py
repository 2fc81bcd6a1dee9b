"""Choosing another embedded model on the page."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest
from studio_page import painted
from visiting import everything, inputs, shown

from swapae.apps.page import parts
from swapae.apps.page.examples import SHOWCASES, paths_of
from swapae.apps.page.handlers import Handlers
from swapae.apps.page.model_handlers import ModelHandlers
from swapae.apps.page.models import COMES_WITH
from swapae.apps.page.settings import ROLES
from swapae.apps.page.slot_handlers import SlotHandlers


def choose(handlers: Handlers, name: str) -> tuple:
    """What is answered once a model was chosen."""
    given = inputs(handlers.visits, "a")
    given[4] = name + COMES_WITH
    return ModelHandlers(handlers).chose(*given)


def paths(handlers: Handlers) -> tuple:
    """The visit's photographs, in the order of the slots."""
    visit = handlers.visits.named(f"{handlers.visits.start}.a")
    return tuple(visit.paths[role] for role in ROLES[:4])


def test_examples_follow_the_model_and_photographs_of_ones_own_stay(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    handlers = everything(monkeypatch, tmp_path)
    assert handlers.models.names == [f"{name}{COMES_WITH}" for name in ("flowers", "facades")]
    answer = choose(handlers, "facades")
    assert paths(handlers) == SHOWCASES["facades"].opening
    assert parts.pairs_html(SHOWCASES["facades"]) in answer
    slots = [one for one in answer if isinstance(one, dict) and "preview" in one]
    assert len(slots) >= 4 and not any(one["remark"] or one["problem"] for one in slots)
    assert answer[-2:] == tuple(list(paths_of(kind)) for kind in SHOWCASES["facades"].kinds)
    mine = tmp_path / "mine.png"
    painted(64, 64, 0).save(mine)
    visit = handlers.visits.named(f"{handlers.visits.start}.a")
    SlotHandlers(handlers).placed(visit, {"structure": str(mine)}, "The first photograph")
    answer = choose(handlers, "flowers")
    assert paths(handlers) == (str(mine), *SHOWCASES["flowers"].opening[1:])
    said = {one["remark"] for one in answer if isinstance(one, dict) and "preview" in one}
    assert said == {"", "This model knows flowers; others come out rough."}


def test_a_model_that_cannot_be_loaded_is_a_sentence_and_the_picture_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    handlers = everything(monkeypatch, tmp_path, allowed=[str(tmp_path / "gone")])
    given = inputs(handlers.visits, "a", amount=0.5)
    given[4] = str(tmp_path / "gone")
    told = shown(handlers.moved("Strength", *given))
    assert told["result"] == gr.skip() and "no such folder" in told["status"]
    taken = handlers.took_away(gr.EventData(None, {"name": "amount"}), *given)
    assert all(one == gr.skip() for one in taken)
