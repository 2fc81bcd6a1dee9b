"""The page in a real browser, headless, with a tiny random model: visitors who come, stay, reload and leave."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
import torch
from browsing import TIMEOUT, open_tab, source, upload, visited, wait_for_another, wait_for_source
from gradio import route_utils
from nasty import NASTY
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect
from studio_page import free_port, launched, served, tiny_directions, tiny_model

from app import build_demo
from swapae import SwapAE
from swapae.apps.page import filming
from swapae.apps.page import page as page_module
from swapae.apps.page.models import Models
from swapae.apps.page.studio import Studio

pytestmark = pytest.mark.slow


class Tomorrow(datetime):
    """A clock by which everything is a day old."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        """This time tomorrow."""
        return datetime.now(tz) + timedelta(days=1)


def test_what_is_kept_of_a_visit_goes_with_it(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    studio, left, gone = Studio(tiny_model()), threading.Event(), []
    leave = studio.uploads.leave
    monkeypatch.setattr(studio.uploads, "leave", lambda visit: (leave(visit), gone.append(visit), left.set()))
    with launched(page_module.Page(Models(studio)).build()) as url:
        page = browser.new_page()
        # By its heartbeat the server knows that a visit goes on; a page that loads itself again has a new one.
        visits: list[str] = []
        page.on("request", lambda request: "/heartbeat/" in request.url and visits.append(request.url.split("/")[-1]))
        page.goto(url)
        expect(page.locator("#result img").last).to_be_visible()
        page.wait_for_function("window.swapae")
        page.get_by_label("range slider for Strength").press("Home")
        page.wait_for_function("() => document.querySelectorAll('#history button').length === 2")
        assert visits and studio.uploads.visits
        page.close()
        while visits[-1] not in gone:
            assert left.wait(TIMEOUT / 1000), (visits, gone)
            left.clear()
        assert visits[-1] not in studio.uploads.visits, (visits, gone)


def test_a_model_the_operator_allowed_brings_its_directions(browser: Browser, tmp_path: Path) -> None:
    torch.manual_seed(3)
    other = SwapAE(tiny_model().config).eval()
    other.save_pretrained(tmp_path / "other")
    tiny_directions(other).save(tmp_path / "other" / "directions.safetensors", other)
    with served(tiny_model(), None, [str(tmp_path / "other")]) as url:
        page = browser.new_page()
        page.goto(url)
        expect(page.locator("#result img").last).to_be_visible()
        seen = source(page)
        open_tab(page, "Directions")
        expect(page.locator("#no-directions")).to_contain_text("no named directions yet")
        page.get_by_role("tab", name="Your model", exact=True).click()
        page.get_by_label("Model", exact=True).click()
        page.get_by_role("option", name="other", exact=True).click()
        seen = wait_for_another(page, seen)
        open_tab(page, "Directions")
        page.get_by_label("range slider for Warm").press("End")
        wait_for_another(page, seen)
        page.close()


def test_another_embedded_model_brings_its_examples(browser: Browser) -> None:
    with served(tiny_model()) as url:
        page = browser.new_page()
        page.goto(url)
        expect(page.locator("#result img").last).to_be_visible()
        seen, slot, tried = source(page), page.locator("#structure .drop img"), page.locator("#try-swap img").first
        daisy, halfway = slot.get_attribute("src"), tried.get_attribute("src")
        page.get_by_role("tab", name="Your model", exact=True).click()
        page.get_by_label("Model", exact=True).click()
        page.get_by_role("option", name="facades (comes with swapae)").click()
        wait_for_another(page, seen)
        expect(slot).not_to_have_attribute("src", str(daisy))
        expect(page.locator("#card textarea")).to_have_value(re.compile("building fronts"))
        open_tab(page, "Swap")
        expect(tried).not_to_have_attribute("src", str(halfway))
        seen, halfway = source(page), tried.get_attribute("src")
        page.locator("#examples button").nth(1).click()
        wait_for_another(page, seen)
        expect(page.locator("#examples button").nth(1)).to_have_attribute("title", re.compile("house"))
        expect(tried).not_to_have_attribute("src", str(halfway))  # after which nothing computes any longer
        page.close()


def test_a_film_can_be_cancelled_and_stops_when_its_visitor_leaves(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames come only as the test allows, so that nothing depends on how long they take."""
    allowed, film_frames = threading.Semaphore(0), filming.film_frames

    def slowly(*arguments: Any) -> Iterator[Image.Image]:
        for frame in film_frames(*arguments):
            assert allowed.acquire(timeout=60)
            yield frame

    monkeypatch.setattr(filming, "film_frames", slowly)
    model = tiny_model()
    with served(model, tiny_directions(model)) as url:
        page = browser.new_page()  # which is left while a request is under way, of which browsers complain
        page.set_default_timeout(TIMEOUT)
        page.goto(url)
        page.wait_for_function("window.swapae")
        open_tab(page, "Motion")
        page.locator("#make-film").click()
        expect(page.locator("#make-film")).to_have_text("Making the film ...")
        expect(page.locator("#make-film")).to_be_disabled()
        allowed.release(2)
        expect(page.locator("#film-problem")).to_contain_text("Frame 2 of 32")
        # Another visitor's slider does not wait for the film, whose third frame is under way.
        with visited(browser, url) as other:
            seen = source(other)
            other.get_by_label("range slider for Strength").press("Home")
            wait_for_another(other, seen)
        page.locator("#cancel-film").click()
        allowed.release()
        expect(page.locator("#film-problem")).to_contain_text("Stopped")
        expect(page.locator("#make-film")).to_be_enabled()
        expect(page.locator("#cancel-film")).to_have_count(0)

        page.locator("#make-film").click()
        allowed.release(2)
        expect(page.locator("#film-problem")).to_contain_text("Frame 2 of 32")
        page.reload()
        expect(page.locator("#result img").last).to_be_visible()
        expect(page.locator("#make-film")).to_be_enabled()
        allowed.release(30)
        page.locator("#make-film").click()  # the next film has all of the frames that are left for one
        expect(page.locator("#film-problem")).to_contain_text("Frame 2")
        page.close()


