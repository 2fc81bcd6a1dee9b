"""The page in a real browser, headless, with a tiny random model: how it looks, and works by keys."""

from __future__ import annotations

import pytest
from browsing import open_tab, source, wait_for_another, wait_for_source
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.slow


def test_light_and_dark(page: Page) -> None:
    def paper() -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light = paper()
    page.locator("#theme").click()
    assert paper() != light
    page.locator("#theme").click()
    assert paper() == light


def test_a_phone_has_the_photographs_first_and_the_picture_stays(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    tops = [page.locator(name).bounding_box()["y"] for name in ("#structure", "#examples", "#result", "#amount")]
    assert tops == sorted(tops) and tops[0] < 300
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    result = page.locator("#result img").last
    assert result.bounding_box()["width"] > 300 and result.bounding_box()["y"] + result.bounding_box()["height"] < 844
    open_tab(page, "Directions")
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    for control in ("#tabs [role=tab]", ".remove", "#actions button", ".edits button", ".compare button"):
        for target in page.locator(control).all():
            box = target.bounding_box()
            assert box is None or min(box["width"], box["height"]) >= 44, control
    page.locator("#on-directions").evaluate("(controls) => controls.scrollIntoView({block: 'end'})")
    assert 0 <= result.bounding_box()["y"] < 200


def test_a_desk_has_all_of_the_first_screen_and_the_picture_stays(page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    for what in ("#structure", "#texture", "#examples", "#result", "#actions", "#history"):
        box = page.locator(what).bounding_box()
        assert box["y"] + box["height"] <= 900, what
    open_tab(page, "Directions")
    page.get_by_role("button", name="Explore: numbered axes").click()
    expect(page.locator("#strip-layout2 img")).to_have_count(3)
    page.locator("#on-directions").evaluate("(controls) => controls.scrollIntoView({block: 'end'})")
    box = page.locator("#result img").last.bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= 900
    assert page.evaluate("document.documentElement.scrollHeight") < 2400


def test_numbers_that_cannot_be_are_said(page: Page) -> None:
    box, note, opening = page.locator("#amount input[type=number]"), page.locator("#amount .number-note"), source(page)
    box.fill("0.5")
    halfway = wait_for_another(page, opening)
    box.fill("5")
    box.blur()
    expect(note).to_have_text("5 is not from 0 to 1: it is 1 now.")
    wait_for_source(page, opening)  # the picture is of what the box says
    box.fill("0.5")
    expect(note).to_have_count(0)
    wait_for_source(page, halfway)
    box.fill("")
    box.blur()
    expect(note).to_have_text("The box was empty: it is 0.5 again.")
    expect(box).to_have_value("0.5")
    expect(page.locator("#edits")).to_contain_text("50 %")
    assert "must be a number" not in page.locator("body").inner_text()
    box.fill("0")
    wait_for_another(page, halfway)


def test_the_handle_moves_by_keys_and_everything_has_a_name_of_its_own(page: Page) -> None:
    handle = page.get_by_label("Compare: how much of the photograph is shown")
    handle.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert handle.get_attribute("aria-valuetext") == "15 per cent photograph"
    page.get_by_role("tab", name="Swap", exact=True).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#on-mix")).to_be_visible()
    names = page.evaluate(
        """() => [...document.querySelectorAll('#page button, #page input[type=file]')]
            .filter((one) => one.checkVisibility() && one.getAttribute('role') !== 'group')
            .map((one) => one.getAttribute('aria-label') || one.textContent.trim())"""
    )
    assert all(names)
    unclear = {name for name in names if names.count(name) > 1} - {"Reset to default value"}
    assert not unclear
    assert not page.evaluate("[...document.images].filter((one) => !one.hasAttribute('alt')).length")
