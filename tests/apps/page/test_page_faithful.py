"""The slider "Faithful to my photograph": what is refined, when, for whom, and how it is told."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from browsing import source, wait_for_another, wait_for_source
from PIL import Image
from playwright.sync_api import Page, expect
from studio_page import encoded, painted, tiny_model
from visiting import everything, inputs, shown

from swapae import UserError
from swapae.apps.page.downloads import downloadable
from swapae.apps.page.edits_on import edits_on
from swapae.apps.page.enlarging import enlarge
from swapae.apps.page.filming import FilmSettings, make_film
from swapae.apps.page.handlers import Handlers
from swapae.apps.page.long_work import Progress
from swapae.apps.page.refined import MOST, RefinedPhotographs
from swapae.apps.page.refining import RefiningHandlers
from swapae.apps.page.settings import checked
from swapae.apps.page.studio import Studio
from swapae.apps.page.uploads import Upload
from swapae.files import cache_folder
from swapae.training import refining

WAIT = 60
LABEL = "Faithful to my photograph"


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refining, "CODE_STEPS", 3)
    monkeypatch.setattr(refining, "GENERATOR_STEPS", 2)


class Gate:
    """Steps that are taken only as the test lets them, with nobody's turn taken meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.goes_on = threading.Semaphore(0)
        make = RefinedPhotographs.make

        def gated(refined: RefinedPhotographs, upload: Upload, fidelity: float, progress: Progress, visit: str) -> None:
            make(refined, upload, fidelity, lambda steps, total: self.passed(progress(steps, total)), visit)

        monkeypatch.setattr(RefinedPhotographs, "make", gated)

    def passed(self, steps: Iterator) -> Iterator:
        for step in steps:
            yield step
            assert self.goes_on.acquire(timeout=WAIT)


def bring(handlers: Handlers, settings: list) -> list[tuple]:
    """All that is told while the photograph of a visit with these settings is refined."""
    return list(RefiningHandlers(handlers).refined(*settings))


def files() -> dict[str, bytes]:
    return {role: encoded(painted(64, 64, seed)) for seed, role in enumerate(("structure", "texture"))}


def passed(steps: Iterator, total: int) -> Iterator:
    return steps


@pytest.mark.parametrize(("fidelity", "steps"), [(0.3, 3), (1.0, 5)])
def test_the_slider_is_told_draws_the_photograph_anew_and_is_undone_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fidelity: float, steps: int
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    handlers = everything(monkeypatch, tmp_path)
    plain, near = (inputs(handlers.visits, "a", fidelity=value) for value in (0.0, fidelity))
    before = shown(handlers.moved("Strength", *plain))
    assert "refine" not in before["keeper"]
    waiting = shown(handlers.moved(LABEL, *near))
    assert waiting["result"] == before["result"] and waiting["keeper"]["refine"]
    told = bring(handlers, near)
    assert [f"step {n} of {steps}" in one[0] for n, one in enumerate(told[1:-1], 1)] == [True] * steps
    assert told[1][1].visible and told[-1][0] == "" and not told[-1][1].visible
    after = shown(handlers.rendered(*near))
    assert after["result"] != before["result"] and "refine" not in after["keeper"]
    assert after["strip"] != waiting["strip"]  # the step is the same one, and looks otherwise now
    assert after["strip"].count("<button") == waiting["strip"].count("<button")
    # Asked once more, nothing is done; at 0 there is the old picture, and back again the new one.
    assert bring(handlers, near) == [(gr.skip(), gr.skip())]
    assert shown(handlers.moved(LABEL, *plain))["result"] == before["result"]
    again = shown(handlers.moved(LABEL, *near))
    assert again["result"] == after["result"] and "refine" not in again["keeper"]
    # Nothing of a visitor's photograph is on the disk.
    assert not (cache_folder() / "refined").exists()