def test_a_reload_and_a_restart_of_the_server_keep_the_visit(
    browser: Browser, photographs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    page = browser.new_page()
    page.set_default_timeout(TIMEOUT)

    def everything() -> tuple[str, ...]:
        return (
            source(page),
            source(page, "#structure img"),
            page.get_by_label("range slider for Strength").input_value(),
        )

    def reloaded() -> None:
        page.goto(f"http://127.0.0.1:{port}/")
        expect(page.locator("#result img").last).to_be_visible()
        page.wait_for_function("window.swapae")

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "first"))
    with launched(build_demo(tiny_model()), port):
        reloaded()
        opening = source(page)
        upload(page, "structure", photographs["structure"])
        seen = wait_for_another(page, opening)
        page.get_by_label("range slider for Strength").press("Home")
        wait_for_another(page, seen)
        before = everything()
        reloaded()
        wait_for_source(page, before[0])
        expect(page.locator("#history button")).to_have_count(3)
        assert everything() == before
        page.locator("#undo").click()
        wait_for_source(page, seen)
        page.locator("#redo").click()
        wait_for_source(page, before[0])

    # The server knows nothing any more, not even the files; the browser does.
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "second"))
    with launched(build_demo(tiny_model()), port):
        reloaded()
        expect(page.locator("#keeper")).to_contain_text("started anew")
        assert source(page) == opening
        page.get_by_role("button", name="Go on where I was").click()
        wait_for_source(page, before[0])
        assert everything() == before
        expect(page.locator("#keeper .lost")).to_be_hidden()
    page.close()


