"""Screenshots of every tab of the page, on a desk, a tablet and a phone, light and dark:

    PYTHONPATH=. python benchmarks/screenshots.py

Opens the page on the embedded model in Debian's Chromium, does the main action of each tab and writes one sheet per
width and theme, docs/studio_desktop_light.jpg and so on. With `--web FOLDER` also docs/web.jpg, of what `swapae export
FOLDER --format web` wrote.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import io
import shutil
import socket
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

import app
from swapae import SwapAE
from swapae.apps.page.models import directions_of
from swapae.apps.page.photographs import PhotographFolder
from swapae.apps.page.training.job import Trainings
from swapae.rounding import ceil_div

SIZES = {"desktop": (1440, 900), "tablet": (820, 1180), "phone": (390, 844)}  # pixels of the window
SHEETS = {"desktop": (2, 640), "tablet": (4, 320), "phone": (5, 200)}  # columns, and pixels of each
THEMES = ("light", "dark")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
# What to click and press on each tab, so that it shows something of its own.
ACTIONS: dict[str, list[tuple[str, str]]] = {
    "mix": [("#try-mix button >> nth=1", "click")],
    "regions": [("#try-regions button >> nth=0", "click")],
    "directions": [("#gain-1 input[type=range]", "End")],
    "structure": [("#try-structure button >> nth=1", "click")],
    "motion": [("#make-film", "click")],
    "find": [("#find-search", "click")],
}
EXAMPLES = Path(__file__).parents[1] / "swapae" / "examples" / "flowers"


def act(page: Page, tab: str) -> None:
    """Open a tab and do its main action."""
    page.locator(f"#tab-{tab}").click()
    page.locator(f"#on-{tab}").wait_for()
    for where, what in ACTIONS.get(tab, []):
        element = page.locator(where)
        element.click() if what == "click" else element.press(what)
    page.wait_for_timeout(1500)
    page.wait_for_function("!document.querySelector('#result .wrap.minimal:not(.hide)')", timeout=60_000)  # computed
    page.wait_for_timeout(1000)  # and no longer dimmed
    if tab == "find":
        page.locator("#finder img").first.wait_for(timeout=60_000)
    if tab == "motion":
        page.locator("#film img").wait_for(timeout=180_000)
    page.evaluate("window.scrollTo(0, 0)")


def sheet(shots: list[Image.Image], columns: int, width: int) -> Image.Image:
    """Screenshots beside each other, each `width` pixels wide."""
    small = [shot.resize((width, round(shot.height * width / shot.width)), Image.Resampling.LANCZOS) for shot in shots]
    height = max(shot.height for shot in small)
    rows = ceil_div(len(small), columns)
    result = Image.new("RGB", (columns * width + (columns - 1) * 8, rows * height + (rows - 1) * 8), (120, 120, 120))
    for number, shot in enumerate(small):
        result.paste(shot, (number % columns * (width + 8), number // columns * (height + 8)))
    return result


def without_a_server(browser: Browser, folder: Path) -> Image.Image:
    """The page that computes in the browser, with its first hybrid."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page(viewport={"width": 880, "height": 860}, color_scheme="light")
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.locator("#status", has_text="decoded").wait_for(timeout=120_000)
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        page.close()
        server.shutdown()
    return shot


def main() -> None:
    """Write the sheets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("docs"))
    parser.add_argument("--single", action="store_true", help="also every screenshot by itself, as PNG")
    parser.add_argument("--web", type=Path, help="folder of the page without a server")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    model = SwapAE.default()
    with TemporaryDirectory() as models, sync_playwright() as playwright:
        photographs, trainings = PhotographFolder(str(EXAMPLES)), Trainings(Path(models))
        demo = app.build_demo(model, directions_of(model), photographs=photographs, trainings=trainings)
        _, url, _ = demo.launch(
            server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True, **app.LAUNCH
        )
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        if options.web:
            without_a_server(browser, options.web).save(options.output / "web.jpg", quality=85, optimize=True)
        for name, (width, height) in SIZES.items():
            for theme in THEMES:
                shots = []
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
                page.goto(f"{url}?__theme={theme}")
                page.locator("#result img").last.wait_for()
                tabs = page.locator("[id^=tab-]").evaluate_all("all => all.map(one => one.id.slice(4))")
                for tab in tabs:
                    act(page, tab)
                    shots.append(Image.open(io.BytesIO(page.screenshot(full_page=name != "desktop"))).convert("RGB"))
                    if options.single:
                        shots[-1].save(options.output / f"{name}_{theme}_{tab}.png")
                page.close()
                path = options.output / f"studio_{name}_{theme}.jpg"
                sheet(shots, *SHEETS[name]).save(path, quality=72, optimize=True)
                print(path, path.stat().st_size)
        browser.close()
        demo.close()


if __name__ == "__main__":
    main()
