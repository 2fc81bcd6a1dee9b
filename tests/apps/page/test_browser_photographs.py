"""The page in a real browser, headless, with a tiny random model: photographs come and go."""

from __future__ import annotations

import io
from pathlib import Path

import pillow_heif
import pytest
from browsing import drag, open_tab, source, upload, wait_for_another
from nasty import NASTY
from playwright.sync_api import Page, expect
from studio_page import painted

from swapae.apps.page.parts import MAX_FILE_SIZE

pytestmark = pytest.mark.slow


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
