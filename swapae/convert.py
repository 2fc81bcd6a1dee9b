"""Published checkpoints -> `SwapAE` and its discriminators.

The release stores one flat state dict: prefixes `E.`, `G.`, optionally `D.` and `Dpatch.`, a counter
`num_discriminator_iters`, and the fixed FIR filters as buffers. Here every key is renamed by a table, used
once or named in an error, and the configuration is read off the shapes.

The weights are Adobe Research's, for non-commercial research only; converting them does not change that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor, nn

from swapae.config import TEXTURE_DOWNSAMPLINGS, DiscriminatorConfig, SwapAEConfig
from swapae.discriminators import ImageDiscriminator, PatchDiscriminator
from swapae.errors import UserError
from swapae.model import SwapAE

StateDict = Mapping[str, Tensor]

COUNTER = "num_discriminator_iters"
# Release name inside a layer -> ours. `weight` of the modulated convolutions loses its leading axis of 1.
LAYER = {"Conv.weight": "weight", "Conv.bias": "bias", "Act.bias": "bias"}
MODULATED = {
    "conv.weight": "weight",
    "conv.modulation.weight": "modulation.weight",
    "conv.modulation.bias": "modulation.bias",
    "noise.weight": "noise_weight",
    "activate.bias": "bias",
}


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
        UserError: a key is unknown, missing, of an unexpected shape, or its values are not finite; or a stored
            FIR filter is not the one that these networks use.
    """
    if not isinstance(state_dict, Mapping) or not all(isinstance(v, Tensor) for v in state_dict.values()):
        raise UserError("not a published checkpoint: expected a flat dictionary of tensors with keys E.* and G.*")
    parts: dict[str, dict[str, Tensor]] = {"E": {}, "G": {}, "D": {}, "Dpatch": {}}
    for key, value in state_dict.items():
        prefix, _, name = key.partition(".")
        if key == COUNTER:
            continue
        if prefix not in parts or not name:
            raise UserError(f"unexpected key {key!r}: published checkpoints hold E.*, G.*, D.*, Dpatch.* and {COUNTER}")
        parts[prefix][name] = value
    for prefix in ("E", "G"):
        if not parts[prefix]:
            raise UserError(f"no key starts with {prefix}.: this is not a published swapping-autoencoder checkpoint")
    discriminator_config = infer_discriminator_config(parts["D"], parts["Dpatch"])
    model = SwapAE(infer_config(parts["E"], parts["G"], parts["D"]))
    fill(model.encoder, "E", parts["E"], rename_encoder)
    fill(model.generator, "G", parts["G"], rename_generator)
    image_discriminator = patch_discriminator = None
    if discriminator_config and parts["D"]:
        image_discriminator = ImageDiscriminator(discriminator_config)
        fill(image_discriminator, "D", parts["D"], rename_image_discriminator)
    if discriminator_config and parts["Dpatch"]:
        patch_discriminator = PatchDiscriminator(discriminator_config)
        fill(patch_discriminator, "Dpatch", parts["Dpatch"], rename_patch_discriminator)
    return Converted(model, image_discriminator, patch_discriminator, discriminator_config)


# ---------------------------------------------------------------- names


def rename_encoder(names: list[str]) -> dict[str, str | None]:
    """Release name -> ours, None for a stored FIR filter."""
    blocks = ordered(names, r"DownToSpatialCode\.ResBlockDownBy(\d+)\.")
    convs = ordered(names, r"DownToGlobalCode\.ConvLayerDownBy(\d+)\.")
    prefixes = {"FromRGB.": "from_rgb.", "ToSpatialCode.0.": "to_structure.0.", "ToSpatialCode.1.": "to_structure.1."}
    for i, scale in enumerate(blocks):
        for layer in ("conv1", "conv2", "skip"):
            prefixes[f"DownToSpatialCode.ResBlockDownBy{scale}.{layer}."] = f"trunk.{i}.{layer}."
    for i, scale in enumerate(convs):
        prefixes[f"DownToGlobalCode.ConvLayerDownBy{scale}."] = f"texture_convs.{i}."
    linear = {"ToGlobalCode.0.weight": "to_texture.weight", "ToGlobalCode.0.bias": "to_texture.bias"}
    return rename(names, prefixes, LAYER, linear)


