"""Changes that come while an earlier one is under way: the newest is shown, and nothing that was set is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import gradio as gr
import pytest
from browsing import TIMEOUT, open_tab, source, visited
from playwright.sync_api import Browser, expect
from studio_page import launched, tiny_directions, tiny_model
from visiting import everything, inputs, shown

from swapae.apps.page.addresses import png_address
from swapae.apps.page.handlers import NOTHING_NEW
from swapae.apps.page.models import Models
from swapae.apps.page.page import Page
from swapae.apps.page.settings import DEFAULTS
from swapae.apps.page.slot_handlers import SlotHandlers
from swapae.apps.page.studio import Result, Studio

WAIT = 60


class Held:
    """Edits of a studio that are made, but not given before the test lets them go."""

    def __init__(self, studio: Studio, monkeypatch: pytest.MonkeyPatch, which: Callable[[dict], bool]) -> None:
        self.under_way, self.go_on = threading.Event(), threading.Event()
        edit = studio.edit

        def held(files: dict, values: dict, visit: str = "") -> Result:
            result = edit(files, values, visit)
            if which(values):
                self.under_way.set()
                assert self.go_on.wait(WAIT)
            return result

        monkeypatch.setattr(studio, "edit", held)


class Asked:
    """The numbers of the changes that were asked for."""

    def __init__(self, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
        self.numbers: set[int] = set()
        self.news, asked = threading.Condition(), page.visits.asked

        def heard(name: object, turn: Any) -> None:
            asked(name, turn)
            with self.news:
                self.numbers |= {turn} if turn else set()
                self.news.notify_all()

        monkeypatch.setattr(page.visits, "asked", heard)

    def wait_for(self, count: int) -> None:
        with self.news:
            assert self.news.wait_for(lambda: len(self.numbers) >= count, WAIT), self.numbers


RECORD = """() => {
    window.shown = [];
    const image = [...document.querySelectorAll('#result img')].at(-1);
    new MutationObserver(() => window.shown.push(image.src)).observe(image, {attributeFilter: ['src']});
}"""


@pytest.mark.slow
def test_a_slow_try_does_not_win_over_a_slider_that_was_moved_meanwhile(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = Studio(tiny_model())
    whole = Page(Models(studio))
    demo = whole.build()
    held = Held(studio, monkeypatch, lambda values: values["keep"] == "luminance" and values["amount"] == 1)
    with launched(demo) as url, visited(browser, url) as page:
        asked = Asked(whole, monkeypatch)
        page.evaluate(RECORD)
        page.locator("#try-swap button").nth(1).click()  # "Colours only"
        assert held.under_way.wait(WAIT)
        slider = page.get_by_label("range slider for Strength")
        slider.press("Home")
        asked.wait_for(3)  # of the preset, of its picture, of the slider
        held.go_on.set()
        files = whole.visits.opening.files()
        both = png_address(studio.edit(files, DEFAULTS | {"keep": "luminance", "amount": 0.0}).image)
        expect(page.locator("#result img").last).to_have_attribute("src", both, timeout=TIMEOUT)
        # It is what the controls say, and the only picture that was shown or is in the history.
        assert page.evaluate("window.shown") == [both]
        expect(page.locator("#history button")).to_have_count(2)
        expect(page.get_by_label("Light and dark", exact=True)).to_be_checked()
        assert float(slider.input_value()) == 0


@pytest.mark.slow
def test_undo_is_not_overtaken_by_what_it_undoes(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()
    studio = Studio(model, tiny_directions(model))
    whole = Page(Models(studio))
    demo = whole.build()
    held = Held(studio, monkeypatch, lambda values: values["gains"][0] == 2)
    with launched(demo) as url, visited(browser, url) as page:
        asked = Asked(whole, monkeypatch)
        opening = source(page)
        page.get_by_label("range slider for Strength").press("Home")
        expect(page.locator("#history button")).to_have_count(2)
        page.evaluate(RECORD)
        open_tab(page, "Directions")
        warm = page.get_by_label("range slider for Warm")
        warm.press("End")
        assert held.under_way.wait(WAIT)
        page.locator("#undo").click()
        asked.wait_for(4)  # of both sliders, of undo, of its picture
        held.go_on.set()
        expect(page.locator("#result img").last).to_have_attribute("src", opening, timeout=TIMEOUT)
        assert page.evaluate("window.shown") == [opening]
        expect(page.locator("#history button")).to_have_count(2)
        assert float(warm.input_value()) == 0


def test_a_result_is_dropped_once_a_newer_one_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    handlers = everything(monkeypatch, tmp_path)
    name = f"{handlers.visits.start}.a"
    handlers.moved("Strength", *inputs(handlers.visits, "a", turn=1, amount=0.5))
    studio = handlers.models.first
    edit = studio.edit
    monkeypatch.setattr(studio, "edit", lambda *given: (handlers.visits.asked(name, 3), edit(*given))[1])
    assert handlers.moved("Strength", *inputs(handlers.visits, "a", turn=2, amount=0.1)) == NOTHING_NEW
    # One that comes late is not even made, and a refusal of it is not said.
    monkeypatch.setattr(studio, "edit", lambda *given: pytest.fail("it was made"))
    for amount in (0.2, 9):
        assert handlers.moved("Strength", *inputs(handlers.visits, "a", turn=2, amount=amount)) == NOTHING_NEW
    monkeypatch.setattr(studio, "edit", edit)
    newest = shown(handlers.moved("Fine", *inputs(handlers.visits, "a", turn=3, amount=0.2)))
    assert newest["strip"].count("<button") == 2
    kept = handlers.visits.named(name)
    assert [step.values["amount"] for step in kept.history.steps] == [0.5, 0.2]
    # Another visit's numbers are its own.
    assert handlers.moved("Strength", *inputs(handlers.visits, "b", turn=1, amount=0.2)) != NOTHING_NEW


def test_a_photograph_stays_though_its_picture_was_overtaken(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    handlers = everything(monkeypatch, tmp_path)
    slots, name = SlotHandlers(handlers), f"{handlers.visits.start}.a"
    handlers.visits.asked(name, 2)
    pair = slots.picked_pair(gr.EventData(None, {"number": 1}), *inputs(handlers.visits, "a", turn=1))
    assert pair[-9:] == NOTHING_NEW and pair[0]["preview"]
    newest = handlers.moved("Strength", *inputs(handlers.visits, "a", turn=2, amount=0.2))
    assert newest != NOTHING_NEW
    assert handlers.visits.named(name).paths["structure"] != handlers.visits.opening.paths["structure"]


def test_who_lost_the_connection_is_kept_for_again_at_the_next_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    handlers = everything(monkeypatch, tmp_path)
    name, uploads = f"{handlers.visits.start}.a", handlers.models.first.uploads
    handlers.models.leave("me")
    handlers.moved("Strength", *inputs(handlers.visits, "a", turn=1, amount=0.5))  # was under way
    assert not uploads.visits
    handlers.asked(gr.EventData(None, {"name": name, "turn": 2}))
    handlers.moved("Strength", *inputs(handlers.visits, "a", turn=2, amount=0.2))
    assert uploads.visits == {"me"}


@pytest.mark.parametrize("turn", [None, 0, -1, 1.5, True, "7", [3]])
def test_what_is_no_number_of_a_change_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, turn: object) -> None:
    handlers = everything(monkeypatch, tmp_path)
    handlers.asked(gr.EventData(None, {"name": f"{handlers.visits.start}.a", "turn": turn}))
    assert handlers.moved("Strength", *inputs(handlers.visits, "a", turn=1, amount=0.2)) != NOTHING_NEW
