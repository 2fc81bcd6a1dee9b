"""The page in a real browser, headless, with a tiny random model: what a visitor does and reads."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
import torch
from chromium import chromium
from gradio import route_utils
from nasty import NASTY
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from studio_page import encoded, free_port, launched, painted, served, tiny_directions, tiny_model

from app import build_demo
from swapae import SwapAE
from swapae.apps.page import filming
from swapae.apps.page import page as page_module
from swapae.apps.page.examples import examples
from swapae.apps.page.models import Models
from swapae.apps.page.parts import MAX_FILE_SIZE
from swapae.apps.page.studio import Studio
from swapae.editing.recipes import Recipe
from swapae.pictures.animation import save_animation
from swapae.pictures.images import to_pil

pytestmark = pytest.mark.slow

# Nothing that a browser does of its own accord over the network, and no sandbox, which root may not have.
TIMEOUT = 20_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    model = tiny_model()
    with served(model, tiny_directions(model)) as url:
        yield url


@contextmanager
def visited(browser: Browser, url: str) -> Iterator[Page]:
    """The page, opened; afterwards, that it asked only this machine and complained of nothing."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(TIMEOUT)
    expect.set_options(timeout=TIMEOUT)
    strangers: list[str] = []
    complaints: list[str] = []
    page.on(
        "request",
        lambda request: request.url.startswith((url, "data:", "blob:")) or strangers.append(request.url),
    )
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    expect(page.locator("#result img").last).to_be_visible()
    page.wait_for_function("window.swapae")
    yield page
    page.close()
    assert not strangers
    assert not complaints


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """The page, opened for one test."""
    with visited(browser, url) as page:
        yield page


@pytest.fixture(scope="module")
def shared_page(browser: Browser, url: str) -> Iterator[Page]:
    """The page, opened once for the tests of its tabs."""
    with visited(browser, url) as page:
        yield page


@pytest.fixture
def tabs(shared_page: Page) -> Iterator[Page]:
    """The shared page with all settings as it opened; afterwards they are reset."""
    opening = source(shared_page)
    yield shared_page
    if source(shared_page) != opening:
        shared_page.locator("#reset").click()
        shared_page.wait_for_function(
            "end => [...document.querySelectorAll('#result img')].at(-1).src.endsWith(end)", arg=opening
        )


def source(page: Page, where: str = "#result img") -> str:
    """The address of a picture, which Gradio derives from its pixels; of the comparison's two, the result's."""
    address = page.locator(where).last.get_attribute("src")
    assert address
    return address


def wait_for_another(page: Page, old: str, where: str = "#result img") -> str:
    """The new address, once the picture has changed and is drawn."""
    page.wait_for_function(
        """([where, old]) => {
            const image = [...document.querySelectorAll(where)].at(-1);
            return image && image.src && !image.src.endsWith(old) && image.complete && image.naturalWidth > 0;
        }""",
        arg=[where, old],
    )
    return source(page, where)


def upload(page: Page, role: str, path: Path) -> None:
    page.locator(f"#{role} input[type=file]").set_input_files(path)


@pytest.fixture
def photographs(tmp_path: Path) -> dict[str, Path]:
    files = {"structure": tmp_path / "structure.png", "texture": tmp_path / "texture.png"}
    files["structure"].write_bytes(encoded(painted(240, 120, seed=1)))
    files["texture"].write_bytes(encoded(painted(90, 120, seed=2)))
    return files


def test_opens_with_an_example_swapped_and_large(page: Page) -> None:
    for role in ("structure", "texture"):
        expect(page.locator(f"#{role} img")).to_be_visible()
    expect(page.locator("#status")).to_contain_text("64 x 64 pixels")
    boxes = {name: page.locator(f"#{name} img").first.bounding_box() for name in ("structure", "result")}
    assert boxes["result"]["width"] > 2 * boxes["structure"]["width"]
    assert boxes["result"]["height"] > 2 * boxes["structure"]["height"]
    expect(page.locator("#result img")).to_have_count(2)
    expect(page.locator("#credits")).to_contain_text("CC BY 2.0")
    expect(page.locator("#credits a").first).to_have_attribute(
        "href", "https://www.flickr.com/photos/90389546@N00/3440366251/"
    )
    expect(page.locator("#inputs").get_by_text("knows flowers")).to_have_count(0)  # it is not said of the examples


