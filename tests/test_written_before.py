"""Files that version 0.1 wrote (tests/written_by_0_1) are read as they were meant."""

import copy
import json
import sys
from pathlib import Path

import pytest
import torch
from command_line import pixels
from safetensors.torch import load_file

from swapae import SwapAE, UserError
from swapae.apps.cli import main
from swapae.config import DiscriminatorConfig, Preset
from swapae.directions import Directions
from swapae.losses import LossWeights
from swapae.training.config import from_file, parse
from swapae.training.discriminator_step import DiscriminatorStep
from swapae.training.initial import read_initial, start_from
from swapae.training.optimizers import adam, discriminator_adam
from swapae.training.run_folder import RunFolder

BEFORE = Path(__file__).parent / "written_by_0_1"
CHECKPOINT = BEFORE / "run/checkpoints/step_000000002"


@pytest.fixture
def model() -> SwapAE:
    return SwapAE.from_pretrained(BEFORE / "model")


def test_a_model_and_its_codes(model):
    codes, size = model.load_codes(BEFORE / "codes.safetensors")
    assert size == (64, 64)
    with torch.inference_mode():
        image = model.decode(codes)
    expected = torch.load(BEFORE / "decoded.pt", weights_only=True)["image"]
    torch.testing.assert_close(image, expected, rtol=1e-4, atol=1e-5)


def test_directions(model):
    directions = Directions.load(BEFORE / "directions.safetensors", model)
    assert (directions["warm"].less, directions["warm"].more) == ("cooler", "warmer")
    assert directions.axis_names() == ["texture1", "texture2", "structure1", "layout1"]


def test_a_recipe_gives_the_picture_that_it_came_with(tmp_path, monkeypatch):
    words = ["replay", "recipe.json", "--inputs", "a.png", "b.png", "-o", str(tmp_path / "again.png")]
    monkeypatch.chdir(BEFORE)
    monkeypatch.setattr(sys, "argv", ["swapae", *words, "--model", "model"])
    assert main() == 0
    assert abs(pixels(tmp_path / "again.png") - pixels("hybrid.png")).max() <= 1  # another machine may round otherwise


def test_a_run_is_resumed_and_starts_another(model):
    sizes = json.loads(json.loads((CHECKPOINT / "state.json").read_text())["counters"]["sizes"])
    preset = Preset(model.config, DiscriminatorConfig(**sizes[1]))
    fresh, ema = SwapAE(model.config), SwapAE(model.config)
    discriminators = DiscriminatorStep(preset.discriminators, LossWeights())
    optimizers = {"generator": adam(fresh.parameters(), 0.1), "discriminators": discriminator_adam(discriminators, 0.1)}
    networks = {"model": fresh, "ema": ema, "discriminators": discriminators}
    assert RunFolder(BEFORE / "run", {}, preset, [], networks, optimizers, 2).resume("auto") == (2, 16, 0)
    for network, name in ((fresh, "model"), (ema, "averaged"), (discriminators, "critics")):
        stored = load_file(CHECKPOINT / f"{name}.safetensors")
        assert all(torch.equal(value, stored[key]) for key, value in network.state_dict().items())
    assert len(optimizers["discriminators"].state) == len(list(discriminators.parameters()))

    # In fp16 from here on: its scaler begins anew.
    scaled = optimizers | {"scaler": torch.amp.GradScaler("cpu")}
    assert RunFolder(BEFORE / "run", {}, preset, [], networks, scaled, 2).resume("auto") == (2, 16, 0)

    other_networks = networks | {"model": torch.nn.Linear(1, 1)}
    with pytest.raises(UserError, match="does not fit the networks of this version .*start from it with --init"):
        RunFolder(BEFORE / "run", {}, preset, [], other_networks, optimizers, 2).resume("auto")

    initial = read_initial(str(BEFORE / "run"))
    assert initial.kind == "pixels" and initial.discriminators is not None
    other = copy.deepcopy(fresh)
    start_from(str(BEFORE / "run"), preset, other, copy.deepcopy(fresh), discriminators)
    assert all(torch.equal(a, b) for a, b in zip(other.parameters(), fresh.parameters(), strict=True))


def test_settings_and_options_by_their_old_names(capsys):
    saved = from_file(BEFORE / "run/config.json")
    assert (saved.losses, saved.colour_jitter, saved.ema_half_life) == ("paper", False, 10_000)
    words = ["--data", "photos", "--output", "run", "--recipe", "autoencoder", "--recolour", "--average_half_life", "5"]
    config = parse(words, "swapae train")
    assert (config.losses, config.colour_jitter, config.ema_half_life) == ("autoencoder", True, 5)
    assert capsys.readouterr().err.splitlines() == [
        "--recipe is now called --losses",
        "--recolour is now called --colour-jitter",
        "--average_half_life is now called --ema-half-life",
    ]
