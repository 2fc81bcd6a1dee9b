"""The page as its tests meet it: its handlers, its API over HTTP, and a browser that has it open."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from browsing import source, visited
from chromium import chromium
from gradio_client import Client, handle_file
from playwright.sync_api import Browser, Page
from studio_page import encoded, painted, served, tiny_directions, tiny_model

from swapae import Codes, SwapAE
from swapae.editing.directions import Directions


@pytest.fixture(scope="module")
def model() -> SwapAE:
    return tiny_model()


@pytest.fixture(scope="module")
def directions(model: SwapAE) -> Directions:
    return tiny_directions(model)


@pytest.fixture(scope="module")
def structure() -> bytes:
    return encoded(painted(150, 90, seed=1))


@pytest.fixture(scope="module")
def texture() -> bytes:
    return encoded(painted(70, 110, seed=2))


@pytest.fixture
def encodings(model: SwapAE, monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """The shapes that the encoder was given, as they come."""
    shapes: list[torch.Size] = []
    encode = model.encode

    def encode_and_note(images: torch.Tensor, opacity: torch.Tensor | None = None) -> Codes:
        shapes.append(images.shape)
        return encode(images, opacity)

    monkeypatch.setattr(model, "encode", encode_and_note)
    return shapes


_CONNECTIONS: list[str] | None = None


def _listen(event: str, arguments: tuple) -> None:
    if event == "socket.connect" and _CONNECTIONS is not None and isinstance(arguments[1], tuple):
        _CONNECTIONS.append(arguments[1][0])


sys.addaudithook(_listen)


@pytest.fixture(scope="module")
def client(model: SwapAE, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of the page; afterwards, that nothing but this machine was connected to."""
    global _CONNECTIONS
    _CONNECTIONS = []
    with served(model, tiny_directions(model)) as url:
        yield Client(url, verbose=False, analytics_enabled=False, download_files=tmp_path_factory.mktemp("results"))
    seen, _CONNECTIONS = _CONNECTIONS, None
    assert seen and set(seen) <= {"127.0.0.1", "::1"}


@pytest.fixture
def upload(tmp_path: Path) -> Iterator:
    def write(name: str, data: bytes) -> dict:
        path = tmp_path / name
        path.write_bytes(data)
        return handle_file(path)

    return write


@pytest.fixture
def four(upload: object, structure: bytes, texture: bytes) -> list[dict]:
    """Four photographs of one size, uploaded."""
    return [upload(f"{seed}.png", encoded(painted(80, 64, seed))) for seed in range(4)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    model = tiny_model()
    with served(model, tiny_directions(model)) as url:
        yield url


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


@pytest.fixture
def photographs(tmp_path: Path) -> dict[str, Path]:
    files = {"structure": tmp_path / "structure.png", "texture": tmp_path / "texture.png"}
    files["structure"].write_bytes(encoded(painted(240, 120, seed=1)))
    files["texture"].write_bytes(encoded(painted(90, 120, seed=2)))
    return files
