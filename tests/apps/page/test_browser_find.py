"""The page in a real browser: photographs of a folder are found and used, and nothing tells where they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe import grave_findings, script
from browsing import open_tab, source, visited, wait_for_another
from playwright.sync_api import Browser, expect
from studio_page import encoded, launched, painted, tiny_directions, tiny_model

from swapae.apps.page.launch import build_demo
from swapae.apps.page.photographs import PhotographFolder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page with a folder of six photographs and a broken one."""
    place, cache = tmp_path_factory.mktemp("hidden-place"), tmp_path_factory.mktemp("cache")
    for seed in range(6):
        (place / f"holiday {seed}.png").write_bytes(encoded(painted(64, 64, seed)))
    (place / "broken.jpg").write_bytes(b"nothing")
    model = tiny_model()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        offered = PhotographFolder(place)
        with launched(build_demo(model, tiny_directions(model), photographs=offered)) as url:
            yield url


def test_photographs_are_found_and_used(browser: Browser, url: str, tmp_path: Path) -> None:
    with visited(browser, url) as page:
        answers: list[str] = []
        page.on("response", lambda answer: "queue/data" not in answer.url and answers.append(answer.url))
        open_tab(page, "Find")
        found = page.locator(".found li")
        expect(found).to_have_count(6)
        expect(page.locator("#finder")).to_contain_text("6 photographs to find; 1 file cannot be read and is left out.")
        seen, look = source(page), source(page, "#texture img")
        found.nth(2).get_by_role("button", name="Use look").click()
        seen = wait_for_another(page, seen)
        assert source(page, "#texture img") != look
        shape = source(page, "#structure img")
        found.nth(4).get_by_role("button", name="Use shape").focus()
        page.keyboard.press("Enter")
        hybrid = wait_for_another(page, seen)
        assert source(page, "#structure img") != shape
        page.keyboard.press("Control+z")
        wait_for_another(page, hybrid)
        assert source(page, "#structure img") == shape

        # By a photograph of one's own, the same as one of the folder.
        (tmp_path / "own.png").write_bytes(encoded(painted(64, 64, 3)))
        page.locator("#find-other input[type=file]").set_input_files(tmp_path / "own.png")
        expect(page.locator("#find-other a").first).to_be_visible()
        page.get_by_label("Layout").check()
        page.get_by_label("Another", exact=True).check()
        page.locator("#find-search").click()
        expect(found.first.locator("img")).to_have_attribute("alt", "Photograph 1, 100 % alike")
        kept = page.evaluate("sessionStorage.getItem('swapae saved')")
        for text in (page.content(), kept, *answers):
            assert "hidden-place" not in text and "holiday" not in text


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_on_find(browser: Browser, url: str, dark: bool) -> None:
    axe = script()
    with visited(browser, url) as page:
        if dark:
            page.locator("#theme").click()
        open_tab(page, "Find")
        expect(page.locator(".found li")).to_have_count(6)
        page.evaluate(axe)
        for width, height in ((1440, 900), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            assert not grave_findings(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        for button in page.locator(".found button").all():
            assert button.bounding_box()["height"] >= 44
