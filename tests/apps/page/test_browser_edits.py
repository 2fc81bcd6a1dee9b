"""The page in a real browser, headless, with a tiny random model: edits, undo and history."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from browsing import open_tab, source, upload, wait_for_another, wait_for_source
from PIL import Image
from playwright.sync_api import Page, expect
from studio_page import tiny_model

from swapae.apps.page.examples import examples
from swapae.editing.recipes import Recipe
from swapae.pictures.images import to_pil

pytestmark = pytest.mark.slow


def test_what_is_taken_away_or_refused_leaves_the_picture(page: Page, photographs: dict[str, Path]) -> None:
    seen, slider = source(page), page.get_by_label("range slider for Strength")
    shape = source(page, "#structure img")
    page.get_by_label("Remove the first photograph").click()
    expect(page.locator("#structure-problem")).to_contain_text("Add a photograph here, or pick an example")
    slider.press("Home")
    expect(page.locator("#status")).to_contain_text("Two photographs are needed")
    assert source(page) == seen
    page.locator("#undo").click()
    expect(page.locator("#structure img")).to_have_attribute("src", shape)
    expect(page.locator("#structure-problem")).to_be_hidden()
    assert float(slider.input_value()) == 1 and source(page) == seen

    # Wider and taller in one, with another beside it: that cannot be, and is said; one step back it is as before.
    open_tab(page, "Structure")
    page.get_by_label("range slider for Taller").press("End")
    seen = wait_for_another(page, seen)
    page.get_by_label("Photograph 3").last.check()
    expect(page.locator("#status")).to_contain_text("can be joined only while")
    assert source(page) == seen
    page.locator("#undo").click()
    expect(page.get_by_label("Photograph 3").last).not_to_be_checked()
    assert source(page) == seen

    page.get_by_role("button", name="Replay a recipe").click()
    (photographs["structure"].parent / "recipe.json").write_text("{}")
    page.locator("#recipe-in input[type=file]").set_input_files(photographs["structure"].parent / "recipe.json")
    page.locator("#recipe-in a").first.wait_for()
    page.locator("#replay").click()
    expect(page.locator("#replay-problem")).to_contain_text("The recipe must be an object of version 2")
    assert source(page) == seen
    page.locator("#examples button").nth(3).click()
    wait_for_another(page, seen)


def test_a_photograph_in_use_that_is_taken_away_is_used_no_longer(page: Page) -> None:
    opening = source(page)
    open_tab(page, "Mix")
    slider = page.get_by_label("range slider for Photograph 3")
    slider.press("End")
    mixed = wait_for_another(page, opening)
    expect(page.locator("#edits")).to_contain_text("Look of 3: 100 %")
    page.get_by_label("Remove the third photograph").click()
    wait_for_source(page, opening)
    expect(slider).to_be_hidden()
    expect(page.locator("#edits li")).to_have_count(1)
    open_tab(page, "Regions")
    expect(page.get_by_label("Look of 3")).to_be_hidden()
    page.keyboard.press("Control+z")
    wait_for_source(page, mixed)
    expect(page.locator("#third img")).to_be_visible()


def test_the_strip_lists_the_edits_of_all_tabs(page: Page) -> None:
    def dotted(tab: str) -> bool:
        return (
            page.evaluate("id => getComputedStyle(document.getElementById(id), '::after').content", f"tab-{tab}")
            != "none"
        )

    opening, edits = source(page), page.locator("#edits li")
    expect(edits).to_have_text(["Look of 2: 100 %\u2715"])
    open_tab(page, "Directions")
    page.get_by_label("range slider for Warm").press("End")
    moved = wait_for_another(page, opening)
    expect(edits).to_contain_text(["Look of 2: 100 %", "Warm +2"])
    assert dotted("swap") and dotted("directions") and not dotted("mix")
    page.get_by_label("Take away: Look of 2: 100 %").click()
    wait_for_another(page, moved)
    assert float(page.get_by_label("range slider for Strength").input_value()) == 0
    page.get_by_label("Take away: Warm +2").click()
    expect(page.locator("#edits")).to_contain_text("No edits")
    assert float(page.get_by_label("range slider for Warm").input_value()) == 0 and not dotted("directions")


def test_presets_show_this_photograph_with_the_edit_applied(page: Page, photographs: dict[str, Path]) -> None:
    pictures = page.locator("#try-swap img")
    expect(pictures).to_have_count(4)
    shown = [pictures.nth(number).get_attribute("src") for number in range(4)]
    assert len(set(shown)) == 4
    upload(page, "structure", photographs["structure"])
    page.wait_for_function("old => (document.querySelector('#try-swap img')?.src ?? old) !== old", arg=shown[0])
    open_tab(page, "Structure")
    expect(page.locator("#try-structure img")).to_have_count(4)


def test_undo_redo_history_and_downloads(page: Page, photographs: dict[str, Path], tmp_path: Path) -> None:
    seen = [source(page)]
    slider = page.get_by_label("range slider for Strength")
    slider.press("Home")
    seen.append(wait_for_another(page, seen[-1]))
    page.locator("#try-swap button").nth(0).click()
    seen.append(wait_for_another(page, seen[-1]))
    assert float(slider.input_value()) == 0.5
    steps = page.locator("#history button")
    expect(steps).to_have_count(3)

    def shows(number: int) -> None:
        page.wait_for_function(
            "end => [...document.querySelectorAll('#result img')].at(-1).src.endsWith(end)", arg=seen[number]
        )
        expect(steps.nth(number)).to_have_attribute("aria-current", "step")

    page.locator("#undo").click()
    shows(1)
    assert float(slider.input_value()) == 0
    page.keyboard.press("Control+z")
    shows(0)
    page.locator("#redo").click()
    shows(1)
    steps.nth(2).click()
    shows(2)
    page.get_by_role("button", name="The recipe in words").click()
    expect(page.locator("#words")).to_contain_text("50 % of the texture of texture")

    for what in ("picture", "recipe"):
        with page.expect_download() as download:
            page.locator(f"[data-save={what}]").click()
        download.value.save_as(tmp_path / what)
    recipe = Recipe.load(tmp_path / "recipe")
    with Image.open(tmp_path / "picture") as image:
        assert Recipe.from_json(image.text["swapae recipe"]) == recipe
        pixels = np.asarray(image)
    picture = recipe.replay(tiny_model(), [example.path for example in examples()])
    np.testing.assert_array_equal(to_pil(picture), pixels)

    page.locator("#reset").click()
    wait_for_another(page, seen[2])
    page.get_by_role("button", name="Replay a recipe").click()
    (tmp_path / "recipe").rename(tmp_path / "recipe.json")
    page.locator("#recipe-in input[type=file]").set_input_files(tmp_path / "recipe.json")
    page.locator("#recipe-in a").first.wait_for()
    page.locator("#replay").click()
    page.wait_for_function("end => [...document.querySelectorAll('#result img')].at(-1).src.endsWith(end)", arg=seen[2])
