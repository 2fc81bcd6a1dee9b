"""What a visitor does on the page, in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

# Milliseconds that anything may take; Playwright's own 5 seconds for an expectation are short on a busy machine.
TIMEOUT = 20_000
expect.set_options(timeout=TIMEOUT)


@contextmanager
def visited(browser: Browser, url: str) -> Iterator[Page]:
    """The page, opened; afterwards, that it asked only this machine and complained of nothing."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(TIMEOUT)
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


def wait_for_source(page: Page, address: str) -> None:
    """Wait until the result is this one."""
    expect(page.locator("#result img").last).to_have_attribute("src", address)


def upload(page: Page, role: str, path: Path) -> None:
    page.locator(f"#{role} input[type=file]").set_input_files(path)


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