def test_all_edits_are_of_the_refined_photograph_and_films_too(tmp_path: Path) -> None:
    studio, given = Studio(tiny_model()), files()
    upload = studio.taken_in(given["structure"])
    studio.refined.make(upload, 1.0, passed)
    drawing = studio.refined.find(studio.refined.wish(upload.sha256, 1.0))
    assert drawing.model is not studio.model
    for values in ({"amount": 0.0}, {"wider": 50.0}, {"shape": 0.5}, {"gains": [], "third": 0.0, "fine": 0.0}):
        plain, near = (studio.edit(given, values | {"fidelity": value}) for value in (0.0, 1.0))
        assert (plain.faithful, near.faithful) == (0.0, 1.0)
        assert not np.array_equal(np.asarray(plain.image), np.asarray(near.image))
        # What would not make this picture again is not carried by it.
        assert "swapae recipe" in plain.image.info and "swapae recipe" not in near.image.info
        assert "swapae model" in near.image.info
    _, context = studio.plan(given, {"fidelity": 1.0})
    assert context.model is drawing.model and context.photographs[0].codes is drawing.codes
    assert context.photographs[1].codes is studio.taken_in(given["texture"]).encoded.codes
    for kind in ("edit", "textures"):
        films = [
            make_film(studio, given, {"fidelity": value}, tmp_path / f"{value}.gif", FilmSettings(kind, frames=2))
            for value in (0.0, 1.0)
        ]
        first, second = (np.asarray(Image.open(film).convert("RGB")) for film in films)
        assert not np.array_equal(first, second)
    # A third of the way the codes alone are others.
    studio.refined.make(upload, 1 / 3, passed)
    assert studio.plan(given, {"fidelity": 1 / 3})[1].model is studio.model


def test_what_a_recipe_does_not_hold_is_said() -> None:
    studio, given = Studio(tiny_model()), files()
    studio.refined.make(studio.taken_in(given["structure"]), 0.5, passed)
    plain, near = (downloadable(studio.edit(given, {"fidelity": value}), 4.0) for value in (0.0, 0.5))
    assert len(plain["sizes"]) == 3 and "remark" not in plain
    assert len(near["sizes"]) == 1 and "no part of the recipe" in near["remark"]
    with pytest.raises(UserError, match=f'^set "{LABEL}" to 0 for a larger picture'):
        enlarge(studio, given, {"fidelity": 0.5}, 2.0, passed)
    (edit,) = edits_on(checked({"amount": 0.0, "fidelity": 0.5}), [])
    assert edit.words == f"{LABEL}: 50 %" and edit.without == {"fidelity": 0.0} and edit.tab == "swap"


def test_others_edits_go_between_the_steps() -> None:
    studio, given, order = Studio(tiny_model()), files(), []
    edit = threading.Thread(target=lambda: (studio.edit(given, {}), order.append("edit")))

    def watched(steps: Iterator, total: int) -> Iterator:
        for number in steps:
            order.append(number)
            if number == 2:
                edit.start()
                edit.join(WAIT)  # it ends while the photograph is refined
            yield number

    studio.refined.make(studio.taken_in(given["structure"]), 1.0, watched)
    assert order == [0, 1, 2, "edit", 3, 4] and studio.turns.waiting == 0


@pytest.mark.parametrize("how", ["another degree", "0", "cancel", "the visitor leaves"])
def test_it_stops_once_it_is_wanted_no_longer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str) -> None:
    handlers, gate = everything(monkeypatch, tmp_path), Gate(monkeypatch)
    near = inputs(handlers.visits, "a", fidelity=1.0)
    handlers.moved(LABEL, *near)
    mine = RefiningHandlers(handlers)
    news = mine.refined(*near)
    assert "Getting closer" in next(news)[0]
    gate.goes_on.release()
    assert "step 1 of 5" in next(news)[0]
    # Another picture of the same wish neither stops it nor begins it anew, and others' are no concern of it.
    other = shown(handlers.moved("Strength", *inputs(handlers.visits, "a", fidelity=1.0, amount=0.5)))
    assert "refine" not in other["keeper"] and bring(handlers, near) == [(gr.skip(), gr.skip())]
    if how == "cancel":
        *settings, note, button = mine.cancelled(*near)
        assert note == "" and not button.visible and 0.0 in settings
        assert handlers.visits.named(near[0]).values["fidelity"] == 0.0
    elif how == "the visitor leaves":
        handlers.under_way.wants("me", None)
    else:
        fidelity = 0.0 if how == "0" else 0.3
        again = shown(handlers.moved(LABEL, *inputs(handlers.visits, "a", fidelity=fidelity)))
        assert ("refine" in again["keeper"]) == (fidelity > 0)
    gate.goes_on.release()
    assert [one[0] for one in news][-1] == ""
    assert not len(handlers.models.first.refined)


