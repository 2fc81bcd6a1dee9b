"""Which engine a model runs in: asked for, or measured once and remembered."""

import json
import os
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch
from command_line import assert_one_line

from swapae import PRESETS, SwapAE, UserError
from swapae.inference import choice, optimize_for_inference
from swapae.inference.fast import ENGINES, EngineAutoencoder
from swapae.model import Autoencoder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and no engine asked for."""
    monkeypatch.delenv(choice.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(choice, "SECONDS", 0.0)
    return tmp_path / "cache/swapae/engines.json"


class Slow(Autoencoder):
    """A form whose swap takes so many milliseconds by the clock of the test."""

    def __init__(self, milliseconds, clock, error=0.0):
        self.milliseconds, self.clock, self.error = milliseconds, clock, error

    def swap(self, images, _):
        self.clock[0] += self.milliseconds / 1e3
        return images + self.error


@pytest.mark.parametrize(
    ("torch_takes", "ncnn_takes", "best"),
    [(100, 50, "ncnn"), (50, 100, "torch"), (100, 99, "torch"), (100, 96, "ncnn")],
)
def test_the_faster_is_chosen_and_equal_ones_do_not_change_places(
    cache, tiny_config, monkeypatch, torch_takes, ncnn_takes, best
):
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    made = []

    def form(name, takes):
        def make():
            made.append(name)
            return Slow(takes, clock)

        return make

    forms = {"torch": form("torch", torch_takes), "ncnn": form("ncnn", ncnn_takes)}
    assert choice.fastest(tiny_config, forms).milliseconds == {"torch": torch_takes, "ncnn": ncnn_takes}[best]
    assert made == ["torch", "ncnn"]
    (entry,) = json.loads(cache.read_text()).values()
    assert entry["engine"] == best and entry["milliseconds"]["torch"] == pytest.approx(torch_takes)
    choice.fastest(tiny_config, forms)
    assert made == ["torch", "ncnn", best], "it was remembered, and the other one was not made"
    choice.forget(tiny_config)
    choice.fastest(tiny_config, forms)
    assert made[3:] == ["torch", "ncnn"]


def test_a_faster_one_whose_pictures_differ_visibly_is_not_chosen(tiny_config, monkeypatch):
    monkeypatch.setattr(choice, "SECONDS", 0.0)
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    speck = torch.zeros(1, 3, 64, 64)
    speck[..., :3, :2] = -5 / 127.5  # of 0.15 % of the pixels
    for error, chosen in ((0.4 / 127.5, "fast"), (0.6 / 127.5, "torch"), (speck, "torch"), (float("nan"), "torch")):
        forms = {"torch": Slow(100, clock), "fast": Slow(10, clock, error)}
        assert choice.measure(tiny_config, forms).engine == chosen


@pytest.mark.parametrize(("preset", "side"), [("ffhq1024", 256), ("church256", 256), ("small128", 128)])
def test_it_is_measured_at_a_size_that_takes_little_time(preset, side, monkeypatch):
    monkeypatch.setattr(choice, "SECONDS", 0.0)
    config, seen = PRESETS[preset].model, []

    class Form:
        def swap(self, images, _):
            seen.append(images.shape)
            return images

    choice.measure(config, {"torch": Form()})
    assert set(seen) == {(1, 3, side, side)} and side % config.stride == 0


def test_the_choice_is_of_the_machine_and_the_network(cache, tiny_config, monkeypatch):
    choice.remember(tiny_config, choice.Choice("ncnn", {}))
    assert choice.remembered(tiny_config).engine == "ncnn"
    monkeypatch.setattr(choice, "processor", lambda: "another")
    assert choice.remembered(tiny_config) is None


@pytest.mark.parametrize("damage", ["no JSON", "[]", '{"key": 3}', ""])
def test_a_damaged_cache_is_measured_over(cache, tiny_model, damage):
    cache.parent.mkdir(parents=True)
    cache.write_text(damage.replace("key", choice.key_of(tiny_model.config).replace('"', "'")))
    optimize_for_inference(tiny_model)
    assert choice.remembered(tiny_model.config).engine in ENGINES


def test_a_cache_that_cannot_be_written_stops_nothing(cache, tiny_model):
    cache.parent.parent.write_text("a file where the folder would be")
    assert optimize_for_inference(tiny_model) is not None
    assert choice.remembered(tiny_model.config) is None


def test_an_option_wins_over_the_variable_and_both_over_measuring(cache, tiny_model, monkeypatch):
    assert optimize_for_inference(tiny_model, engine="torch") is tiny_model
    assert isinstance(optimize_for_inference(tiny_model, engine="ncnn"), EngineAutoencoder)
    monkeypatch.setenv(choice.VARIABLE, "torch")
    assert optimize_for_inference(tiny_model) is tiny_model
    assert isinstance(optimize_for_inference(tiny_model, engine="ncnn"), EngineAutoencoder)
    assert not cache.exists()
    monkeypatch.setenv(choice.VARIABLE, "tnn")
    with pytest.raises(UserError, match="SWAPAE_ENGINE must be auto, torch, ncnn or openvino, got 'tnn'"):
        optimize_for_inference(tiny_model)
    with pytest.raises(UserError, match="engine must be auto, torch, ncnn or openvino, got 'fast'"):
        optimize_for_inference(tiny_model, engine="fast")


def test_both_engines_give_the_same_picture(cache, tiny_model):
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        first, second = (
            optimize_for_inference(tiny_model, engine=name).swap(images, images) for name in ("torch", "ncnn")
        )
    torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-4)


def test_info_says_what_is_not_installed(run, cache, monkeypatch):
    there = choice.version

    def version(package):
        if package == "gradio":
            raise PackageNotFoundError(package)
        return there(package)

    monkeypatch.setattr(choice, "version", version)
    status, out, _ = run("info")
    assert status == 0 and "gradio not installed" in out and f"torch {torch.__version__}" in out


def test_info_says_what_was_measured(run, cache, monkeypatch):
    status, out, _ = run("info")
    assert status == 0 and "a swap at 64 pixels takes torch" in out and "models that come with swapae: " in out
    monkeypatch.setenv(choice.VARIABLE, "ncnn")
    assert "engine: ncnn, as SWAPAE_ENGINE says" in run("info")[1]
    monkeypatch.setenv(choice.VARIABLE, "tnn")
    assert_one_line(run("info"), "SWAPAE_ENGINE must be auto, torch, ncnn or openvino, got 'tnn'")


@pytest.mark.slow
def test_a_first_process_measures_and_the_next_one_knows(tmp_path):
    code = "from swapae import SwapAE; from swapae.inference import choice, optimize_for_inference\n"
    code += "known = choice.remembered(SwapAE.default().config)\n"
    code += "optimize_for_inference(SwapAE.default()); print(known is not None)"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), choice.VARIABLE: "", "PYTHONPATH": str(ROOT)}
    said = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said == ["False\n", "True\n"]
    (kept,) = json.loads((tmp_path / "swapae/engines.json").read_text())
    assert choice.processor() in kept and f"image_size {SwapAE.default().config.image_size}" in kept
