"""The page in a real browser: points dragged by mouse, by finger and by keys."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from browsing import drag, open_tab, source, visited, wait_for_another, wait_for_source
from playwright.sync_api import Browser, Page, expect
from studio_page import launched, tiny_model

from swapae.apps.page import page as page_module
from swapae.apps.page.models import Models
from swapae.apps.page.studio import Studio
from swapae.apps.page.visits import Visits
from swapae.editing.validation import Mask

pytestmark = pytest.mark.slow
WAIT = 60


@pytest.fixture(scope="module")
def visits_and_url() -> Iterator[tuple[Visits, Studio, str]]:
    """A page of its own, what it keeps of its visitors, and what makes its pictures."""
    studio = Studio(tiny_model())
    whole = page_module.Page(Models(studio))
    with launched(whole.build()) as url:
        yield whole.visits, studio, url


def kept_points(visits: Visits, page: Page) -> list:
    return visits.named(page.evaluate("sessionStorage.getItem('swapae visit')")).values["points"]


def settled(page: Page) -> str:
    """The address of the picture once all that was pulled is shown."""
    expect(page.locator("#dragger .board")).to_have_attribute("aria-busy", "false")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return source(page)


def test_points_are_pulled_live_held_taken_away_and_undone(
    browser: Browser, visits_and_url: tuple[Visits, Studio, str]
) -> None:
    visits, _, url = visits_and_url
    with visited(browser, url) as page:
        opening = source(page)
        open_tab(page, "Structure")
        knobs, canvas = page.locator(".knob"), page.locator("#dragger canvas")
        box = canvas.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"], steps=3)
        wait_for_another(page, opening)  # while it is held still
        page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.4 * box["height"], steps=3)
        page.mouse.up()
        first = settled(page)
        expect(page.locator("#edits")).to_contain_text("1 point dragged")
        expect(page.locator("#history button")).to_have_count(2)  # its way is one step
        (point,) = kept_points(visits, page)
        assert point == pytest.approx([0.5, 0.5, 0.8, 0.4], abs=0.01)

        # By keys: a mark that arrows move, a point there, its target moved, and away with it.
        canvas.press("ArrowLeft")
        canvas.press("Shift+ArrowDown")
        canvas.press("Space")
        expect(knobs.nth(1)).to_be_focused()
        expect(knobs.nth(1)).to_have_attribute(
            "aria-label", "Point 2, held at 48, 55. Arrow keys move it, Delete removes it."
        )
        knobs.nth(1).press("Shift+ArrowDown")
        wait_for_another(page, first)
        second = settled(page)
        assert kept_points(visits, page)[1] == pytest.approx([0.48, 0.55, 0.48, 0.6])
        knobs.nth(1).press("Delete")
        wait_for_source(page, first)
        expect(knobs.nth(0)).to_be_focused()
        page.keyboard.press("Control+z")
        wait_for_source(page, second)
        expect(knobs).to_have_count(2)
        page.get_by_label("Remove point 1").click()
        wait_for_another(page, second)
        alone = settled(page)
        expect(knobs).to_have_count(1)

        # What is painted stays where it is; the same brush takes it away again.
        page.get_by_label("Paint what stays").check()
        drag(page, "#dragger canvas", (0.1, 0.55), (0.9, 0.6))
        wait_for_another(page, alone)
        held = settled(page)
        expect(page.locator("#edits")).to_contain_text("Painted: not dragged")
        still = visits.named(page.evaluate("sessionStorage.getItem('swapae visit')")).values["still"]
        mask = Mask(still["height"], still["width"], tuple(still["runs"])).to_tensor()[0, 0]
        assert mask[:, 4:-4].amax(0).all() and not mask[:8].any()  # without gaps, however few the events
        page.reload()
        wait_for_source(page, held)
        expect(knobs).to_have_count(1)
        page.get_by_label("Take away: Painted: not dragged").click()
        wait_for_source(page, alone)
        page.get_by_role("button", name="The recipe in words").click()
        expect(page.locator("#words")).to_contain_text("8 points held")
        page.get_by_label("Take away: 1 point dragged").click()
        wait_for_source(page, opening)
        expect(knobs).to_have_count(0)


def test_one_request_is_under_way_and_the_latest_place_wins(
    browser: Browser, visits_and_url: tuple[Visits, Studio, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    visits, studio, url = visits_and_url
    gate, made, edit = threading.Semaphore(0), [], studio.edit

    def slowly(files: dict, values: dict, visit: str = "") -> object:
        if values["points"]:
            made.append(values["points"])
            assert gate.acquire(timeout=WAIT)
        return edit(files, values, visit)

    monkeypatch.setattr(studio, "edit", slowly)
    with visited(browser, url) as page:
        opening = source(page)
        open_tab(page, "Structure")
        asked: list[str] = []
        page.on("request", lambda request: "queue/join" in request.url and asked.append(request.post_data or ""))
        drag(page, "#dragger canvas", (0.3, 0.3), (0.5, 0.3))
        for place in (0.6, 0.7, 0.8):
            drag(page, "#dragger canvas", (place - 0.1, 0.3), (place, 0.3))
        assert sum('"points"' in one for one in asked) == 1
        gate.release(1)
        wait_for_another(page, opening)
        gate.release(1)
        settled(page)
        assert sum('"points"' in one for one in asked) == 2 == len(made)
        (point,) = kept_points(visits, page)
        assert point == pytest.approx([0.3, 0.3, 0.8, 0.3], abs=0.01)


def test_a_finger_pulls_on_a_phone_with_the_picture_in_view(
    browser: Browser, visits_and_url: tuple[Visits, Studio, str]
) -> None:
    visits, _, url = visits_and_url
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#result img").last).to_be_visible()
    page.wait_for_function("window.swapae")
    opening = source(page)
    open_tab(page, "Structure")
    page.locator("#dragger canvas").evaluate("(canvas) => canvas.scrollIntoView({block: 'end'})")
    box, picture = page.locator("#dragger canvas").bounding_box(), page.locator("#result img").last.bounding_box()
    assert picture["y"] >= 0 and picture["y"] + picture["height"] <= box["y"] + 1 and box["y"] + box["height"] <= 845
    fingers, before = context.new_cdp_session(page), page.evaluate("scrollY")

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in places]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (0.5, 0.4))
    for step in range(1, 6):
        touch("touchMove", (0.5, 0.4 + 0.06 * step))
    touch("touchEnd")
    wait_for_another(page, opening)
    settled(page)
    (point,) = kept_points(visits, page)
    assert point == pytest.approx([0.5, 0.4, 0.5, 0.7], abs=0.01) and page.evaluate("scrollY") == before
    cross = page.get_by_label("Remove point 1")
    assert cross.bounding_box()["height"] >= 44 and cross.bounding_box()["width"] >= 44
    cross.click()  # of 40 taps right after the scrolling to it, one reached nothing on a busy machine
    wait_for_source(page, opening)
    context.close()
