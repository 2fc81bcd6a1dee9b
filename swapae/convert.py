"""Published checkpoints -> `SwapAE` and its discriminators, in memory or as a model folder.

The release stores one flat state dict: prefixes `E.`, `G.`, optionally `D.` and `Dpatch.`, a counter
`num_discriminator_iters`, and the fixed FIR filters as buffers. The configuration is read off the shapes,
the networks are made, and each of their tensors, filters included, must find its one key; none is left over.

The weights are Adobe Research's, for non-commercial research only; converting them does not change that.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import pickle
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from swapae.config import TEXTURE_DOWNSAMPLINGS, DiscriminatorConfig, SwapAEConfig
from swapae.discriminators import ImageDiscriminator, PatchDiscriminator
from swapae.errors import UserError, first_line
from swapae.files import check_new_folder, new_folder
from swapae.hub.folders import load_network, read_config
from swapae.layers import ConvLayer, EqualLinear, ModulatedConv, ToRGB
from swapae.model import SwapAE
from swapae.tensor_files import write_safetensors

StateDict = Mapping[str, Tensor]

COUNTER = "num_discriminator_iters"
DISCRIMINATORS_FILE = "discriminators.safetensors"
DISCRIMINATORS_CONFIG_FILE = "discriminators.json"
LICENCE = {
    "license": "other",
    "license_name": "adobe-research-non-commercial",
    "license_link": "https://github.com/taesungp/swapping-autoencoder-pytorch/blob/main/LICENSE",
}
ABOUT = (
    f"Converted from a checkpoint that the paper's authors published. **Such weights are Adobe Research's, "
    f"for non-commercial research only** ([licence]({LICENCE['license_link']})); converting them does not "
    f"change that. The Apache licence of the package `swapae` does not cover them."
)


@dataclass(frozen=True)
class Converted:
    """A published model; a discriminator is None where the checkpoint has none."""

    model: SwapAE
    image_discriminator: ImageDiscriminator | None
    patch_discriminator: PatchDiscriminator | None
    discriminator_config: DiscriminatorConfig | None


def convert_official(state_dict: StateDict) -> Converted:
    """Turn the published flat state dict into our networks, with their weights.

    Args:
        state_dict: name -> tensor, as `torch.load(path, weights_only=True)` returns it.

    Raises:
        UserError: a key is unknown, missing, of an unexpected shape, or its values are not finite; or a
            stored FIR filter is not the one that these networks use.
    """
    parts = split(state_dict)
    config, discriminator_config = infer_config(parts), infer_discriminator_config(parts)
    model = SwapAE(config)
    fill(model.encoder, "E", encoder_names(config), parts["E"])
    fill(model.generator, "G", generator_names(config), parts["G"])
    image_discriminator = patch_discriminator = None
    if discriminator_config and parts["D"]:
        image_discriminator = ImageDiscriminator(discriminator_config)
        fill(image_discriminator, "D", image_discriminator_names(discriminator_config), parts["D"])
    if discriminator_config and parts["Dpatch"]:
        patch_discriminator = PatchDiscriminator(discriminator_config)
        fill(patch_discriminator, "Dpatch", patch_discriminator_names(discriminator_config), parts["Dpatch"])
    return Converted(model, image_discriminator, patch_discriminator, discriminator_config)


def convert_checkpoint(
    path: str | os.PathLike[str], output: str | os.PathLike[str], *, discriminators: bool = False
) -> Path:
    """Write a model folder from a published checkpoint file; all of it, or nothing.

    Args:
        path: latest_checkpoint.pth of the release.
        output: folder to make; if it is there, it must be empty.
        discriminators: write them too, which fine-tuning needs (`load_discriminators`).

    Returns:
        The folder.

    Raises:
        UserError: no published checkpoint, or one without the discriminators asked for; or the folder is
            there already or cannot be written.
    """
    output = Path(output)
    check_new_folder(output, parents=True)
    converted = convert_official(read_checkpoint(path))
    with new_folder(output, parents=True) as folder:
        card = {"title": output.name, "about": ABOUT, **LICENCE}
        converted.model.save_pretrained(folder, model_card_kwargs=card)
        if discriminators:
            save_discriminators(converted, folder)
    return output


def load_discriminators(
    folder: str | os.PathLike[str],
) -> tuple[ImageDiscriminator, PatchDiscriminator, DiscriminatorConfig]:
    """Both discriminators from a folder that `convert_checkpoint` wrote with `discriminators=True`.

    Raises:
        UserError: the folder has none, or they are damaged.
    """
    path = Path(folder, DISCRIMINATORS_CONFIG_FILE)
    if not path.is_file():
        raise UserError(f"{str(folder)!r} has no discriminators; convert the checkpoint with --discriminators")
    config = read_config(path, DiscriminatorConfig)
    both = load_network(
        lambda: nn.ModuleList([ImageDiscriminator(config), PatchDiscriminator(config)]),
        Path(folder, DISCRIMINATORS_FILE),
    )
    return both[0], both[1], config  # type: ignore[return-value]


def save_discriminators(converted: Converted, folder: Path) -> None:
    """Write what `load_discriminators` reads."""
    image, patch, config = (
        converted.image_discriminator,
        converted.patch_discriminator,
        converted.discriminator_config,
    )
    if image is None or patch is None or config is None:
        lacking = " and ".join(name for name, part in (("D.*", image), ("Dpatch.*", patch)) if part is None)
        raise UserError(f"the checkpoint has no {lacking}; convert it without --discriminators")
    write_safetensors(folder / DISCRIMINATORS_FILE, nn.ModuleList([image, patch]).state_dict())
    text = json.dumps(dataclasses.asdict(config), indent=2) + "\n"
    (folder / DISCRIMINATORS_CONFIG_FILE).write_text(text, encoding="utf-8")


def read_checkpoint(path: str | os.PathLike[str]) -> StateDict:
    """Load the tensors of a .pth file, refusing a pickle that would run code.

    Raises:
        UserError: not a file, damaged, or with more than tensors in it.
    """
    if not os.path.isfile(path):
        raise UserError(f"{str(path)!r} is not a file; give the checkpoint, latest_checkpoint.pth")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # Torch's message says how to load the file all the same, which nobody should follow.
        if "GLOBAL" in str(error):
            reason = "holds more than tensors and might run code, so it was not loaded; get it from the authors"
        else:
            reason = "is no PyTorch checkpoint; download it again"
    except Exception as error:  # damaged files raise nearly everything
        reason = f"is damaged or no PyTorch checkpoint ({first_line(error)[:100]}); download it again"
    raise UserError(f"{str(path)!r} {reason}")


# ---------------------------------------------------------------- names


def encoder_names(config: SwapAEConfig) -> dict[str, str]:
    """Our paths of modules -> the release's; what lies below keeps its path, as in the next three."""
    names = {"from_rgb": "FromRGB", "to_texture": "ToGlobalCode.0"}
    names |= {f"to_structure.{i}": f"ToSpatialCode.{i}" for i in range(2)}
    for i in range(config.downsamplings):
        names[f"trunk.{i}"] = f"DownToSpatialCode.ResBlockDownBy{2**i}"
    for i in range(TEXTURE_DOWNSAMPLINGS):
        names[f"texture_convs.{i}"] = f"DownToGlobalCode.ConvLayerDownBy{2 ** (config.downsamplings + i)}"
    return names