def rename_generator(names: list[str]) -> dict[str, str | None]:
    """Release name -> ours, None for a stored FIR filter."""
    heads = [f"HeadResnetBlock{i}" for i in ordered(names, r"HeadResnetBlock(\d+)\.")]
    ups = [f"UpsamplingResBlock{i}" for i in ordered(names, r"UpsamplingResBlock(\d+)\.")]
    table = {
        "SpatialCodeModulation.scale.weight": "structure_modulation.scale.weight",
        "SpatialCodeModulation.scale.bias": "structure_modulation.scale.bias",
        "SpatialCodeModulation.bias.weight": "structure_modulation.shift.weight",
        "SpatialCodeModulation.bias.bias": "structure_modulation.shift.bias",
        "ToRGB.bias": "to_rgb.bias",
    }
    table |= {f"ToRGB.{theirs}": f"to_rgb.{ours}" for theirs, ours in list(MODULATED.items())[:3]}
    prefixes = {}
    for i, block in enumerate(heads + ups):
        prefixes[f"{block}.skip."] = f"blocks.{i}.skip."
        for conv in ("conv1", "conv2"):
            table |= {f"{block}.{conv}.{theirs}": f"blocks.{i}.{conv}.{ours}" for theirs, ours in MODULATED.items()}
    return rename(names, prefixes, LAYER, table)


def rename_image_discriminator(names: list[str]) -> dict[str, str | None]:
    """Release name -> ours, None for a stored FIR filter."""
    _, *blocks = discriminator_blocks(names, "stylegan2_D.convs.")
    prefixes = {"stylegan2_D.convs.0.": "from_rgb.", "stylegan2_D.final_conv.": "final_conv."}
    for i, block in enumerate(blocks):
        for layer in ("conv1", "conv2", "skip"):
            prefixes[f"stylegan2_D.convs.{block}.{layer}."] = f"blocks.{i}.{layer}."
    table = {}
    for i, ours in enumerate(("hidden", "to_logit")):
        table |= {f"stylegan2_D.final_linear.{i}.{kind}": f"{ours}.{kind}" for kind in ("weight", "bias")}
    return rename(names, prefixes, LAYER, table)


def rename_patch_discriminator(names: list[str]) -> dict[str, str | None]:
    """Release name -> ours, None for a stored FIR filter."""
    _, *blocks, last = discriminator_blocks(names, "convs.")
    prefixes = {"convs.0.": "from_rgb.", f"convs.{last}.": "final_conv."}
    for i, block in enumerate(blocks):
        for layer in ("conv1", "conv2", "skip"):
            prefixes[f"convs.{block}.{layer}."] = f"blocks.{i}.{layer}."
    table = {}
    for i in range(4):
        table |= {f"pairlinear.{i}.{kind}": f"compare.{i}.{kind}" for kind in ("weight", "bias")}
    return rename(names, prefixes, LAYER, table)


def ordered(names: list[str], pattern: str) -> list[str]:
    """The numbers that `pattern` captures in the names, each once, ascending."""
    found = {match[1] for name in names if (match := re.match(pattern, name))}
    return sorted(found, key=int)


def discriminator_blocks(names: list[str], prefix: str) -> list[str]:
    """Names of a discriminator's stages in order: `0`, then `SxS` for large sides descending, then 1, 2, ..."""
    found = {match[1] for name in names if (match := re.match(re.escape(prefix) + r"(\d+|\d+x\d+)\.", name))}
    sides = sorted((name for name in found if "x" in name), key=lambda name: -int(name.partition("x")[0]))
    numbers = sorted((name for name in found if "x" not in name), key=int)
    if len(numbers) < 2 or numbers[0] != "0":
        raise UserError(f"the discriminator's stages {prefix}0, {prefix}1, ... are not all there")
    return [numbers[0], *sides, *numbers[1:]]


def rename(
    names: list[str], prefixes: Mapping[str, str], layer: Mapping[str, str], table: Mapping[str, str]
) -> dict[str, str | None]:
    """Rename by whole name, or by prefix and rest; FIR filters map to None, unknown names are left out."""
    renamed: dict[str, str | None] = {}
    for name in names:
        if name.endswith(".kernel"):
            renamed[name] = None
        elif name in table:
            renamed[name] = table[name]
        else:
            prefix = max((p for p in prefixes if name.startswith(p)), key=len, default=None)
            if prefix is not None and name[len(prefix) :] in layer:
                renamed[name] = prefixes[prefix] + layer[name[len(prefix) :]]
    return renamed


