"""The page in a real browser: Explore tells how far it is in one place, and nobody waits at the previews of others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import open_tab, source, visited, wait_for_another
from playwright.sync_api import Browser, expect
from studio_page import launched, tiny_directions, tiny_model

from swapae.apps.page.models import Models
from swapae.apps.page.page import Page
from swapae.apps.page.studio import Studio

pytestmark = pytest.mark.slow
# Whatever of Gradio's or ours tells that something is under way.
TELLS = "progress, [role=status], .eta-bar, .progress-text, .progress-level, .loader, .wrap.default, .wrap.full"


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Semaphore, str]]:
    """Previews of axes that come only as the test allows, and the address of their page."""
    model, gate = tiny_model(), threading.Semaphore(0)
    studio = Studio(model, tiny_directions(model))
    demo, glimpse = Page(Models(studio)).build(), studio.glimpse

    def slowly(files: Any, values: Any, visit: str = "") -> Any:
        if any(values["axes"]):
            assert gate.acquire(timeout=60)
        return glimpse(files, values, visit)

    monkeypatch.setattr(studio, "glimpse", slowly)
    with launched(demo) as url:
        yield gate, url
        gate.release(100)


def test_explore_tells_how_far_it_is_in_one_place(browser: Browser, allowed: tuple[threading.Semaphore, str]) -> None:
    gate, url = allowed
    with visited(browser, url) as page:
        open_tab(page, "Directions")
        page.get_by_role("button", name="Explore: numbered axes").click()
        expect(page.locator("#exploring")).to_contain_text("Making previews")
        gate.release(4)  # two axes
        expect(page.locator("#strip-texture2 img")).to_have_count(3)
        expect(page.locator("#exploring progress")).to_have_attribute("value", "2")
        told = page.evaluate(
            """(tells) => [...document.querySelectorAll(`#on-directions :is(${tells})`)]
                .filter((one) => one.checkVisibility({opacityProperty: true, visibilityProperty: true}))
                .filter((one) => !one.closest('#exploring .making'))
                .map((one) => one.outerHTML)""",
            TELLS,
        )
        assert told == []
        expect(page.locator("#exploring .making")).to_have_count(1)
        gate.release(100)
        expect(page.locator("#strip-layout2 img")).to_have_count(3)
        expect(page.locator("#exploring .making")).to_have_count(0)


def test_nobody_waits_at_the_previews_of_others(browser: Browser, allowed: tuple[threading.Semaphore, str]) -> None:
    gate, url = allowed
    with visited(browser, url) as page, visited(browser, url) as other:
        open_tab(page, "Directions")
        page.get_by_role("button", name="Explore: numbered axes").click()
        gate.release(2)
        expect(page.locator("#exploring progress")).to_have_attribute("value", "1")
        # The others' previews come no further, and yet this slider acts, and so does the one's own.
        for one, slider in ((other, "Strength"), (page, "Warm")):
            seen = source(one)
            one.get_by_label(f"range slider for {slider}").press("End" if slider == "Warm" else "Home")
            wait_for_another(one, seen)
        expect(page.locator("#exploring progress")).to_have_attribute("value", "1")
        gate.release(100)
        expect(page.locator("#exploring .making")).to_have_count(0)