def generator_names(config: SwapAEConfig) -> dict[str, str]:
    """Blocks that keep the side are numbered from 0; those that double it are named 16, 32, 64, ..."""
    names = {"to_rgb": "ToRGB"}
    names |= {f"structure_modulation.{ours}": f"SpatialCodeModulation.{theirs}" for ours, theirs in MODULATION}
    names |= {f"blocks.{i}": f"HeadResnetBlock{i}" for i in range(2)}
    names |= {f"blocks.{2 + i}": f"UpsamplingResBlock{2 ** (4 + i)}" for i in range(config.downsamplings)}
    return names


def image_discriminator_names(config: DiscriminatorConfig) -> dict[str, str]:
    """See `image_stage`."""
    names = {"from_rgb": "convs.0", "final_conv": "final_conv"}
    names |= {"hidden": "final_linear.0", "to_logit": "final_linear.1"}
    for i, level in enumerate(range(config.image_levels, 2, -1)):
        names[f"blocks.{i}"] = image_stage(level)
    return {ours: f"stylegan2_D.{theirs}" for ours, theirs in names.items()}


def patch_discriminator_names(config: DiscriminatorConfig) -> dict[str, str]:
    """See `patch_stage`; the block that keeps the side and the last convolution count on."""
    names = {"from_rgb": "convs.0", "final_conv": patch_stage(1)}
    names |= {f"compare.{i}": f"pairlinear.{i}" for i in range(4)}
    for i, level in enumerate(range(config.patch_levels, 1, -1)):
        names[f"blocks.{i}"] = patch_stage(level)
    return names