def test_uploads_and_the_slider_change_the_result(page: Page, photographs: dict[str, Path]) -> None:
    seen = [source(page)]
    before = page.locator("#result img").first.get_attribute("src")
    upload(page, "structure", photographs["structure"])
    seen.append(wait_for_another(page, seen[-1]))
    expect(page.locator("#structure").get_by_text("knows flowers; others come out rough")).to_be_visible()
    expect(page.locator("#status")).to_contain_text("128 x 64 pixels")
    assert page.locator("#result img").first.get_attribute("src") != before
    upload(page, "texture", photographs["texture"])
    seen.append(wait_for_another(page, seen[-1]))

    slider = page.get_by_label("range slider for Strength")
    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.9 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.3 * box["width"], middle, steps=8)
    page.mouse.up()
    assert 0.2 < float(slider.input_value()) < 0.4
    seen.append(wait_for_another(page, seen[-1]))

    slider.press("Home")
    assert float(slider.input_value()) == 0
    seen.append(wait_for_another(page, seen[-1]))
    slider.press("ArrowRight")
    assert float(slider.input_value()) == 0.01
    slider.press("End")
    assert float(slider.input_value()) == 1
    # Whatever the moves between showed: the last position wins, and it is the one of the uploads.
    page.wait_for_function("end => [...document.querySelectorAll('#result img')].at(-1).src.endsWith(end)", arg=seen[2])


def test_examples_work_at_the_first_click_and_by_keyboard(page: Page) -> None:
    opened, shown = source(page), source(page, "#structure img")
    buttons = page.locator("#examples button")
    buttons.nth(1).click()
    second = wait_for_another(page, opened)
    wait_for_another(page, shown, "#structure img")
    buttons.nth(2).press("Enter")
    wait_for_another(page, second)


def test_a_bad_upload_is_answered_beside_it(page: Page, photographs: dict[str, Path], tmp_path: Path) -> None:
    bad = tmp_path / "holiday.png"
    bad.write_bytes(b"not a picture at all")
    for role, other in (("structure", "texture"), ("texture", "structure")):
        before = source(page)
        upload(page, role, bad)
        sentence = page.locator(f"#{role}-problem .problem")
        expect(sentence).to_contain_text("The picture is not a picture of a known format")
        expect(page.locator(f"#{other}-problem .problem")).to_be_hidden()
        expect(sentence).to_contain_text("The photograph from before is kept")
        page.wait_for_function("id => document.querySelector(id)?.naturalWidth === 256", arg=f"#{role} img")
        assert source(page) == before

        upload(page, role, photographs[role])
        wait_for_another(page, before)
        expect(sentence).to_be_hidden()


DROP_BYTES = """(input, [bytes, name]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], name, {type: ''}));
    const options = {dataTransfer: data, bubbles: true, cancelable: true};
    input.parentElement.dispatchEvent(new DragEvent('drop', options));
}"""


DROP = """(input, [name, size]) => {
    const data = new DataTransfer();
    const type = name.endsWith('.png') ? 'image/png' : 'text/plain';
    data.items.add(new File([new Uint8Array(size)], name, {type}));
    const options = {dataTransfer: data, bubbles: true, cancelable: true};
    input.parentElement.dispatchEvent(new DragEvent('drop', options));
}"""


def test_files_that_cannot_be_sent_are_answered_beside_it(
    page: Page, photographs: dict[str, Path], tmp_path: Path
) -> None:
    before = source(page), source(page, "#texture img")
    sentence, input = page.locator("#texture-problem .problem"), page.locator("#texture input[type=file]")
    for name, size, answer in (
        ("notes.txt", 10, "not a picture"),
        ("large.png", MAX_FILE_SIZE + 1, "over 20 MB"),
    ):
        (tmp_path / name).write_bytes(bytes(size))
        for dropped in (False, True):
            if dropped:
                input.evaluate(DROP, [name, size])
            else:
                input.set_input_files(tmp_path / name)
            expect(sentence).to_contain_text(answer)
            expect(page.locator("#structure-problem .problem")).to_be_hidden()
            assert (source(page), source(page, "#texture img")) == before
            # A good one takes the sentence away, so that the next round reads its own.
            upload(page, "texture", photographs["texture" if dropped else "structure"])
            before = wait_for_another(page, before[0]), wait_for_another(page, before[1], "#texture img")
            expect(sentence).to_be_hidden()


def test_formats_that_no_browser_shows_are_shown(page: Page) -> None:
    before = source(page)
    upload(page, "texture", NASTY / "pillow_tiff_16bit_RGB.tiff")
    wait_for_another(page, before)
    page.wait_for_function("() => document.querySelector('#texture img')?.naturalWidth === 100")


