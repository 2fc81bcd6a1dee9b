"""Configurations: what they refuse, what they derive, and that they survive JSON."""

import dataclasses
import json
import re

import pytest

from swapae import PRESETS, SwapAEConfig, UserError
from swapae.config import DiscriminatorConfig, config_from_dict

FIELDS = [
    (kind, field.name, type(field.default))
    for kind in (SwapAEConfig, DiscriminatorConfig)
    for field in dataclasses.fields(kind)
    if field.name != "noise_in_reconstructions"
]


@pytest.mark.parametrize(("kind", "name", "of"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_each_field_refuses_what_is_no_positive_number(kind, name, of) -> None:
    for value in (0, -1, "8", None, True, False, [8], {}, float("nan"), float("inf"), 10**7, -0.5, 1j):
        with pytest.raises(UserError, match=rf"{kind.__name__}\.{name} must be a positive number below 100000, got "):
            kind(**{name: value})
    if of is int:
        for value in (8.0, 8.5):
            with pytest.raises(UserError, match=rf"{kind.__name__}\.{name} must be a whole number, got "):
                kind(**{name: value})
    else:
        config = kind(**{name: 3})
        assert type(getattr(config, name)) is float and config == kind(**{name: 3.0})


def test_a_switch_refuses_what_is_no_truth_value() -> None:
    for value in (0, 1, "false", None):
        with pytest.raises(UserError, match="noise_in_reconstructions must be true or false"):
            SwapAEConfig(noise_in_reconstructions=value)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    for config in (PRESETS[name].model, PRESETS[name].discriminators):
        parsed = json.loads(json.dumps(dataclasses.asdict(config)))
        assert config_from_dict(type(config), parsed, "here") == config


@pytest.mark.parametrize("name", PRESETS)
def test_presets_fit_together(name: str) -> None:
    """A crop is no larger than the images, and an image is large enough to be encoded, in whole cells."""
    model, discriminators = PRESETS[name].model, PRESETS[name].discriminators
    assert discriminators.crop_size <= model.image_size and model.image_size % model.stride == 0
    assert model.image_size >= model.minimum_side == 7 * model.stride
    assert discriminators.patch_size <= discriminators.crop_size
    assert 2 <= discriminators.image_final_side <= 4 and 1 <= discriminators.patch_final_side <= 3


def test_a_parsed_configuration_must_have_exactly_the_fields() -> None:
    values = dataclasses.asdict(SwapAEConfig())
    for change, message in (
        ({"extra": 1}, "here: unknown key extra; SwapAEConfig knows downsamplings, "),
        ({"b": 1, "a": 2}, "here: unknown key a, b; "),
        ({"image_size": "256"}, "here: SwapAEConfig.image_size must be a positive number below 100000, got '256'"),
        ({"image_size": ...}, "here: missing key image_size; "),
    ):
        changed = {name: value for name, value in (values | change).items() if value is not ...}
        with pytest.raises(UserError, match=f"^{re.escape(message)}"):
            config_from_dict(SwapAEConfig, changed, "here")
    for other in ([], None, 3, "text", [["image_size", 256]]):
        with pytest.raises(UserError, match="here: expected a JSON object with the fields of SwapAEConfig"):
            config_from_dict(SwapAEConfig, other, "here")


def test_the_fingerprint_tells_configurations_apart() -> None:
    configs = [SwapAEConfig()]
    for kind, name, _ in FIELDS:
        if kind is DiscriminatorConfig:
            continue
        value = getattr(configs[0], name)
        configs.append(dataclasses.replace(configs[0], **{name: 2 * value}))
    fingerprints = {config.fingerprint for config in configs}
    assert len(fingerprints) == len(configs) == 9
    assert all(re.fullmatch("[0-9a-f]{16}", fingerprint) for fingerprint in fingerprints)
    # It says nothing about codes.
    assert SwapAEConfig(noise_in_reconstructions=False).fingerprint == SwapAEConfig().fingerprint
    # Kept codes carry it: it may not change from one release to the next.
    assert SwapAEConfig().fingerprint == "7f19f17e26d0819b"
    assert SwapAEConfig(encoder_capacity=1, encoder_steepness=2).fingerprint == SwapAEConfig().fingerprint


def test_channels_are_the_papers() -> None:
    paper = SwapAEConfig()
    assert [paper.encoder_channels(i) for i in range(7)] == [32, 64, 128, 256, 512, 1024, 2048]
    assert [paper.head_channels(i) for i in range(2)] == [256, 512]
    assert [paper.generator_channels(i) for i in range(4)] == [512, 512, 256, 128]
    faces = PRESETS["ffhq1024"].model
    assert [faces.encoder_channels(i) for i in range(8)] == [13, 26, 51, 102, 205, 410, 819, 1536]
    assert [faces.generator_channels(i) for i in range(5)] == [410, 410, 410, 205, 102]
    assert faces.stride == 32 and faces.minimum_side == 224
    least = SwapAEConfig(encoder_capacity=1e-9, generator_capacity=1e-9)
    assert {least.encoder_channels(0), least.head_channels(0), least.generator_channels(3)} == {1}


def test_discriminator_channels_are_the_papers() -> None:
    paper = DiscriminatorConfig()
    assert [paper.image_channels(i) for i in range(8, 1, -1)] == [128, 256, 512, 512, 512, 512, 512]
    assert [paper.patch_channels(i) for i in range(7, 1, -1)] == [32, 64, 128, 256, 384, 384]
    faces = PRESETS["ffhq1024"].discriminators  # crops of 768: treated as 1024, with 3 pixels left of 4
    assert (faces.image_levels, faces.image_final_side, faces.patch_levels) == (10, 3, 8)
    assert faces.image_channels(10) == 32