MODULATION = (("scale", "scale"), ("shift", "bias"))


def image_stage(level: int) -> str:
    """The block that takes 2**level pixels: those of 256 and less count from 1, larger ones are named so."""
    return f"convs.{9 - level}" if level <= 8 else f"convs.{2**level}x{2**level}"


def patch_stage(level: int) -> str:
    """As `image_stage`, for the patch discriminator, whose numbers begin at 64 pixels."""
    return f"convs.{7 - level}" if level <= 6 else f"convs.{2**level}x{2**level}"


def leaves(layer: nn.Module) -> dict[str, str]:
    """Tensors of one of our layers, filters included -> their names in the release."""
    if isinstance(layer, ConvLayer):
        names = {"weight": "Conv.weight"}
        if layer.bias is not None:
            names["bias"] = "Act.bias" if layer.activate else "Conv.bias"
        return names | ({"blur.kernel": "Blur.kernel"} if layer.blur is not None else {})
    modulation = {f"modulation.{name}": f"conv.modulation.{name}" for name in ("weight", "bias")}
    if isinstance(layer, ModulatedConv):
        names = {
            "weight": "conv.weight",
            "noise_weight": "noise.weight",
            "bias": "activate.bias",
            **modulation,
        }
        return names | ({"blur.kernel": "conv.blur.kernel"} if layer.blur is not None else {})
    if isinstance(layer, ToRGB):
        return {"weight": "conv.weight", "bias": "bias", **modulation}
    return {"weight": "weight", "bias": "bias"} if isinstance(layer, EqualLinear) else {}


def release_names(network: nn.Module, modules: Mapping[str, str]) -> dict[str, str]:
    """Every tensor of `network`, filters included -> its name in the release."""
    names = {}
    for path, layer in network.named_modules():
        head = next((ours for ours in modules if path == ours or path.startswith(f"{ours}.")), None)
        if head is not None and not path.endswith(".modulation"):  # those belong to the layer above
            theirs = modules[head] + path.removeprefix(head)
            names |= {f"{path}.{leaf}": f"{theirs}.{name}" for leaf, name in leaves(layer).items()}
    return names


def is_idle(key: str, value: Tensor) -> bool:
    """Whether a stored filter changes nothing: of a skip that is never called, or of one tap and sum 1."""
    one_tap = key.startswith("E.DownToGlobalCode.") and key.endswith(".Blur.kernel")
    return key == "G.ToRGB.upsample.kernel" or (one_tap and value.tolist() == [[1.0]])


# ---------------------------------------------------------------- values


def split(state_dict: StateDict) -> dict[str, dict[str, Tensor]]:
    """The networks' tensors, by prefix; all are plain, finite and not empty."""
    if not isinstance(state_dict, Mapping):
        raise UserError("not a published checkpoint: expected a dictionary of tensors with keys E.* and G.*")
    parts: dict[str, dict[str, Tensor]] = {"E": {}, "G": {}, "D": {}, "Dpatch": {}}
    for key, value in state_dict.items():
        prefix, _, name = str(key).partition(".")
        if key == COUNTER:
            continue
        if prefix not in parts or not name:
            raise UserError(
                f"unexpected key {str(key)[:80]!r}: published checkpoints hold E., G., D., Dpatch. and {COUNTER}"
            )
        if not isinstance(value, Tensor) or not value.is_floating_point() or value.layout != torch.strided:
            raise UserError(f"{key} is no plain tensor of floating-point numbers: not a published checkpoint")
        if not value.numel() or not torch.isfinite(value.float()).all():
            raise UserError(f"{key} is empty or holds values that are not finite: the checkpoint is damaged")
        parts[prefix][name] = value
    for prefix in ("E", "G"):
        if not parts[prefix]:
            raise UserError(f"no key starts with {prefix}.: not a published swapping-autoencoder checkpoint")
    return parts


