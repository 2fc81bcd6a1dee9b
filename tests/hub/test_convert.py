"""Published checkpoints: the configuration read off the shapes, every key used once, and all refusals."""

import math
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard
from parity_cases import FILTERS, image, read_case, state_dict, thin
from safetensors.torch import load_file
from torch import Tensor

from swapae import Codes, SwapAE, SwapAEConfig, UserError
from swapae.config import DiscriminatorConfig
from swapae.convert import (
    COUNTER,
    convert_checkpoint,
    convert_official,
    infer_config,
    infer_discriminator_config,
    load_discriminators,
    shortest_decimal,
)

# ---------------------------------------------------------------- the release's layout, as options -> keys

Shapes = dict[str, list[int]]


def release_shapes(options: dict[str, Any]) -> Shapes:
    """The release's keys and shapes for its own options; checked below against the three known manifests.

    `most` and `hidden` are fixed at 512 and 2048 there; tests that fill weights want less.
    """
    shapes: Shapes = {}
    texture, structure = options["global_code_ch"], options["spatial_code_ch"]

    def add(prefix: str, **leaves: list[int]) -> None:
        shapes.update({f"{prefix}.{leaf.replace('__', '.')}": shape for leaf, shape in leaves.items()})

    def conv(name: str, i: int, o: int, k: int, bias: str = "Act", blur: int = 0) -> None:
        add(name, **({"Blur__kernel": [blur, blur]} if blur else {}), Conv__weight=[o, i, k, k])
        add(name, **({f"{bias}__bias": [o]} if bias else {}))

    def down(name: str, i: int, o: int, blur: int) -> None:
        conv(f"{name}.conv1", i, i, 3)
        conv(f"{name}.conv2", i, o, 3, blur=blur)
        conv(f"{name}.skip", i, o, 1, bias="", blur=blur)

    def styled(name: str, i: int, o: int, blur: bool = False) -> None:
        add(name, conv__weight=[1, o, i, 3, 3], **({"conv__blur__kernel": [4, 4]} if blur else {}))
        add(name, conv__modulation__weight=[i, texture], conv__modulation__bias=[i])
        add(name, noise__weight=[1], activate__bias=[o])

    def linear(name: str, i: int, o: int) -> None:
        add(name, weight=[o, i], bias=[o])

    downs, steep = options["netE_num_downsampling_sp"], options["netE_nc_steepness"]
    e = [min(texture, round(32 * options["netE_scale_capacity"] * steep**i)) for i in range(downs + 3)]
    conv("E.FromRGB", 3, e[0], 1)
    for i in range(downs):
        down(f"E.DownToSpatialCode.ResBlockDownBy{2**i}", e[i], e[i + 1], 3)
    conv("E.ToSpatialCode.0", e[downs], e[downs], 1)
    conv("E.ToSpatialCode.1", e[downs], structure, 1, bias="Conv")
    for i in (downs, downs + 1):
        conv(f"E.DownToGlobalCode.ConvLayerDownBy{2**i}", e[i], e[i + 1], 3, blur=1)
    linear("E.ToGlobalCode.0", e[downs + 2], texture)

    for name in ("scale", "bias"):
        linear(f"G.SpatialCodeModulation.{name}", texture, structure)
    g = [structure] + [round(256 * 2**i * options["netG_scale_capacity"]) for i in range(2)]
    g += [g[2] // 2 ** max(0, i - (downs - 3)) for i in range(downs)]
    for i in range(2 + downs):
        name = f"G.HeadResnetBlock{i}" if i < 2 else f"G.UpsamplingResBlock{2 ** (i + 2)}"
        styled(f"{name}.conv1", g[i], g[i + 1], blur=i >= 2)
        styled(f"{name}.conv2", g[i + 1], g[i + 1])
        if g[i] != g[i + 1]:
            conv(f"{name}.skip", g[i], g[i + 1], 1, bias="Act" if i >= 2 else "")
    add("G.ToRGB", bias=[1, 3, 1, 1], upsample__kernel=[4, 4], conv__weight=[1, 3, g[-1], 1, 1])
    add("G.ToRGB", conv__modulation__weight=[g[-1], texture], conv__modulation__bias=[g[-1]])

    levels, capacity = math.ceil(math.log2(options["crop_size"])), options["netD_scale_capacity"]
    most = options.get("most", 512)
    d = {2: most, 3: most} | {i: min(most, int(1024 * capacity)) for i in (4, 5)}
    d |= {i: min(most, int(2 ** (15 - i) * capacity)) for i in range(6, 12)}
    conv("D.stylegan2_D.convs.0", 3, d[levels], 1)
    for i in range(levels, 2, -1):
        down(f"D.stylegan2_D.convs.{9 - i if i <= 8 else f'{2**i}x{2**i}'}", d[i], d[i - 1], 4)
    conv("D.stylegan2_D.final_conv", most, most, 3)
    linear("D.stylegan2_D.final_linear.0", most * math.ceil(options["crop_size"] / 2 ** (levels - 2)) ** 2, most)
    linear("D.stylegan2_D.final_linear.1", most, 1)

    levels, cap = math.ceil(math.log2(options["patch_size"])), options["netPatchD_max_nc"]
    p = {i: min(cap, int(options["netPatchD_scale_capacity"] * 2 ** (10 - i))) for i in range(2, 11)}
    conv("Dpatch.convs.0", 3, p[levels], 3)
    for i in range(levels, 2, -1):
        down(f"Dpatch.convs.{7 - i if i <= 6 else f'{2**i}x{2**i}'}", p[i], p[i - 1], 4)
    down("Dpatch.convs.5", p[2], 2 * p[2], 0)
    conv("Dpatch.convs.6", 2 * p[2], p[2], 3)
    hidden = options.get("hidden", 2048)
    linear("Dpatch.pairlinear.0", 8 * p[2], hidden)
    linear("Dpatch.pairlinear.1", hidden, hidden)
    linear("Dpatch.pairlinear.2", hidden, hidden // 2)
    linear("Dpatch.pairlinear.3", hidden // 2, 1)
    return shapes


def our_options(config: SwapAEConfig, discriminators: DiscriminatorConfig) -> dict[str, Any]:
    """Ours -> the release's names."""
    return {
        "spatial_code_ch": config.structure_channels,
        "global_code_ch": config.texture_channels,
        "netE_scale_capacity": config.encoder_capacity,
        "netE_nc_steepness": config.encoder_steepness,
        "netE_num_downsampling_sp": config.downsamplings,
        "netG_scale_capacity": config.generator_capacity,
        "crop_size": discriminators.crop_size,
        "netD_scale_capacity": discriminators.image_capacity,
        "patch_size": discriminators.patch_size,
        "netPatchD_scale_capacity": discriminators.patch_capacity,
        "netPatchD_max_nc": discriminators.patch_max_channels,
    }


def infer(shapes: Shapes) -> tuple[SwapAEConfig, DiscriminatorConfig]:
    parts: dict[str, dict[str, Tensor]] = {"E": {}, "G": {}, "D": {}, "Dpatch": {}}
    for key, shape in shapes.items():
        prefix, _, name = key.partition(".")
        parts[prefix][name] = torch.zeros(1).expand(shape)  # no memory
    discriminators = infer_discriminator_config(parts)
    assert discriminators is not None
    return infer_config(parts), discriminators


def tensors(shapes: Shapes, fill: Callable[[str], float] = lambda key: 0.5) -> dict[str, Tensor]:
    """A checkpoint of constants, with the right filters; cheap, as the constants take no memory."""
    values = {}
    for key, shape in shapes.items():
        if key.endswith("kernel"):
            line = torch.tensor(FILTERS[shape[0]], dtype=torch.float32)
            values[key] = torch.outer(line, line) / line.sum() ** 2 * (4 if key.startswith("G.") else 1)
        else:
            values[key] = torch.full([1], fill(key)).expand(shape)
    return values


@pytest.mark.parametrize("case", ["church256", "small", "small-5down"])
def test_known_manifests_are_the_rule_and_give_their_configuration(case: str) -> None:
    spec, _ = read_case(case)
    assert release_shapes(spec["config"]) == spec["manifest"]
    inferred = our_options(*infer(spec["manifest"]))
    assert inferred == {name: spec["config"][name] for name in inferred}


@pytest.mark.parametrize(("case", "size"), [("church256", 256), ("small", 112), ("small-5down", 224)])
def test_the_training_size_is_the_crops_but_never_too_small_for_the_model(case: str, size: int) -> None:
    assert infer(read_case(case)[0]["manifest"])[0].image_size == size


PUBLISHED = read_case("church256")[0]["config"]
OTHERS: list[dict[str, Any]] = [
    {"crop_size": 512},
    {"crop_size": 1024},
    # The model of faces at 1024 pixels.
    {"crop_size": 768, "patch_size": 256, "global_code_ch": 1536, "netE_num_downsampling_sp": 5}
    | {"netE_scale_capacity": 0.4, "netG_scale_capacity": 0.8},
    {"netE_nc_steepness": 1.6, "global_code_ch": 64, "netE_num_downsampling_sp": 3, "netE_scale_capacity": 0.3},
    {"netE_nc_steepness": 1.6, "netE_scale_capacity": 1.5, "spatial_code_ch": 16, "netE_num_downsampling_sp": 6},
    {"netE_nc_steepness": 1.5, "netE_scale_capacity": 0.5, "global_code_ch": 400},  # 121.5 rounds to 122, even
    {"netE_nc_steepness": 1.0, "netE_scale_capacity": 0.75},
    {"netE_nc_steepness": 3.0, "netE_scale_capacity": 0.05, "netE_num_downsampling_sp": 3},
    {"netE_scale_capacity": 0.046875, "global_code_ch": 64},  # 1.5 rounds to 2
    {"netE_scale_capacity": 0.078125, "global_code_ch": 2048},  # 2.5 rounds to 2
    {"netE_scale_capacity": 1.5, "global_code_ch": 64},
    {"netE_scale_capacity": 8.0, "global_code_ch": 64},  # every width is capped
    {"netG_scale_capacity": 0.35, "spatial_code_ch": 4, "patch_size": 64},
    {"netG_scale_capacity": 0.041015625},  # 10.5 rounds to 10, 21
    {"netG_scale_capacity": 1.7},
    # A head block that keeps its channels has no skip convolution.
    {"netG_scale_capacity": 0.25, "spatial_code_ch": 64},
    {"netG_scale_capacity": 0.5, "spatial_code_ch": 128, "netE_num_downsampling_sp": 3},
    {"spatial_code_ch": 256},
    {"netD_scale_capacity": 0.1245, "netPatchD_scale_capacity": 0.35, "netPatchD_max_nc": 100},  # 127 of 1024
    {"netD_scale_capacity": 2.0, "crop_size": 128, "netPatchD_scale_capacity": 40.0, "patch_size": 8},  # all capped
    {"netD_scale_capacity": 0.05, "crop_size": 32, "netPatchD_scale_capacity": 0.2, "netPatchD_max_nc": 384},
    {"netD_scale_capacity": 0.3333, "crop_size": 48, "netPatchD_scale_capacity": 3.3, "netPatchD_max_nc": 333},
]


@pytest.mark.parametrize("changes", OTHERS, ids=lambda changes: " ".join(map(str, changes.values())))
def test_an_inferred_configuration_gives_every_shape_again(changes: dict[str, Any]) -> None:
    options = PUBLISHED | changes
    shapes = release_shapes(options)
    config, discriminators = infer(shapes)
    inferred = our_options(config, discriminators)
    assert release_shapes(inferred) == shapes
    exact = ("spatial_code_ch", "global_code_ch", "netE_num_downsampling_sp", "crop_size", "patch_size")
    assert {name: inferred[name] for name in exact} == {name: options[name] for name in exact}
    assert discriminators.patch_hidden_channels == 2048 and discriminators.image_max_channels == 512
    assert config.image_size == {768: 1024}.get(options["crop_size"], max(options["crop_size"], config.minimum_side))
    # And these are the shapes of our own networks.
    widths = [shapes["E.FromRGB.Conv.weight"][0]]
    widths += [
        shapes[f"E.DownToSpatialCode.ResBlockDownBy{2**i}.conv2.Conv.weight"][0] for i in range(config.downsamplings)
    ]
    assert widths == [config.encoder_channels(i) for i in range(len(widths))]
    up = [shapes[f"G.UpsamplingResBlock{2 ** (4 + i)}.conv2.conv.weight"][1] for i in range(config.downsamplings)]
    assert up == [config.generator_channels(i) for i in range(len(up))]


def test_the_published_capacities_are_found_as_such() -> None:
    for changes in (OTHERS[2], {"netE_scale_capacity": 0.3}, {"netG_scale_capacity": 0.35}, {"netE_nc_steepness": 1.6}):
        options = PUBLISHED | changes
        inferred = our_options(*infer(release_shapes(options)))
        assert inferred == {name: options[name] for name in inferred}


def test_shortest_decimal_is_exact_against_brute_force() -> None:
    def widths(factor: float) -> list[int]:
        return [min(40, round(factor * unit)) for unit in (3, 7.5, 12)]

    for thousandths in range(50, 5000, 7):
        found = shortest_decimal(widths(thousandths / 1000), widths)
        fewest = next(
            d for d in range(4) if any(widths(n / 10**d) == widths(thousandths / 1000) for n in range(1, 6 * 10**d))
        )
        assert found is not None and widths(found) == widths(thousandths / 1000)
        assert round(found, fewest) == found
    assert shortest_decimal([1, 40, 2], widths) is None


# ---------------------------------------------------------------- values

TINY = PUBLISHED | {
    "spatial_code_ch": 4,
    "global_code_ch": 16,
    "netE_num_downsampling_sp": 3,
    "netE_scale_capacity": 0.1,
    "netG_scale_capacity": 0.03125,
    "netD_scale_capacity": 0.01,
    "crop_size": 16,
    "patch_size": 8,
    "netPatchD_scale_capacity": 0.1,
    "netPatchD_max_nc": 8,
    "most": 8,
    "hidden": 16,
}


@pytest.fixture(scope="module")
def tiny() -> dict[str, Tensor]:
    """A checkpoint with everything; tests change copies."""
    return tensors(release_shapes(TINY))


def without(checkpoint: dict[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    return {key: value for key, value in checkpoint.items() if not key.startswith(tuple(f"{p}." for p in prefixes))}


@pytest.fixture(scope="module")
def tiny_model_only(tiny: dict[str, Tensor]) -> dict[str, Tensor]:
    return without(tiny, "D", "Dpatch")


def refused(checkpoint: Any) -> str:
    with pytest.raises(UserError) as caught:
        convert_official(checkpoint)
    message = str(caught.value)
    assert "\n" not in message and 20 < len(message) < 500
    return message


def test_every_key_becomes_exactly_one_tensor() -> None:
    """Each key filled with a number of its own: the numbers must all be found, each in one whole tensor."""
    spec, _ = read_case("small")
    keys = [key for key in spec["manifest"] if not key.endswith("kernel")]
    numbers = {key: float(i) for i, key in enumerate(keys, 1)}
    converted = convert_official(tensors(spec["manifest"], numbers.__getitem__))
    networks = (converted.model, converted.image_discriminator, converted.patch_discriminator)
    found = []
    for network in networks:
        for name, value in network.state_dict().items():
            assert (value == value.flatten()[0]).all(), name
            found.append(value.flatten()[0].item())
    assert sorted(found) == sorted(numbers.values())


@pytest.mark.parametrize("structure", [4, 8])  # 8 is also what the first head block gives: it has no skip then
@pytest.mark.parametrize("steepness", [1.0, 2.0])  # 1: no block of the encoder changes its channels
@pytest.mark.parametrize("patch_cap", [2, 8])  # 2: nor of the patch discriminator
def test_equal_and_unequal_widths_convert(structure: int, steepness: float, patch_cap: int) -> None:
    changes = {"spatial_code_ch": structure, "netE_nc_steepness": steepness, "netPatchD_max_nc": patch_cap}
    converted = convert_official(tensors(release_shapes(TINY | changes)))
    config = converted.model.config
    assert (config.structure_channels, config.head_channels(0), config.encoder_steepness) == (structure, 8, steepness)
    assert (converted.model.generator.blocks[0].skip is None) == (structure == 8)


def test_every_key_is_needed_and_every_other_refused(tiny: dict[str, Tensor]) -> None:
    small = without(tiny, "Dpatch")
    for checkpoint, prefixes in ((small, ("E", "G")), (without(tiny, "D"), ("Dpatch",))):
        for key in [key for key in checkpoint if key.startswith(tuple(f"{p}." for p in prefixes))]:
            rest = {other: value for other, value in checkpoint.items() if other != key}
            idle = key == "G.ToRGB.upsample.kernel" or ("DownToGlobalCode" in key and key.endswith("kernel"))
            if idle:
                convert_official(rest)
            elif not is_stage(key):
                assert key in refused(rest)
            else:
                refused(rest)
            refused(rest | {f"{key}x": checkpoint[key]})


def is_stage(key: str) -> bool:
    """Whether the number of stages is counted by this key: without it, others are the ones too many."""
    return (
        "ResBlockDownBy" in key
        and key.endswith("conv2.Conv.weight")
        or (key.startswith("Dpatch.convs.") and key.endswith("conv1.Conv.weight"))
    )


@pytest.mark.slow
def test_every_shape_is_checked(tiny_model_only: dict[str, Tensor]) -> None:
    for key, value in tiny_model_only.items():
        if key == "G.ToRGB.upsample.kernel":
            continue
        for wrong in (value[..., :0], torch.ones(()), torch.cat([value, value]), value[None]):
            message = refused(tiny_model_only | {key: wrong})
            assert key in message or "follow no" in message or "expected" in message


def test_values_are_checked(tiny_model_only: dict[str, Tensor]) -> None:
    key = "E.FromRGB.Act.bias"
    good = torch.ones(tiny_model_only[key].shape)
    for bad, words in (
        (good * torch.nan, "not finite"),
        (good * torch.inf, "not finite"),
        (good.double() * 1e300, "not finite"),
        (good.int(), "floating-point"),
        (good.to(torch.complex64), "floating-point"),
        (good.to_sparse(), "plain tensor"),
        (good.tolist(), "plain tensor"),
        (None, "plain tensor"),
    ):
        message = refused(tiny_model_only | {key: bad})
        assert key in message and words in message
    half = {name: value.half() for name, value in tiny_model_only.items()}
    assert convert_official(half).model.encoder.from_rgb.bias.dtype == torch.float32


def test_filters_are_checked(tiny: dict[str, Tensor]) -> None:
    checked = 0
    for key, value in tiny.items():
        if not key.endswith("kernel") or key == "G.ToRGB.upsample.kernel" or key.startswith("D"):
            continue
        other = torch.ones(4, 4) / 16 if value.shape[0] == 3 else value * 1.01  # another size, another gain
        assert key in refused(without(tiny, "D", "Dpatch") | {key: other})
        checked += 1
    assert checked == 6 + 2 + 3
    for key in ("D.stylegan2_D.convs.6.skip.Blur.kernel", "Dpatch.convs.4.conv2.Blur.kernel"):
        box = torch.ones(4, 4) / 16
        assert key in refused(without(tiny, "Dpatch" if key.startswith("D.") else "D") | {key: box})


def test_what_is_no_checkpoint_is_refused(tiny_model_only: dict[str, Tensor]) -> None:
    assert "no key starts with E." in refused({})
    assert "no key starts with G." in refused(without(tiny_model_only, "G"))
    assert "no key starts with E." in refused(without(tiny_model_only, "E"))
    assert "'state_dict'" in refused({"state_dict": tiny_model_only})
    assert "'E'" in refused({"E": {"FromRGB.Conv.weight": torch.ones(1)}})
    assert "expected a dictionary" in refused([torch.ones(1)])
    assert "expected a dictionary" in refused(torch.ones(1))
    assert "'5'" in refused({5: torch.ones(1)})
    assert "'module.E.x'" in refused(tiny_model_only | {"module.E.x": torch.ones(1)})
    assert "'line\\nbreak" in refused({"line\nbreak" + "x" * 1000: torch.ones(1)})


def test_discriminators_and_counter_are_optional(tiny: dict[str, Tensor]) -> None:
    whole = convert_official(tiny | {COUNTER: torch.tensor(7)})
    assert whole.image_discriminator is not None and whole.patch_discriminator is not None
    no_image = convert_official(without(tiny, "D"))
    assert no_image.image_discriminator is None and no_image.patch_discriminator is not None
    assert no_image.model.config.image_size == 256
    no_patch = convert_official(without(tiny, "Dpatch"))
    assert no_patch.patch_discriminator is None and no_patch.discriminator_config.crop_size == 16
    neither = convert_official(without(tiny, "D", "Dpatch"))
    assert neither.image_discriminator is neither.patch_discriminator is neither.discriminator_config is None


# ---------------------------------------------------------------- files


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """The checkpoint file of the parity case `small`."""
    path = tmp_path_factory.mktemp("checkpoint") / "latest_checkpoint.pth"
    torch.save(state_dict(read_case("small")[0]) | {COUNTER: torch.tensor(123)}, path)
    return path


def test_a_converted_folder_computes_the_parity_arrays(checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "church small"
    assert convert_checkpoint(checkpoint, str(output)) == output
    assert {path.name for path in output.iterdir()} == {"config.json", "model.safetensors", "README.md"}
    assert os.listdir(tmp_path) == ["church small"]
    model = SwapAE.from_pretrained(output)
    spec, stored = read_case("small")
    with torch.no_grad():
        codes = model.encode(image(spec, "image", [spec["batch"], 3, *spec["size"]]))
        swap = model.decode(Codes(codes.structure, codes.texture.flip(1)), noise="zero")
    reference = torch.from_numpy(stored["swap"])
    assert (thin(swap) - reference).abs().max() < 1e-4 * reference.std()
    card = ModelCard.load(output / "README.md")
    assert card.data.license == "other" and card.data.license_name == "adobe-research-non-commercial"
    assert card.data.license_link.startswith("https://github.com/taesungp/swapping-autoencoder-pytorch/")
    assert "Adobe Research" in card.text and "non-commercial research only" in card.text
    assert "arxiv.org/abs/2007.00653" in card.text and "# Swapping autoencoder: church small\n" in card.text
    assert all((path.stat().st_mode & 0o777) == 0o666 & ~umask() for path in output.iterdir())


def umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def test_discriminators_go_along_for_fine_tuning(checkpoint: Path, tmp_path: Path) -> None:
    convert_checkpoint(checkpoint, tmp_path / "model", discriminators=True)
    image_discriminator, patch_discriminator, config = load_discriminators(tmp_path / "model")
    converted = convert_official(state_dict(read_case("small")[0]))
    assert config == converted.discriminator_config
    for ours, theirs in (
        (image_discriminator, converted.image_discriminator),
        (patch_discriminator, converted.patch_discriminator),
    ):
        assert ours.state_dict().keys() == theirs.state_dict().keys()
        assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items())
    SwapAE.from_pretrained(tmp_path / "model")
    tensors = load_file(tmp_path / "model" / "discriminators.safetensors")
    (tmp_path / "model" / "discriminators.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="discriminators.safetensors' is missing, damaged"):
        load_discriminators(tmp_path / "model")
    assert len(tensors) == sum(len(d.state_dict()) for d in (image_discriminator, patch_discriminator))


def conversion_refused(path: Path, output: Path, **options: Any) -> str:
    before = sorted(output.parent.rglob("*"))
    with pytest.raises(UserError) as caught:
        convert_checkpoint(path, output, **options)
    assert sorted(output.parent.rglob("*")) == before
    message = str(caught.value)
    assert "\n" not in message and 20 < len(message) < 500
    return message


def test_discriminators_that_are_not_there_cannot_be_had(tiny: dict[str, Tensor], tmp_path: Path) -> None:
    path, output = tmp_path / "c.pth", tmp_path / "model"
    for lacking, words in ((["D"], "no D.*;"), (["Dpatch"], "no Dpatch.*;"), (["D", "Dpatch"], "no D.* and Dpatch.*;")):
        torch.save(without(tiny, *lacking), path)
        assert words in conversion_refused(path, output, discriminators=True)
    convert_checkpoint(path, output)
    with pytest.raises(UserError, match="has no discriminators; convert the checkpoint with --discriminators"):
        load_discriminators(output)


class Payload:
    """A pickle that would make a file when loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol 4")
def test_a_checkpoint_that_would_run_code_is_not_loaded(tiny_model_only, tmp_path: Path) -> None:
    path, trap = tmp_path / "c.pth", tmp_path / "trap"
    torch.save(tiny_model_only | {"E.x": Payload(trap)}, path)
    assert "might run code, so it was not loaded" in conversion_refused(path, tmp_path / "model")
    path.write_bytes(pickle.dumps(Payload(trap), protocol=2))
    assert "might run code, so it was not loaded" in conversion_refused(path, tmp_path / "model")
    path.write_bytes(pickle.dumps(Payload(trap), protocol=4))
    conversion_refused(path, tmp_path / "model")
    assert not trap.exists()


def test_what_is_no_checkpoint_file_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    path, output = tmp_path / "c.pth", tmp_path / "model"
    assert "is not a file" in conversion_refused(path, output)
    assert "is not a file" in conversion_refused(tmp_path, output)
    whole = checkpoint.read_bytes()
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("hello.txt", "hello")
    contents = (b"", whole[: len(whole) // 2], whole[:100], b"E.FromRGB.Conv.weight: 3\n" * 50, bytes(1000))
    for content in (*contents, b"<!DOCTYPE html>\n<p>", (tmp_path / "other.zip").read_bytes(), b"\x80\x02}q\x00"):
        path.write_bytes(content)
        assert "download it again" in conversion_refused(path, output), content[:20]
    torch.save(torch.ones(3), path)
    assert "expected a dictionary" in conversion_refused(path, output)


def test_what_is_there_is_not_written_over(tiny_model_only, tmp_path: Path) -> None:
    path, output = tmp_path / "c.pth", tmp_path / "model"
    torch.save(tiny_model_only, path)
    output.write_text("mine")
    assert "there is something of that name already" in conversion_refused(path, output)
    assert "there is something of that name already" in conversion_refused(tmp_path / "unread.pth", output)
    output.unlink()
    output.mkdir()
    convert_checkpoint(path, output)  # an empty folder is as good as none
    assert "there is something of that name already" in conversion_refused(path, output)
    convert_checkpoint(path, tmp_path / "new" / "folder")
    assert SwapAE.from_pretrained(tmp_path / "new" / "folder").config.texture_channels == 16
    assert "cannot write" in conversion_refused(path, path / "folder")


def test_a_failure_midway_leaves_nothing(tiny_model_only, tmp_path: Path, monkeypatch) -> None:
    torch.save(tiny_model_only, tmp_path / "c.pth")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("swapae.tensor_files.save_file", fail)
    assert "No space left" in conversion_refused(tmp_path / "c.pth", tmp_path / "model")
