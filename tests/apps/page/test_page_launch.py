"""Launching the page, and the models that it offers."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from page_api import assert_same

from swapae import SwapAE, UserError
from swapae.apps.page import launch
from swapae.apps.page import models as models_module
from swapae.apps.page.models import EMBEDDED_NAME, Models
from swapae.apps.page.studio import Studio
from swapae.model import Autoencoder

WAIT = 20


def test_models_are_those_the_operator_allowed(model: SwapAE, structure: bytes, tmp_path: Path) -> None:
    torch.manual_seed(1)
    other = SwapAE(model.config).eval()
    other.save_pretrained(tmp_path / "other")
    models = Models(Studio(model), [str(tmp_path / "other"), str(tmp_path / "gone")])
    assert models.names == [EMBEDDED_NAME, "facades (comes with swapae)", "other", str(tmp_path / "gone")]
    assert Models(Studio(model), [], str(tmp_path / "other")).names == ["other"]
    files, values = {"structure": structure}, {"amount": 0}
    images = [models.studio(name).edit(files, values).image for name in ("other", EMBEDDED_NAME)]
    assert models.studio("other") is models.studio("other")
    assert_same(images[1], Studio(model).edit(files, values).image)
    assert np.any(np.asarray(images[0]) != np.asarray(images[1]))
    assert "swapae" in models.card("other") and "flowers" in models.card("")
    with pytest.raises(UserError, match="no such model; choose one of"):
        models.studio(str(tmp_path))
    with pytest.raises(UserError, match="no such folder"):
        models.studio(str(tmp_path / "gone"))


def test_nobody_waits_while_another_model_is_loaded(
    model: SwapAE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("slow", "quick"):
        model.save_pretrained(tmp_path / name)
    begun, go_on, load, loads = threading.Event(), threading.Event(), models_module.load_model, []

    def held(source: str) -> Autoencoder:
        loads.append(Path(source).name)
        if source.endswith("slow"):
            begun.set()
            assert go_on.wait(WAIT)
        return load(source)

    monkeypatch.setattr(models_module, "load_model", held)
    models = Models(Studio(model), [str(tmp_path / name) for name in ("slow", "quick")])
    with ThreadPoolExecutor() as pool:
        try:
            slow = [pool.submit(models.studio, "slow") for _ in range(2)]
            assert begun.wait(WAIT)
            quick = pool.submit(models.studio, "quick").result(WAIT)
            pool.submit(models.leave, "a visit").result(WAIT)
            assert not any(one.done() for one in slow)
        finally:
            go_on.set()
        assert slow[0].result(WAIT) is slow[1].result(WAIT) is models.studio("slow") is not quick
    assert loads == ["slow", "quick"]


def test_models_of_one_folder_s_name_are_told_apart(model: SwapAE, tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("a/best", "b/best", "b/c/best", "b/other")]
    for place in places:
        place.mkdir(parents=True)
    first, *allowed = map(str, places)
    models = Models(Studio(model), [*allowed, f"{first}/", f"{allowed[0]}/../best"], first)
    assert models.names == ["a/best", "b/best", "c/best", "other"]
    assert models.sources == dict(zip(models.names[1:], allowed, strict=True))
    again = [tmp_path / "deeper" / name for name in ("a/best", "b/best")]
    for place in again:
        place.mkdir(parents=True)
    assert Models(Studio(model), [*map(str, again), first]).names[2:] == [
        "deeper/a/best",
        "b/best",
        f"{tmp_path.name}/a/best",
    ]


def test_a_model_trained_here_is_not_hidden_by_one_of_its_name(model: SwapAE, tmp_path: Path) -> None:
    allowed, here, other = (tmp_path / name for name in ("a/tulips", "b/tulips", "b/roses"))
    for place in (allowed, here, other):
        model.save_pretrained(place)

    def trained() -> dict[str, Path]:
        return {place.name: place for place in (here, other)}

    models = Models(Studio(model), [str(allowed)], trained=trained)
    assert models.names[1:] == ["tulips (trained here)", "roses", "facades (comes with swapae)", "tulips"]
    assert models.sources["tulips (trained here)"] == str(here) and models.sources["tulips"] == str(allowed)
    opened = Models(Studio(model), [str(other)], str(here), trained)
    assert opened.names == ["tulips", "roses"]  # each once


def test_the_page_may_open_with_another_model(model: SwapAE, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "mine", model_card_kwargs={"title": "Tulips"})
    models = Models(Studio(model), source=str(tmp_path / "mine"))
    assert models.names == ["mine"] and models.studio("mine") is models.studio("") is models.first
    assert "Swapping autoencoder: Tulips" in models.card("") and models.card("mine") == models.card("")
    with pytest.raises(UserError, match="no such model; choose one of mine"):
        models.studio(EMBEDDED_NAME)


def test_a_taken_port_is_one_line(
    model: SwapAE, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(SwapAE, "default", lambda: model)
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    monkeypatch.delenv("SPACE_ID", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        assert launch.main([]) == 2
    output = capsys.readouterr()
    assert output.err.splitlines() == [f"app.py: cannot serve at 127.0.0.1:{port}; is it taken? Choose another --port"]


def test_a_page_that_does_not_answer_is_one_line(
    model: SwapAE, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(SwapAE, "default", lambda: model)
    monkeypatch.setattr("gradio.networking.url_ok", lambda url: False)  # as of a machine that is too busy
    for name in ("GRADIO_SERVER_NAME", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert launch.main(["--port", str(port)]) == 2
    gr.close_all()
    assert capsys.readouterr().err.startswith(f"app.py: the page does not answer at 127.0.0.1:{port}: is the machine")


def test_a_missing_model_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    def fail() -> SwapAE:
        raise UserError("no weights")

    monkeypatch.setattr(SwapAE, "default", fail)
    assert launch.main(["--port", "1"]) == 2
    assert capsys.readouterr().err == "app.py: no weights\n"
    monkeypatch.undo()
    assert launch.main(["--model", "no such folder"]) == 2
    assert capsys.readouterr().err.startswith("app.py: 'no such folder': no such folder, and not a Hub name either")


@pytest.mark.parametrize(
    ("environment", "arguments", "host", "port"),
    [
        ({}, [], "127.0.0.1", 7860),
        ({"PORT": "8001"}, [], "127.0.0.1", 8001),
        ({"PORT": "8001"}, ["--port", "8002"], "127.0.0.1", 8002),
        ({"SPACE_ID": "someone/swapae"}, [], "0.0.0.0", 7860),
        ({"SPACE_ID": "someone/swapae", "GRADIO_SERVER_NAME": "::1"}, [], "::1", 7860),
    ],
)
def test_where_it_serves(
    monkeypatch: pytest.MonkeyPatch, environment: dict, arguments: list[str], host: str, port: int
) -> None:
    class Page:
        def launch(self, **options: object) -> None:
            launched.update(options)

    launched: dict = {}
    built: list[tuple] = []
    for name in ("PORT", "SPACE_ID", "GRADIO_SERVER_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(SwapAE, "default", lambda: None)
    monkeypatch.setattr(launch, "optimize_for_inference", lambda model: model)
    monkeypatch.setattr(launch, "directions_of", lambda model, source: None)
    monkeypatch.setenv("SWAPAE_MODELS", " a/b, runs/mine ,,")
    monkeypatch.setattr(launch, "build_demo", lambda *arguments: built.append(arguments) or Page())
    assert launch.main(arguments) == 0
    assert built[0][2] == ["a/b", "runs/mine"]
    assert (launched["server_name"], launched["server_port"]) == (host, port)
    assert launched["max_file_size"] == launch.MAX_FILE_SIZE


def test_a_port_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("PORT", "http")
    with pytest.raises(SystemExit) as caught:
        launch.main([])
    assert caught.value.code == 2
    assert "invalid int value: 'http'" in capsys.readouterr().err