def fill(network: nn.Module, prefix: str, modules: Mapping[str, str], values: StateDict) -> None:
    """Copy the values into `network`, every key used once.

    Raises:
        UserError: naming the first keys that are unknown, missing or misshapen, or another filter.
    """
    names = release_names(network, modules)
    parameters = network.state_dict()
    if missing := [name for name in names.values() if name not in values]:
        raise UserError(f"the checkpoint lacks {listing(prefix, missing)}")
    known = set(names.values())
    if unknown := [
        name for name, value in values.items() if name not in known and not is_idle(f"{prefix}.{name}", value)
    ]:
        raise UserError(f"the checkpoint has keys that this model has not: {listing(prefix, unknown)}")
    filters = dict(network.named_buffers())
    loaded = {}
    for ours, theirs in names.items():
        value, target = values[theirs], (parameters | filters)[ours]
        stored = list(target.shape)
        if theirs.endswith(".conv.weight"):  # a modulated convolution's
            stored = [1, *stored]
        elif theirs == "ToRGB.bias":
            stored = [1, 3, 1, 1]
        if list(value.shape) != stored:
            raise UserError(f"{prefix}.{theirs} is {list(value.shape)}, expected {stored}: no published configuration")
        value = value.float().reshape(target.shape)
        if ours in parameters:
            loaded[ours] = value
        elif not torch.allclose(value, target, atol=1e-5):
            raise UserError(f"{prefix}.{theirs} is another filter than the published networks': not supported")
    network.load_state_dict(loaded)


def listing(prefix: str, names: list[str]) -> str:
    """The first five names, and how many more."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(f"{prefix}.{name}" for name in names[:5]) + more


# ---------------------------------------------------------------- configuration

# The release's default first, then by decimals.
STEEPNESSES = list(dict.fromkeys([2.0, *(i / 10 for i in range(10, 41)), *(i / 100 for i in range(100, 401))]))
MAX_LEVELS = 16  # more octaves than any picture has


def infer_config(parts: Mapping[str, StateDict]) -> SwapAEConfig:
    """Read the configuration off the shapes.

    The training size is not in them; what is known of the published models must do: the image discriminator's
    crops have it, but for 1024, which trains on crops of 768 and alone has five down-samplings.
    """
    encoder, generator = parts["E"], parts["G"]

    def block(level: int) -> str:
        return f"DownToSpatialCode.ResBlockDownBy{2**level}.conv2.Conv.weight"

    downsamplings = next(level for level in range(MAX_LEVELS) if block(level) not in encoder)
    if not downsamplings:
        raise UserError(f"the checkpoint lacks E.{block(0)}: not a published swapping-autoencoder checkpoint")
    textures = encoder_names(SwapAEConfig(downsamplings=downsamplings))
    layers = ["FromRGB.Conv.weight", *(block(level) for level in range(downsamplings))]
    layers += [f"{textures[f'texture_convs.{i}']}.Conv.weight" for i in range(TEXTURE_DOWNSAMPLINGS)]
    widths = [width(encoder, "E", layer) for layer in layers]
    heads = [width(generator, "G", f"HeadResnetBlock{i}.skip.Conv.weight") for i in range(2)]
    texture_channels = width(encoder, "E", "ToGlobalCode.0.weight")

    def encoder_widths(capacity: float, steepness: float) -> list[int]:
        config = SwapAEConfig(texture_channels=texture_channels, encoder_capacity=capacity, encoder_steepness=steepness)
        return [config.encoder_channels(level) for level in range(len(widths))]

    def head_widths(capacity: float) -> list[int]:
        return [SwapAEConfig(generator_capacity=capacity).head_channels(i) for i in range(2)]

    for steepness in STEEPNESSES:
        encoder_capacity = roundest(widths, lambda capacity, steep=steepness: encoder_widths(capacity, steep))
        if encoder_capacity:
            break
    else:
        raise UserError(f"the encoder's widths {widths} follow no capacity and steepness: not supported")
    generator_capacity = roundest(heads, head_widths)
    if not generator_capacity:
        raise UserError(f"the generator's head widths {heads} follow no capacity: not supported")
    config = SwapAEConfig(
        structure_channels=width(encoder, "E", "ToSpatialCode.1.Conv.weight"),
        texture_channels=texture_channels,
        downsamplings=downsamplings,
        encoder_capacity=encoder_capacity,
        encoder_steepness=steepness,
        generator_capacity=generator_capacity,
    )
    critics = infer_discriminator_config(parts)
    size = critics.crop_size if critics and parts["D"] else (1024 if downsamplings == 5 else 256)
    size = 1024 if size == 768 else max(size, config.minimum_side)
    return dataclasses.replace(config, image_size=size)


def infer_discriminator_config(parts: Mapping[str, StateDict]) -> DiscriminatorConfig | None:
    """Read both discriminators' configuration off their shapes; None without either."""
    fields: dict[str, int | float] = {}
    if parts["D"]:
        fields |= infer_image_discriminator(parts["D"])
    if parts["Dpatch"]:
        fields |= infer_patch_discriminator(parts["Dpatch"])
    return DiscriminatorConfig(**fields) if fields else None  # type: ignore[arg-type]