@pytest.mark.parametrize("dropped", [False, True])
def test_heic_is_taken_though_the_browser_knows_no_such_kind(page: Page, dropped: bool) -> None:
    stream = io.BytesIO()
    pillow_heif.from_pillow(painted(70, 110, seed=5)).save(stream, quality=90)
    before, chooser = source(page), page.locator("#texture input[type=file]")
    if dropped:
        chooser.evaluate(DROP_BYTES, [list(stream.getvalue()), "phone.HEIC"])
    else:
        chooser.set_input_files({"name": "phone.heic", "mimeType": "", "buffer": stream.getvalue()})
    wait_for_another(page, before)
    page.wait_for_function("() => document.querySelector('#texture img')?.naturalWidth === 70")
    expect(page.locator("#texture-problem .problem")).to_have_count(0)


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


def wait_for_source(page: Page, address: str) -> None:
    """Wait until the result is this one."""
    expect(page.locator("#result img").last).to_have_attribute("src", address)


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


def open_tab(page: Page, name: str) -> None:
    """Show a tab; its controls are there, and those of the others are not."""
    page.get_by_role("tab", name=name, exact=True).click()
    tab = name.lower()
    expect(page.locator(f"#on-{tab}")).to_be_visible()
    assert page.locator("#controls > .tabbed:visible").count() == 1


def drag(page: Page, where: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    """The mouse held from one place of an element to another, in shares of its width and height."""
    element = page.locator(where)
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    page.mouse.move(box["x"] + start[0] * box["width"], box["y"] + start[1] * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + end[0] * box["width"], box["y"] + end[1] * box["height"], steps=5)
    page.mouse.up()


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


def test_further_photographs_appear_as_they_are_needed(page: Page, photographs: dict[str, Path]) -> None:
    opening = source(page)
    open_tab(page, "Mix")
    fifth, sixth = page.locator("#share-fifth"), page.locator("#sixth")
    expect(page.locator("#fifth")).to_be_visible()
    expect(sixth).to_be_hidden()
    expect(fifth).to_be_hidden()
    upload(page, "fifth", photographs["structure"])  # as high as the examples, so that it can be laid beside them
    expect(fifth).to_be_visible()
    expect(sixth).to_be_visible()
    page.get_by_label("range slider for Photograph 5").press("End")
    wait_for_another(page, opening)
    open_tab(page, "Regions")
    page.get_by_label("Look of 5", exact=True).check()
    expect(page.get_by_label("Look of 6")).to_be_hidden()
    drag(page, "#painter canvas", (0.3, 0.3), (0.7, 0.6))
    expect(page.locator("#status")).to_contain_text("outside what is painted")
    open_tab(page, "Structure")
    page.get_by_label("Photograph 5").last.check()
    expect(page.locator("#status")).to_contain_text("180 x 64 pixels")
    expect(page.get_by_label("Photograph 6").last).to_be_hidden()


def test_presets_show_this_photograph_with_the_edit_applied(page: Page, photographs: dict[str, Path]) -> None:
    pictures = page.locator("#try-swap img")
    expect(pictures).to_have_count(4)
    shown = [pictures.nth(number).get_attribute("src") for number in range(4)]
    assert len(set(shown)) == 4
    upload(page, "structure", photographs["structure"])
    page.wait_for_function("old => document.querySelector('#try-swap img')?.src !== old", arg=shown[0])
    open_tab(page, "Structure")
    expect(page.locator("#try-structure img")).to_have_count(4)


def test_light_and_dark(page: Page) -> None:
    def paper() -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light = paper()
    page.locator("#theme").click()
    assert paper() != light
    page.locator("#theme").click()
    assert paper() == light


def test_what_is_kept_of_a_visit_goes_with_it(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    studio, left = Studio(tiny_model()), threading.Event()
    leave = studio.uploads.leave
    monkeypatch.setattr(studio.uploads, "leave", lambda visit: (leave(visit), left.set()))
    with launched(page_module.Page(Models(studio)).build()) as url:
        page = browser.new_page()
        page.goto(url)
        expect(page.locator("#result img").last).to_be_visible()
        page.get_by_label("range slider for Strength").press("Home")
        page.wait_for_function("() => document.querySelectorAll('#history button').length === 2")
        assert len(studio.uploads)
        page.close()
        assert left.wait(TIMEOUT / 1000)
        assert not len(studio.uploads)


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


class Tomorrow(datetime):
    """A clock by which everything is a day old."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        """This time tomorrow."""
        return datetime.now(tz) + timedelta(days=1)


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


def test_numbers_that_cannot_be_are_said(page: Page) -> None:
    box, seen = page.locator("#amount input[type=number]"), source(page)
    box.fill("5")
    box.blur()
    expect(page.locator("#amount .number-note")).to_have_text("5 is not from 0 to 1: it is 1 now.")
    box.fill("")
    box.blur()
    expect(page.locator("#amount .number-note")).to_contain_text("The box was empty: it is ")
    box.fill("0")
    box.blur()
    wait_for_another(page, seen)
    expect(page.locator("#amount .number-note")).to_have_count(0)


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
