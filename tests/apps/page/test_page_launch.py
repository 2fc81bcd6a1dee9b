"""Launching the page, and the models that it offers."""

from __future__ import annotations

import socket
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from page_api import assert_same

from swapae import SwapAE, UserError
from swapae.apps.page import launch
from swapae.apps.page.models import EMBEDDED_NAME, Models
from swapae.apps.page.studio import Studio


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
    for name in ("PORT", "SPACE_ID", "GRADIO_SERVER_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(SwapAE, "default", lambda: None)
    monkeypatch.setattr(launch, "optimize_for_inference", lambda model: model)
    monkeypatch.setattr(launch, "directions_of", lambda model, source: None)
    monkeypatch.setattr(launch, "build_demo", lambda *arguments: Page())
    assert launch.main(arguments) == 0
    assert (launched["server_name"], launched["server_port"]) == (host, port)
    assert launched["max_file_size"] == launch.MAX_FILE_SIZE


def test_a_port_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("PORT", "http")
    with pytest.raises(SystemExit) as caught:
        launch.main([])
    assert caught.value.code == 2
    assert "invalid int value: 'http'" in capsys.readouterr().err