def fill(module: nn.Module, prefix: str, values: StateDict, renamer: Callable[[list[str]], dict[str, str | None]]) -> None:
    """Copy the values into `module`, every key used once.

    Raises:
        UserError: naming the first keys that are unknown, missing, misshapen or not finite.
    """
    names = renamer(list(values))
    if unknown := [f"{prefix}.{name}" for name in values if name not in names]:
        raise UserError(f"checkpoint has keys that this model does not: {listing(unknown)}")
    ours = module.state_dict()
    targets = {target: name for name, target in names.items() if target is not None}
    if missing := [name for name in ours if name not in targets]:
        raise UserError(f"checkpoint lacks what becomes {prefix}: {listing(missing)}")
    filters = [buffer for name, buffer in module.named_buffers() if name.endswith("kernel")]
    loaded = {}
    for name, value in values.items():
        target = names[name]
        if target is None:
            check_filter(f"{prefix}.{name}", value, filters)
            continue
        if target not in ours:
            raise UserError(f"checkpoint has keys that this model does not: {prefix}.{name}")
        value = value.float().reshape(-1) if target == "to_rgb.bias" else value.float()
        if value.dim() == 5:  # modulated convolutions are stored as [1, O, C, k, k]
            value = value.squeeze(0)
        if value.shape != ours[target].shape:
            expected, got = list(ours[target].shape), list(value.shape)
            raise UserError(f"{prefix}.{name} has shape {got}, expected {expected}: not a published configuration")
        if not torch.isfinite(value).all():
            raise UserError(f"{prefix}.{name} holds values that are not finite: the checkpoint is damaged")
        loaded[target] = value
    module.load_state_dict(loaded, strict=True)


def check_filter(name: str, stored: Tensor, filters: list[Tensor]) -> None:
    """Raise UserError unless a stored FIR filter is [1], or one that the network uses."""
    # Filters of a layer that does not resample (one tap), and of an RGB skip that is never called, do nothing.
    if stored.numel() == 1 or name == "G.ToRGB.upsample.kernel":
        return
    if not any(f.shape == stored.shape and torch.allclose(f, stored.float(), atol=1e-5) for f in filters):
        raise UserError(f"{name} is a filter that the published networks do not use: another resampling was trained")


