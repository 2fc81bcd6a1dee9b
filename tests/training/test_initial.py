import copy
import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file
from sizes import CRITICS

from swapae.backbones import FrozenBackbone
from swapae.config import DiscriminatorConfig, Preset
from swapae.convert import Converted, save_discriminators
from swapae.errors import UserError
from swapae.losses import LossWeights
from swapae.training.discriminator_step import DiscriminatorStep
from swapae.training.generation import Generation
from swapae.training.generator_step import GeneratorStep
from swapae.training.initial import freeze, read_initial, start_from
from swapae.training.random import StepRandom


@pytest.fixture
def folder(tmp_path, tiny_model):
    """A model folder with discriminators, as `swapae convert --discriminators` writes one."""
    discriminators = DiscriminatorStep(CRITICS, LossWeights())
    tiny_model.save_pretrained(tmp_path / "model")
    image, patch = discriminators.image_discriminator, discriminators.patch_discriminator
    save_discriminators(Converted(tiny_model, image, patch, CRITICS), tmp_path / "model")
    return tmp_path / "model"


def test_a_converted_folder_brings_its_discriminators(folder, tiny_model):
    torch.manual_seed(1)
    model, discriminators = copy.deepcopy(tiny_model), DiscriminatorStep(CRITICS, LossWeights())
    averaged = copy.deepcopy(tiny_model)
    for parameter in (*model.parameters(), *averaged.parameters()):
        torch.nn.init.zeros_(parameter)
    start_from(str(folder), Preset(tiny_model.config, CRITICS), model, averaged, discriminators)
    for name, value in load_file(folder / "model.safetensors").items():
        assert torch.equal(model.state_dict()[name], value) and torch.equal(averaged.state_dict()[name], value)
    stored = load_file(folder / "discriminators.safetensors")
    both = {f"0.{name}": value for name, value in discriminators.image_discriminator.state_dict().items()}
    both |= {f"1.{name}": value for name, value in discriminators.patch_discriminator.state_dict().items()}
    assert stored.keys() == both.keys() and all(torch.equal(stored[name], both[name]) for name in stored)


def test_discriminators_of_other_sizes_start_anew_and_other_models_are_refused(folder, tiny_model, caplog):
    wider = DiscriminatorConfig(**{**json.loads((folder / "discriminators.json").read_text()), "image_max_channels": 9})
    discriminators = DiscriminatorStep(wider, LossWeights())
    before = copy.deepcopy(discriminators.state_dict())
    start_from(str(folder), Preset(tiny_model.config, wider), tiny_model, copy.deepcopy(tiny_model), discriminators)
    assert "image_max_channels is 8, not 9" in caplog.text
    assert all(torch.equal(value, before[name]) for name, value in discriminators.state_dict().items())
    with pytest.raises(UserError, match="texture_channels is 32, not 2048"):
        start_from(str(folder), Preset(), tiny_model, tiny_model, discriminators)
    (folder / "discriminators.safetensors").write_bytes(b"damaged")
    with pytest.raises(UserError, match="damaged"):
        read_initial(str(folder))
    with pytest.raises(UserError, match="no such folder"):
        read_initial("no folder and no name")


def test_discriminators_grow_with_the_crops(folder, tiny_model, caplog):
    """Of twice the side they have one block more, before the others; what reads the image is new."""
    larger = dataclasses.replace(CRITICS, crop_size=2 * CRITICS.crop_size, patch_size=2 * CRITICS.patch_size)
    discriminators = DiscriminatorStep(larger, LossWeights())
    before = copy.deepcopy(discriminators.state_dict())
    start_from(str(folder), Preset(tiny_model.config, larger), tiny_model, copy.deepcopy(tiny_model), discriminators)
    assert "crop_size is 64, not 128" in caplog.text
    stored = load_file(folder / "discriminators.safetensors")
    for network, prefix in ((discriminators.image_discriminator, "0"), (discriminators.patch_discriminator, "1")):
        first_old = next(iter(network.blocks[1].state_dict().items()))
        assert torch.equal(first_old[1], stored[f"{prefix}.blocks.0.{first_old[0]}"])
        assert torch.equal(network.final_conv.weight, stored[f"{prefix}.final_conv.weight"])
    after = discriminators.state_dict()
    same = {name for name, value in before.items() if value.any() and torch.equal(value, after[name])}
    parts = (f"{network}_discriminator.{part}." for network in ("image", "patch") for part in ("from_rgb", "blocks.0"))
    assert same == {name for part in parts for name, value in before.items() if name.startswith(part) and value.any()}


@pytest.mark.parametrize("noise", ["random", "zero"])
def test_what_is_frozen_stays_frozen_through_the_generators_step(tiny_model, noise):
    discriminators = DiscriminatorStep(CRITICS, LossWeights())
    freeze(["image_discriminator.blocks.0", "patch_discriminator", "encoder.trunk"], tiny_model, discriminators)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    losses, _ = GeneratorStep(tiny_model.train(), LossWeights(), Generation(noise))(
        discriminators, images, StepRandom(0, 0)
    )
    losses.total.backward()
    assert not any(parameter.requires_grad for parameter in discriminators.patch_discriminator.parameters())
    assert not any(parameter.requires_grad for parameter in discriminators.image_discriminator.blocks[0].parameters())
    assert all(parameter.requires_grad for parameter in discriminators.image_discriminator.blocks[1].parameters())
    for name, parameter in tiny_model.named_parameters():
        idle = name.startswith("encoder.trunk") or (noise == "zero" and name.endswith("noise_weight"))
        assert (parameter.grad is None) == idle, name


def test_discriminators_of_the_other_kind_start_afresh_and_say_so(folder, tiny_model, caplog):
    preset = dataclasses.replace(Preset(tiny_model.config, CRITICS), kind="features")
    discriminators = DiscriminatorStep(CRITICS, LossWeights(), backbone=FrozenBackbone("squeeze"))
    before = copy.deepcopy(discriminators.state_dict())
    start_from(str(folder), preset, tiny_model, copy.deepcopy(tiny_model), discriminators)
    assert "--discriminators pixels, not features: random weights" in caplog.text
    assert all(torch.equal(value, before[name]) for name, value in discriminators.state_dict().items())
