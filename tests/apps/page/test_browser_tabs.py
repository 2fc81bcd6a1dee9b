"""The page in a real browser, headless, with a tiny random model: every tab."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsing import drag, open_tab, source, wait_for_another
from playwright.sync_api import Page, expect
from studio_page import painted

from swapae.pictures.animation import save_animation

pytestmark = pytest.mark.slow


def test_the_tab_mix_takes_a_third_texture(tabs: Page) -> None:
    seen = source(tabs)
    open_tab(tabs, "Mix")
    slider = tabs.get_by_label("range slider for Photograph 3")
    slider.press("End")
    wait_for_another(tabs, seen)
    assert float(slider.input_value()) == 1


def test_the_tab_regions_paints_by_brush_by_key_and_by_likeness(tabs: Page) -> None:
    seen = source(tabs)
    open_tab(tabs, "Regions")
    tabs.get_by_label("Look of 4").check()
    drag(tabs, "#painter canvas", (0.2, 0.5), (0.8, 0.5))
    seen = wait_for_another(tabs, seen)
    expect(tabs.locator("#status")).to_contain_text("outside what is painted")
    tabs.locator("#painter canvas").press("ArrowDown")
    tabs.get_by_label("Select similar by a click").check()
    tabs.locator("#painter canvas").press("Space")
    seen = wait_for_another(tabs, seen)
    tabs.locator("#painter [data-do='clear all']").click()
    seen = wait_for_another(tabs, seen)
    tabs.locator("#try-regions button").nth(1).click()
    wait_for_another(tabs, seen)
    tabs.get_by_label("Select similar by a click").uncheck()


def test_the_tab_directions_moves_along_names_and_axes(tabs: Page) -> None:
    seen = source(tabs)
    open_tab(tabs, "Directions")
    tabs.get_by_label("range slider for Warm").press("End")
    seen = wait_for_another(tabs, seen)
    tabs.get_by_role("button", name="Explore: numbered axes").click()
    for axis in ("texture2", "structure1", "layout2"):
        pictures = tabs.locator(f"#strip-{axis} img")
        expect(pictures).to_have_count(3)
        assert len({pictures.nth(number).get_attribute("src") for number in range(3)}) == 3
    expect(tabs.locator("#axis-texture3")).to_be_hidden()  # of which this model has none
    tabs.get_by_label("range slider for Structure as a whole: axis 2").press("End")
    wait_for_another(tabs, seen)


def test_the_tab_structure_widens_copies_and_cuts(tabs: Page) -> None:
    open_tab(tabs, "Structure")
    tabs.locator("#try-structure button").nth(0).click()
    expect(tabs.locator("#status")).to_contain_text("104 x 64 pixels")
    seen = source(tabs)
    tabs.locator("#try-structure button").nth(2).click()
    seen = wait_for_another(tabs, seen)
    tabs.get_by_role("button", name="Copy or move a piece").click()
    drag(tabs, "#cutter canvas", (0.1, 0.2), (0.6, 0.9))
    seen = wait_for_another(tabs, seen)
    tabs.get_by_role("button", name="The box in numbers").click()
    for edge, value in (("left", 10), ("top", 20), ("width", 50), ("height", 70)):
        shown = float(tabs.locator(f"#{edge} input[type=number]").input_value())
        assert abs(shown - value) <= 1, edge
    for _ in range(4):
        tabs.locator("#cutter canvas").press("Shift+ArrowRight")
    wait_for_another(tabs, seen)
    expect(tabs.locator("#width input[type=number]")).to_have_value("58")
    tabs.locator("#try-structure button").nth(0).click()
    expect(tabs.locator("#status")).to_contain_text("104 x 64 pixels")


def test_the_tab_motion_makes_films_and_restyles_a_video(tabs: Page, tmp_path: Path) -> None:
    open_tab(tabs, "Motion")
    tabs.get_by_label("range slider for Frames").first.press("Home")
    tabs.locator("#make-film").click()
    expect(tabs.locator("#film img")).to_be_visible()
    tabs.get_by_label("MP4").check()
    tabs.locator("#make-film").click()
    expect(tabs.locator("#video video")).to_be_visible()
    expect(tabs.locator("#film-file a").first).to_be_visible()
    tabs.get_by_role("button", name="Restyle a video").click()
    save_animation([painted(96, 64, 1)] * 3, tmp_path / "in.mp4", frames_per_second=5)
    tabs.locator("#video-in input[type=file]").set_input_files(tmp_path / "in.mp4")
    expect(tabs.locator("#video-in td[aria-label='in.mp4']")).to_be_visible()
    tabs.locator("#restyle").click()
    expect(tabs.locator("#film-problem")).to_contain_text("3 frames; steady where it stands still.")

    file = tabs.locator("#film-file a").first
    restyled = file.get_attribute("href")
    assert restyled
    tabs.get_by_label("Along a direction, both ways").check()
    tabs.locator("#make-film").click()
    expect(file).not_to_have_attribute("href", restyled)


def test_the_tab_of_the_model_describes_it(tabs: Page) -> None:
    tabs.get_by_role("tab", name="Your model", exact=True).click()
    expect(tabs.locator("#device")).to_contain_text("million parameters")


def test_the_tab_about_names_the_paper(tabs: Page) -> None:
    open_tab(tabs, "About")
    expect(tabs.locator("#on-about")).to_contain_text("arXiv:2007.00653")