def listing(names: list[str]) -> str:
    """The first five names, and how many more."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


# ---------------------------------------------------------------- configuration


def shape_of(values: StateDict, prefix: str, name: str) -> list[int]:
    """Shape of a tensor that the configuration is read off."""
    if name not in values:
        raise UserError(f"checkpoint lacks {prefix}.{name}: this is not a published swapping-autoencoder checkpoint")
    return list(values[name].shape)


def infer_config(encoder: StateDict, generator: StateDict, image_discriminator: StateDict) -> SwapAEConfig:
    """Read the configuration off the shapes.

    The training size is not in them, except through the image discriminator: its crop size, and 1024 for the
    model that trains on crops of 768.
    """
    names = list(encoder)
    scales = ordered(names, r"DownToSpatialCode\.ResBlockDownBy(\d+)\.")
    texture_scales = ordered(names, r"DownToGlobalCode\.ConvLayerDownBy(\d+)\.")
    if not scales or len(texture_scales) != TEXTURE_DOWNSAMPLINGS:
        raise UserError(
            f"expected an encoder with {TEXTURE_DOWNSAMPLINGS} texture down-samplings, "
            f"found {len(scales)} for structure and {len(texture_scales)} for texture"
        )
    structure_channels = shape_of(encoder, "E", "ToSpatialCode.1.Conv.weight")[0]
    texture_channels = shape_of(encoder, "E", "ToGlobalCode.0.weight")[0]
    widths = [shape_of(encoder, "E", "FromRGB.Conv.weight")[0]]
    widths += [shape_of(encoder, "E", f"DownToSpatialCode.ResBlockDownBy{s}.conv2.Conv.weight")[0] for s in scales]
    widths += [shape_of(encoder, "E", f"DownToGlobalCode.ConvLayerDownBy{s}.Conv.weight")[0] for s in texture_scales]
    capacity, steepness = infer_encoder_capacity(widths, texture_channels)
    heads = [shape_of(generator, "G", f"HeadResnetBlock{i}.conv1.conv.weight")[1] for i in range(2)]
    size = 256
    if image_discriminator:
        config = infer_discriminator_config(image_discriminator, {})
        size = config.crop_size if config else size
        size = 1024 if size == 768 else size
    return SwapAEConfig(
        image_size=size,
        structure_channels=structure_channels,
        texture_channels=texture_channels,
        downsamplings=len(scales),
        encoder_capacity=capacity,
        encoder_steepness=steepness,
        generator_capacity=shortest_number([(Fraction(w) / (256 * 2**i), 256 * 2**i) for i, w in enumerate(heads)]),
    )


def infer_encoder_capacity(widths: list[int], cap: int) -> tuple[float, float]:
    """The roundest capacity and steepness for which `SwapAEConfig.encoder_channels` gives these widths."""
    steepnesses = [Fraction(2), *(Fraction(i, 20) for i in range(20, 81)), *(Fraction(i, 100) for i in range(100, 401))]
    for steepness in steepnesses:
        # A width at the texture code's only says that the unlimited one is no smaller.
        free = [(i, width) for i, width in enumerate(widths) if width < cap]
        capped = [i for i, width in enumerate(widths) if width >= cap]
        low = max([Fraction(2 * w - 1, 2) / (32 * steepness**i) for i, w in free], default=Fraction(0))
        low = max([low, *(Fraction(2 * cap - 1, 2) / (32 * steepness**i) for i in capped)])
        high = min([Fraction(2 * w + 1, 2) / (32 * steepness**i) for i, w in free], default=low + 1)
        capacity = shortest_between(low, high)
        if capacity is None:
            continue
        config = SwapAEConfig(
            texture_channels=cap, encoder_capacity=capacity, encoder_steepness=float(steepness)
        )
        if [config.encoder_channels(i) for i in range(len(widths))] == widths:
            return capacity, float(steepness)
    raise UserError(f"encoder widths {widths} follow no capacity and steepness of the published networks")


def shortest_between(low: Fraction, high: Fraction) -> float | None:
    """The number in [low, high] with the fewest decimals, the middle one of several; None if there is none."""
    if low > high:
        return None
    for decimals in range(7):
        first, last = -(-low * 10**decimals // 1), high * 10**decimals // 1
        if first <= last:
            # An interval's ends belong to the neighbouring width after rounding to even: prefer its middle.
            return float(Fraction((first + last) // 2, 10**decimals))
    return None


def shortest_number(widths: list[tuple[Fraction, int]]) -> float:
    """The factor with the fewest decimals that rounds to every width; `widths` holds (factor, unit)."""
    low = max(factor - Fraction(1, 2 * unit) for factor, unit in widths)
    high = min(factor + Fraction(1, 2 * unit) for factor, unit in widths)
    capacity = shortest_between(low, high)
    if capacity is None:
        raise UserError("the generator's head widths follow no capacity of the published networks")
    return capacity


def infer_discriminator_config(image: StateDict, patch: StateDict) -> DiscriminatorConfig | None:
    """Read both discriminators' configuration off their shapes; None without either."""
    fields: dict[str, int | float] = {}
    if image:
        names = discriminator_blocks(list(image), "stylegan2_D.convs.")[1:]
        levels = len(names) + 2
        final = shape_of(image, "D", "stylegan2_D.final_conv.Conv.weight")[0]
        flat = shape_of(image, "D", "stylegan2_D.final_linear.0.weight")[1]
        side = round((flat / final) ** 0.5)
        first = shape_of(image, "D", "stylegan2_D.convs.0.Conv.weight")[0]
        table = DiscriminatorConfig(image_max_channels=10**6)
        widths = {levels: first}
        for i, name in enumerate(names):
            widths[levels - 1 - i] = shape_of(image, "D", f"stylegan2_D.convs.{name}.conv2.Conv.weight")[0]
        ranges = [
            (Fraction(w, table.image_channels(i)), Fraction(w + 1, table.image_channels(i)))
            for i, w in widths.items()
            if i > 3 and w < final
        ]
        low = max([r[0] for r in ranges], default=Fraction(final, table.image_channels(max(levels, 4))))
        high = min([r[1] for r in ranges], default=max(low, Fraction(1)))
        fields |= {
            "crop_size": side * 2 ** (levels - 2),
            "image_max_channels": final,
            "image_capacity": shortest_between(low, high) or float(low),
        }
    if patch:
        names = discriminator_blocks(list(patch), "convs.")[1:-1]
        levels = len(names) + 1
        first = shape_of(patch, "Dpatch", "convs.0.Conv.weight")[0]
        last = shape_of(patch, "Dpatch", f"convs.{names[-1]}.conv1.Conv.weight")[0]
        capacity = Fraction(first, 2 ** (10 - levels))
        fields |= {
            "patch_size": 2**levels,
            "patch_capacity": shortest_between(capacity, capacity + Fraction(1, 2 ** (10 - levels)) * Fraction(9, 10)),
            "patch_max_channels": last,
            "patch_hidden_channels": shape_of(patch, "Dpatch", "pairlinear.0.weight")[0],
        }
    return DiscriminatorConfig(**fields) if fields else None