def test_what_was_refined_is_forgotten_with_its_visits_and_never_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = Studio(tiny_model())
    upload = studio.taken_in(files()["structure"])
    wish = studio.refined.wish(upload.sha256, 0.3)
    studio.refined.make(upload, 0.3, passed, "one")
    assert studio.refined.find(wish, "two")
    studio.refined.leave("one")
    assert studio.refined.find(wish)
    studio.refined.leave("two")
    assert studio.refined.find(wish) is None and not len(studio.refined)
    for number in range(MOST + 2):
        studio.refined.make(upload._replace(sha256=str(number)), 0.3, passed, "one")
    assert len(studio.refined) == MOST and studio.refined.find(studio.refined.wish("1", 0.3)) is None
    assert studio.refined.wish("1", 0.0) is None
    # Where GPUs are lent for a picture at a time, nothing is refined.
    monkeypatch.setattr("swapae.apps.page.zerogpu.ACTIVE", True)
    assert not studio.refined.possible and studio.refined.wish("1", 1.0) is None


def test_a_model_that_cannot_be_loaded_again_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def gone() -> None:
        raise UserError("the model is gone")

    handlers = everything(monkeypatch, tmp_path)
    handlers.models.first.refined.trained = gone
    news = RefiningHandlers(handlers).refined(*inputs(handlers.visits, "a", fidelity=1.0))
    next(news)
    note, button = next(news)
    assert "The model is gone." in note and not button.visible
    with pytest.raises(gr.Error, match="The model is gone"):  # so that the picture is not asked for it for ever
        next(news)


@pytest.mark.slow
def test_in_a_browser_the_picture_comes_nearer_and_the_cross_takes_it_back(page: Page, tmp_path: Path) -> None:
    opening, slider = source(page), page.get_by_label(f"range slider for {LABEL}")
    slider.press("End")
    near = wait_for_another(page, opening)
    expect(page.locator("#refining")).to_be_hidden()
    expect(page.locator("#cancel-refining")).to_be_hidden()
    expect(page.locator("#edits")).to_contain_text(f"{LABEL}: 100 %")
    expect(page.locator("#download-remark")).to_contain_text("no part of the recipe")
    with Image.open(io.BytesIO(base64.b64decode(near.split(",")[1]))) as image:
        assert "swapae recipe" not in image.info
    page.get_by_label(f"Take away: {LABEL}").click()
    wait_for_source(page, opening)
    assert float(slider.input_value()) == 0
    expect(page.locator("#download-remark")).to_be_hidden()
    page.locator("#undo").click()
    wait_for_source(page, near)
    assert float(slider.input_value()) == 1
    page.locator("#reset").click()
    wait_for_source(page, opening)


@pytest.mark.slow
def test_in_a_browser_it_can_be_cancelled(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, opening, slider = Gate(monkeypatch), source(page), page.get_by_label(f"range slider for {LABEL}")
    slider.press("End")
    gate.goes_on.release()
    expect(page.locator("#refining")).to_contain_text("Getting closer to your photograph: step 1 of 5")
    expect(page.locator("#refining progress")).to_be_visible()
    # Meanwhile the picture can be edited.
    page.get_by_label("range slider for Strength").press("Home")
    edited = wait_for_another(page, opening)
    page.locator("#cancel-refining").click()
    gate.goes_on.release(2)
    expect(page.locator("#cancel-refining")).to_be_hidden()
    expect(page.locator("#refining")).to_be_hidden()
    expect(page.locator("#edits")).to_contain_text("No edits")
    assert float(slider.input_value()) == 0 and source(page) == edited
