"""The page in a real browser: axe-core finds nothing serious, on a desk and a phone, light and dark, on every tab."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe import grave_findings, script
from browsing import upload, visited, wait_for_another
from playwright.sync_api import Browser, expect
from studio_page import launched, tiny_directions, tiny_model

from app import build_demo
from swapae.apps.page.tabs import INTRODUCTIONS
from swapae.apps.page.training.job import Trainings
from swapae.apps.page.training.told import TAB as TRAIN

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page with every tab that there may be."""
    model, trainings = tiny_model(), Trainings(tmp_path_factory.mktemp("models"))
    with launched(build_demo(model, tiny_directions(model), trainings=trainings)) as url:
        yield url


def test_axe_finds_what_is_serious(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content('<html lang="en"><title>x</title><main><img src="x.png"><p style="color: #eee">Hello</p></main>')
    page.evaluate(script())
    assert [one.split(":")[0] for one in grave_findings(page)] == ["color-contrast", "image-alt"]
    page.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["desk", "phone"])
def test_axe_finds_nothing_serious(
    browser: Browser, url: str, photographs: dict, size: tuple[int, int], dark: bool
) -> None:
    axe = script()
    with visited(browser, url) as page:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        if dark:
            page.locator("#theme").click()
        seen = page.locator("#result img").last.get_attribute("src")
        upload(page, "structure", photographs["structure"])
        wait_for_another(page, seen)
        page.evaluate(axe)
        found = []
        for tab, (name, _) in (INTRODUCTIONS | {"train": TRAIN}).items():
            page.get_by_role("tab", name=name, exact=True).click()
            controls = page.locator(f"#on-{tab}")
            expect(controls).to_be_visible()
            # All of it, with what is folded away at first, and what is folded away within.
            for _ in range(2):
                for folded in controls.locator("button.label-wrap:not(.open)").element_handles():
                    if folded.is_visible():
                        folded.click()
            found += [f"{tab}: {one}" for one in grave_findings(page)]
        assert not found, "\n".join(found)
