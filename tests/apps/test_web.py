"""The page that swaps in the browser, in a real one: what it computes, and what a visitor does and reads."""

from __future__ import annotations

import base64
import functools
import http.server
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from chromium import chromium
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect
from studio_page import painted

from swapae import Codes, SwapAE
from swapae.apps.browser.runtime import RUNTIME_VERSION, version_of
from swapae.apps.page.examples import examples, examples_of, showcase
from swapae.editing.recipes import ModelId
from swapae.pictures.images import fit, load_image, to_pil

TIMEOUT = 60_000
ISOLATION = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
# Of 255: rounding differs, and browsers decode JPEG files a little differently than Pillow.
LEVELS, JPEG_LEVELS = 2, 8


@pytest.mark.slow
def test_the_folder_is_a_static_space_and_asks_nobody(web_page: Path) -> None:
    head, text = (web_page / "README.md").read_text().split("---\n")[1:3]
    space = yaml.safe_load(head)
    assert (space["sdk"], space["app_file"], space["license"]) == ("static", "index.html", "apache-2.0")
    assert space["custom_headers"]["cross-origin-opener-policy"] == "same-origin"
    for example in examples_of(showcase(None)):
        assert f"| {example.path.name} | {example.author} | {example.url} | {example.licence} |" in text
        assert (web_page / "examples" / example.path.name).read_bytes() == example.path.read_bytes()
    ours = [web_page / name for name in ("index.html", "app.js", "worker.js", "style.css")]
    assert not any(re.search(r"https?://(?!')", path.read_text()) for path in ours)
    assert not any("innerHTML" in path.read_text() for path in ours)
    page = json.loads((web_page / "page.json").read_text())
    assert all((web_page / name).stat().st_size == size for name, size in page["bytes"].items())
    assert page["metadata"] == ModelId.of(SwapAE.default()).metadata()
    assert "Microsoft" in (web_page / "runtime/LICENSE.txt").read_text()


@pytest.fixture(scope="module")
def browser(runtime: Path | None) -> Iterator[Browser]:
    if runtime is None:
        pytest.skip("onnxruntime-web is not there: `make test` downloads it where npm is installed")
    assert version_of(runtime) == RUNTIME_VERSION, "`make test` downloads the version that the page is for"
    with chromium() as browser:
        yield browser


