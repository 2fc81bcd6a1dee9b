"""Fixtures for more than one test module."""

import dataclasses
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import pixels
from filelock import FileLock
from PIL import Image

from swapae import PRESETS, SwapAE, SwapAEConfig
from swapae.apps.browser.runtime import DESCRIPTION, FILES, PACKAGE, RUNTIME_VERSION
from swapae.apps.cli import main

# Not what is measured: tests should not depend on which engine happened to be faster, nor write outside their folders.
os.environ["SWAPAE_ENGINE"] = "ncnn"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that are mostly slow tests, so that no process is alone with one at the end."""
    slow: dict[Path, list[bool]] = {}
    for item in items:
        slow.setdefault(item.path, []).append(item.get_closest_marker("slow") is not None)
    items.sort(key=lambda item: -sum(slow[item.path]) / len(slow[item.path]))


@pytest.fixture(scope="session")
def tiny_config() -> SwapAEConfig:
    """The smallest model with all parts: 64 pixels, stride 8."""
    return SwapAEConfig(
        image_size=64,
        structure_channels=4,
        texture_channels=32,
        downsamplings=3,
        encoder_capacity=0.25,
        generator_capacity=0.0625,
    )


@pytest.fixture
def tiny_model(tiny_config: SwapAEConfig) -> SwapAE:
    """The same random weights every time; noise counts, as in a trained model."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = SwapAE(tiny_config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("noise_weight"):
                parameter.fill_(0.1)
    return model


RANDOM = {
    "eighth": dataclasses.replace(PRESETS["small128"].model, texture_channels=32, generator_capacity=0.06),
    "sixteenth": dataclasses.replace(
        PRESETS["church256"].model, texture_channels=32, encoder_capacity=0.1, generator_capacity=0.06
    ),
}


@pytest.fixture(scope="module", params=RANDOM)
def random_model(request: pytest.FixtureRequest) -> SwapAE:
    """Narrow models of two strides, with biases and noise weights that are not zero."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = SwapAE(RANDOM[request.param]).eval()
        for parameter in model.parameters():
            if parameter.dim() == 1:
                torch.nn.init.normal_(parameter)
    return model.requires_grad_(False)


@pytest.fixture
def run(tmp_path, tiny_model, monkeypatch, capsys):
    """Run a command in a folder with two photographs, on the tiny model; (exit status, stdout, stderr)."""
    generator = np.random.default_rng(0)
    for name, (height, width) in {"a.png": (60, 84), "b.jpg": (64, 64)}.items():
        noise = generator.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
        Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).save(tmp_path / name)
    with torch.no_grad():
        for name, parameter in tiny_model.named_parameters():
            if name.endswith("noise_weight"):
                parameter.fill_(0.2)
    tiny_model.save_pretrained(tmp_path / "model")
    monkeypatch.chdir(tmp_path)

    def command(*arguments, model=True):
        options = ["--model", "model"] if model else []
        monkeypatch.setattr(sys, "argv", ["swapae", *map(str, arguments), *options])
        status = main()
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return command


@pytest.fixture
def made(run):
    """Run a command that writes a picture, and return the picture."""

    def make(*arguments):
        status, _, error = run(*arguments, "-o", "made.png")
        assert status == 0, error
        return pixels("made.png")

    return make


@pytest.fixture
def photographs(tmp_path):
    """Twenty-four small photographs of two kinds, bright and dark."""
    generator = np.random.default_rng(1)
    (tmp_path / "many").mkdir()
    for index in range(24):
        kind, level = ("rose", 60) if index % 2 else ("tulip", 160)
        pixels = generator.integers(level, level + 80, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"many/{kind}_{index}.png")


@pytest.fixture(scope="session")
def runtime() -> Path | None:
    """ONNX Runtime for browsers as `make test` downloads it by npm; None where there is no npm."""
    folder = Path(sys.prefix) / "onnxruntime-web"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def web_page(runtime, tmp_path_factory, worker_id) -> Path:
    """What `swapae export --format web --half` makes of the embedded model; with empty files for lack of `runtime`.

    It takes long, and so is made once for all of pytest-xdist's processes.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = (folder if worker_id == "master" else folder.parent) / "web"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "lock"):
        if not (folder / "page").is_dir():
            if runtime is None:
                runtime = folder / "onnxruntime-web"
                (runtime / "dist").mkdir(parents=True)
                (runtime / DESCRIPTION).write_text(json.dumps({"name": PACKAGE, "version": RUNTIME_VERSION}))
                for name in FILES:
                    (runtime / "dist" / name).touch()
            command = ["swapae", "export", str(folder / "page"), "--format", "web", "--half", "--runtime", str(runtime)]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "argv", command)
                assert main() == 0
    return folder / "page"