def test_a_page_that_stayed_open_over_a_restart_can_begin_anew(browser: Browser, photographs: dict[str, Path]) -> None:
    port = free_port()
    page = browser.new_page()
    page.set_default_timeout(TIMEOUT)
    with launched(build_demo(tiny_model()), port):
        page.goto(f"http://127.0.0.1:{port}/")
        expect(page.locator("#result img").last).to_be_visible()
        page.wait_for_function("window.swapae")
        opening = source(page)
        page.get_by_label("range slider for Strength").press("Home")
        wait_for_another(page, opening)
    with launched(build_demo(tiny_model()), port):
        page.get_by_label("range slider for Strength").press("End")
        expect(page.locator("#keeper .lost")).to_be_visible()
        page.get_by_role("button", name="Begin anew").click()
        wait_for_source(page, opening)
        page.wait_for_function("window.swapae")
        expect(page.locator("#keeper .lost")).to_be_hidden()
        upload(page, "structure", photographs["structure"])
        wait_for_another(page, opening)
        expect(page.locator("#history button")).to_have_count(2)
        page.close()


def test_a_reload_keeps_the_photographs_of_both_kinds_and_after_a_restart_it_is_said_that_they_are_gone(
    browser: Browser, photographs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    port = free_port()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(TIMEOUT)
    model = tiny_model()

    def opened() -> None:
        page.goto(f"http://127.0.0.1:{port}/")
        expect(page.locator("#result img").last).to_be_visible()
        page.wait_for_function("window.swapae")

    def files(kind: str) -> Locator:
        return page.locator(f"#{kind} td[aria-label]")

    with launched(build_demo(model), port):
        opened()
        open_tab(page, "Directions")
        expect(files("from")).to_have_count(2)
        page.locator("#from").get_by_label("Remove all: Photographs of the one kind").click()
        page.locator("#from input[type=file]").set_input_files([photographs["structure"], photographs["texture"]])
        expect(page.locator("#from td[aria-label='structure.png']")).to_be_visible()
        seen = source(page)
        page.locator("#translation input[type=range]").press("End")
        moved = wait_for_another(page, seen)
        opened()
        wait_for_source(page, moved)
        for name in ("structure.png", "texture.png"):
            expect(page.locator(f"#from td[aria-label='{name}']")).to_be_visible()
        expect(files("to")).to_have_count(2)  # those that were there from the first
        page.locator("#translation input[type=range]").press("Home")
        page.locator("#translation input[type=range]").press("End")
        wait_for_source(page, moved)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "second"))
    with launched(build_demo(model), port):
        opened()
        expect(page.locator("#keeper .kinds")).to_contain_text("give those again")
    page.close()


def test_a_result_has_no_address_that_others_could_fetch(page: Page) -> None:
    assert source(page).startswith("data:image/png;base64,")
    assert all(address.startswith("data:") for address in page.evaluate("[...document.images].map((one) => one.src)"))


def test_what_visitors_leave_behind_is_deleted(
    browser: Browser, photographs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files() -> set[Path]:
        return {path for path in cache.rglob("*") if path.is_file()}

    def sweep(blocks: object, age: int | None) -> None:
        delete(blocks, age)
        swept.set()

    swept, delete = threading.Event(), route_utils.delete_files_created_by_app
    monkeypatch.setattr(route_utils, "delete_files_created_by_app", sweep)
    cache = tmp_path / "cache"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(cache))
    monkeypatch.setattr(page_module, "DELETE_CACHE", (1, page_module.DELETE_CACHE[1]))
    with served(tiny_model()) as url:
        page_itself = files()
        assert page_itself
        page = browser.new_page()
        page.goto(url)
        expect(page.locator("#result img").last).to_be_visible()
        seen = source(page)
        upload(page, "structure", photographs["structure"])
        seen = wait_for_another(page, seen)
        upload(page, "texture", NASTY / "pillow_broken.png")
        expect(page.locator("#texture-problem")).to_contain_text("damaged")
        page.get_by_label("range slider for Strength").press("Home")
        wait_for_another(page, seen)
        assert files() > page_itself
        page.close()
        monkeypatch.setattr(route_utils, "datetime", Tomorrow)
        # A handler that was under way may leave a file after a sweep; the next one takes it.
        for _ in range(20):
            swept.clear()
            assert swept.wait(TIMEOUT / 1000)
            if files() == page_itself:
                return
        assert files() == page_itself