class Server:
    """The folder, over HTTP on this machine; with `headers` in every answer."""

    def __init__(self, folder: Path) -> None:
        self.headers: dict[str, str] = {}
        server = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def end_headers(self) -> None:
                for name, value in server.headers.items():
                    self.send_header(name, value)
                super().end_headers()

            def log_message(self, *_: object) -> None:
                pass

        handler = functools.partial(Handler, directory=str(folder))
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def server(web_page: Path) -> Iterator[Server]:
    server = Server(web_page)
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def opened(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Open the page; afterwards, that it asked only this machine and complained of nothing."""
    pages: list[Page] = []
    strangers: list[str] = []
    complaints: list[str] = []

    def open_page(width: int = 1280, headers: dict[str, str] | None = None) -> Page:
        server.headers = headers or {}
        page = browser.new_page(viewport={"width": width, "height": 844})
        pages.append(page)
        page.set_default_timeout(TIMEOUT)
        expect.set_options(timeout=TIMEOUT)
        page.on(
            "request",
            lambda request: request.url.startswith((server.url, "data:", "blob:")) or strangers.append(request.url),
        )
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.url)
        expect(page.locator("#output")).to_have_attribute("data-alpha", "1")
        return page

    yield open_page
    for page in pages:
        page.close()
    assert not strangers
    assert not complaints


def canvas(page: Page, where: str = "#result") -> np.ndarray:
    """What a canvas shows, [H, W, 3] of int."""
    address = page.locator(where).evaluate("canvas => canvas.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))).convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def model() -> SwapAE:
    return SwapAE.default()


@torch.no_grad()
def hybrid(model: SwapAE, structure: Path, texture: Path, alpha: float = 1.0) -> np.ndarray:
    """What the package makes of the two files."""
    size = (model.config.image_size, model.config.stride, model.config.minimum_side)
    fitted = [fit(load_image(path), *size) for path in (structure, texture)]
    codes = [model.encode(one.tensor) for one in fitted]
    mixed = torch.lerp(codes[0].texture, codes[1].texture, alpha)
    images = model.decode(Codes(codes[0].structure, mixed), noise="zero")
    return np.asarray(to_pil(images, fitted[0].size)).astype(int)


def assert_same(shown: np.ndarray, wanted: np.ndarray, levels: int) -> None:
    assert shown.shape == wanted.shape
    difference = np.abs(shown - wanted)
    assert difference.max() <= levels and difference.mean() < levels / 8, (difference.max(), difference.mean())


def wait_for(page: Page, alpha: str) -> None:
    """Until the hybrid of the slider's place is drawn."""
    expect(page.locator("#output")).to_have_attribute("data-alpha", alpha)
    expect(page.locator("#status")).to_contain_text("decoded in")


def choose(page: Page, role: str, path: Path) -> None:
    """Upload a photograph, and wait until it is decoded."""
    before = canvas(page)
    page.locator(f"#{role} input[type=file]").set_input_files(path)
    while (now := canvas(page)).shape == before.shape and (now == before).all():
        page.wait_for_timeout(50)


@pytest.fixture
def photographs(tmp_path: Path) -> dict[str, Path]:
    """Smooth ones, of sides that are brought to others, which are no whole cells."""
    files = {"structure": tmp_path / "structure.png", "texture": tmp_path / "texture.png"}
    painted(230, 217, seed=1).save(files["structure"])
    painted(150, 211, seed=2).save(files["texture"])
    return files


@pytest.mark.slow
def test_opens_with_an_example_swapped_as_the_package_does(opened: Callable[..., Page], model: SwapAE) -> None:
    page = opened()
    expect(page.locator("#loading")).to_be_hidden()
    expect(page.locator("#status")).to_contain_text("256 x 256 pixels; decoded in")
    expect(page.locator("#status")).to_contain_text("one thread")
    structure, texture = (examples()[index].path for index in showcase(None).pairs[0])
    assert_same(canvas(page), hybrid(model, structure, texture), JPEG_LEVELS)
    for text in ("no evidence of anything", "apache-2.0", "CC BY 2.0", "Holly Victoria Norval", "Microsoft"):
        expect(page.locator("footer")).to_contain_text(text)
    expect(page.get_by_text("generated", exact=True)).to_be_visible()
    # By keyboard alone: the next photograph of the examples.
    page.get_by_label("Examples for the texture").get_by_role("button").nth(2).focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    chosen = page.locator("#texture button[aria-pressed=true]")
    expect(chosen).to_have_attribute("data-file", examples()[1].path.name)
    wait_for(page, "1")
    page.get_by_role("button", name="Exchange the two").click()
    expect(page.locator("#structure button[aria-pressed=true]")).to_have_attribute("data-file", examples()[1].path.name)
    expect(page.locator("#texture button[aria-pressed=true]")).to_have_attribute("data-file", structure.name)


def drag(page: Page, slider: Locator, start: float, end: float) -> None:
    box = slider.bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], middle, steps=6)
    page.mouse.up()