def infer_image_discriminator(values: StateDict) -> dict[str, int | float]:
    """The fields of `DiscriminatorConfig` that begin with image_, and crop_size."""
    levels = count_levels("D", values, lambda level: f"stylegan2_D.{image_stage(level)}")
    cap = width(values, "D", "stylegan2_D.final_conv.Conv.weight")
    side = math.isqrt(width(values, "D", "stylegan2_D.final_linear.0.weight", axis=1) // cap)
    layers = [f"stylegan2_D.{image_stage(level)}.conv2.Conv.weight" for level in range(levels, 2, -1)]
    widths = [width(values, "D", layer) for layer in ["stylegan2_D.convs.0.Conv.weight", *layers]]

    def predict(capacity: float) -> list[int]:
        config = DiscriminatorConfig(image_capacity=capacity, image_max_channels=cap)
        return [config.image_channels(level) for level in range(levels, 1, -1)]

    capacity = roundest(widths, predict)
    if not capacity:
        raise UserError(f"the image discriminator's widths {widths} follow no capacity: not supported")
    return {"crop_size": side * 2 ** (levels - 2), "image_capacity": capacity, "image_max_channels": cap}


def infer_patch_discriminator(values: StateDict) -> dict[str, int | float]:
    """The fields of `DiscriminatorConfig` that begin with patch_."""
    levels = count_levels("Dpatch", values, patch_stage)
    cap = width(values, "Dpatch", f"{patch_stage(1)}.Conv.weight")
    layers = [f"{patch_stage(level)}.conv2.Conv.weight" for level in range(levels, 2, -1)]
    widths = [width(values, "Dpatch", layer) for layer in ["convs.0.Conv.weight", *layers]]

    def predict(capacity: float) -> list[int]:
        config = DiscriminatorConfig(patch_capacity=capacity, patch_max_channels=cap)
        return [config.patch_channels(level) for level in range(levels, 1, -1)]

    capacity = roundest(widths, predict)
    if not capacity:
        raise UserError(f"the patch discriminator's widths {widths} follow no capacity: not supported")
    hidden = width(values, "Dpatch", "pairlinear.0.weight")
    return {
        "patch_size": 2**levels,
        "patch_capacity": capacity,
        "patch_max_channels": cap,
        "patch_hidden_channels": hidden,
    }


def count_levels(prefix: str, values: StateDict, stage: Callable[[int], str]) -> int:
    """log2 of the largest side that a discriminator has a block for."""
    present = [level for level in range(3, MAX_LEVELS) if f"{stage(level)}.conv1.Conv.weight" in values]
    if not present:
        raise UserError(f"the checkpoint lacks {prefix}.{stage(3)}: not a published discriminator")
    return max(present)


def width(values: StateDict, prefix: str, name: str, axis: int = 0) -> int:
    """Output channels (axis 0) or input channels (1) of a layer that the configuration is read off."""
    if name not in values:
        raise UserError(f"the checkpoint lacks {prefix}.{name}: not a published checkpoint")
    shape = values[name].shape
    if len(shape) < 2:
        raise UserError(f"{prefix}.{name} is {list(shape)}, no layer's weight: not a published checkpoint")
    return shape[axis]


def roundest(widths: list[int], predict: Callable[[float], list[int]]) -> float | None:
    """The factor of fewest decimals, six at most, that gives exactly these widths, or None.

    Args:
        widths: channels of some layers.
        predict: factor -> their channels, of which none falls as the factor grows. Hence among the multiples
            of 0.1, of 0.01, ... only the first one with enough channels everywhere can be right.
    """

    def first(decimals: int) -> float:
        unit = 10**decimals

        def is_enough(n: int) -> bool:
            return all(have >= want for have, want in zip(predict(n / unit), widths, strict=True))

        return (bisect_left(range(1, 64 * unit), True, key=is_enough) + 1) / unit

    if predict(first(6)) != widths:
        return None  # nor then does a coarser one
    return next(factor for factor in map(first, range(7)) if predict(factor) == widths)