@pytest.mark.slow
def test_two_photographs_and_the_slider_and_the_file(
    opened: Callable[..., Page], model: SwapAE, photographs: dict[str, Path], tmp_path: Path
) -> None:
    page = opened()
    choose(page, "structure", photographs["structure"])
    choose(page, "texture", photographs["texture"])
    expect(page.locator("#status")).to_contain_text("271 x 256 pixels")
    both = photographs["structure"], photographs["texture"]
    assert_same(canvas(page), hybrid(model, *both), LEVELS)

    slider = page.get_by_label("How much of the texture")
    drag(page, slider, 0.98, 0.3)
    alpha = slider.input_value()
    assert 0.2 < float(alpha) < 0.4
    wait_for(page, alpha)
    assert_same(canvas(page), hybrid(model, *both, float(alpha)), LEVELS)
    slider.press("Home")
    wait_for(page, "0")
    assert_same(canvas(page), hybrid(model, *both, 0.0), LEVELS)
    slider.press("ArrowRight")
    wait_for(page, "0.01")
    slider.press("End")
    wait_for(page, "1")

    split = page.get_by_label("Before / after")
    assert page.locator("#before").evaluate("canvas => getComputedStyle(canvas).clipPath") == "inset(0px 100% 0px 0px)"
    split.focus()
    split.press("End")
    assert page.locator("#before").evaluate("canvas => getComputedStyle(canvas).clipPath") in (
        "inset(0px)",
        "inset(0px 0% 0px 0px)",
    )
    before = fit(load_image(photographs["structure"]), 256, 8, 56)
    assert_same(canvas(page, "#before"), np.asarray(to_pil(before.tensor, before.size)).astype(int), LEVELS)

    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    assert download.value.suggested_filename == "hybrid.png"
    download.value.save_as(tmp_path / "hybrid.png")
    with Image.open(tmp_path / "hybrid.png") as picture:
        assert (np.asarray(picture.convert("RGB")) == canvas(page)).all()
        assert picture.text == ModelId.of(model).metadata()


DROP = """(drop, [name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name, {type: 'image/png'}));
    drop.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));
}"""


# A text, dropped as soon as the worker has got another photograph to encode.
DROP_WHILE_ENCODING = f"""() => {{
    worker.postMessage = (order, transfer) => {{
        Worker.prototype.postMessage.call(worker, order, transfer);
        if (order.do === 'encode') ({DROP})(document.querySelector('#texture .drop'), ['a.png', 'nothing']);
    }};
}}"""


@pytest.mark.slow
def test_what_is_no_photograph_is_answered_beside_it_on_a_phone(
    opened: Callable[..., Page], photographs: dict[str, Path], tmp_path: Path
) -> None:
    page = opened(width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    before = canvas(page)
    problem = page.locator("#texture-problem")
    (tmp_path / "bad.png").write_bytes(b"<b>no picture</b>")
    Image.new("RGB", (500, 100)).save(tmp_path / "long.png")
    for answer, give in (
        ("cannot read it as a picture", lambda: page.locator("#texture input").set_input_files(tmp_path / "bad.png")),
        ("over 4 times as long", lambda: page.locator("#texture input").set_input_files(tmp_path / "long.png")),
        ("cannot read it as a picture", lambda: page.locator("#texture .drop").evaluate(DROP, ["a.png", "nothing"])),
    ):
        give()
        expect(problem).to_contain_text(answer)
        expect(problem).to_contain_text("The one from before is kept.")
        expect(page.locator("#structure-problem")).to_be_empty()
        expect(page.locator("#texture button[aria-pressed=true]")).to_have_count(1)
        assert (canvas(page) == before).all()

    page.evaluate(DROP_WHILE_ENCODING)
    page.locator("#texture input").set_input_files(photographs["texture"])
    expect(problem).to_contain_text("The one from before is kept.")
    slider = page.get_by_label("How much of the texture")
    for key, alpha in (("Home", "0"), ("End", "1")):
        slider.press(key)
        wait_for(page, alpha)
    assert (canvas(page) == before).all(), "not of the photograph that was discarded"
    page.evaluate("delete worker.postMessage")
    choose(page, "texture", photographs["texture"])
    expect(problem).to_be_empty()


@pytest.mark.slow
def test_isolated_by_its_server_the_page_computes_the_same_in_threads(
    opened: Callable[..., Page], model: SwapAE
) -> None:
    page = opened(headers=ISOLATION)
    expect(page.locator("#status")).to_contain_text(re.compile(r"\d threads|one thread"))
    if page.evaluate("navigator.hardwareConcurrency") > 1:
        expect(page.locator("#status")).to_contain_text("threads")
    structure, texture = (examples()[index].path for index in showcase(None).pairs[0])
    assert_same(canvas(page), hybrid(model, structure, texture), JPEG_LEVELS)
