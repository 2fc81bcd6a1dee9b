"""The configuration of a published checkpoint, read off the shapes of its tensors."""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

from swapae.config import TEXTURE_DOWNSAMPLINGS, DiscriminatorConfig, SwapAEConfig
from swapae.convert.names import encoder_names, image_stage, patch_stage
from swapae.convert.weights import StateDict
from swapae.errors import UserError

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
    # Of the convolutions, which every head block has: one that keeps its channels has no skip.
    heads = [width(generator, "G", f"HeadResnetBlock{i}.conv1.conv.weight", axis=1) for i in range(2)]
    texture_channels = width(encoder, "E", "ToGlobalCode.0.weight")

    def encoder_widths(capacity: float, steepness: float) -> list[int]:
        config = SwapAEConfig(texture_channels=texture_channels, encoder_capacity=capacity, encoder_steepness=steepness)
        return [config.encoder_channels(level) for level in range(len(widths))]

    def head_widths(capacity: float) -> list[int]:
        return [SwapAEConfig(generator_capacity=capacity).head_channels(i) for i in range(2)]

    for steepness in STEEPNESSES:
        encoder_capacity = shortest_decimal(widths, partial(encoder_widths, steepness=steepness))
        if encoder_capacity:
            break
    else:
        raise UserError(f"the encoder's widths {widths} follow no capacity and steepness: not supported")
    generator_capacity = infer_capacity("generator's head", heads, head_widths)
    config = SwapAEConfig(
        structure_channels=width(encoder, "E", "ToSpatialCode.1.Conv.weight"),
        texture_channels=texture_channels,
        downsamplings=downsamplings,
        encoder_capacity=encoder_capacity,
        encoder_steepness=steepness,
        generator_capacity=generator_capacity,
    )
    discriminators = infer_discriminator_config(parts)
    size = discriminators.crop_size if discriminators and parts["D"] else (1024 if downsamplings == 5 else 256)
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
    stages = "stylegan2_D.{}".format
    levels = count_levels("D", values, lambda level: stages(image_stage(level)))
    cap = width(values, "D", stages("final_conv.Conv.weight"))
    side = math.isqrt(width(values, "D", stages("final_linear.0.weight"), axis=1) // cap)
    layers = [stages("convs.0"), *(stages(f"{image_stage(level)}.conv2") for level in range(levels, 2, -1))]
    widths = [width(values, "D", f"{layer}.Conv.weight") for layer in layers]
    return {"crop_size": side * 2 ** (levels - 2), **infer_discriminator_capacity("image", levels, cap, widths)}


def infer_patch_discriminator(values: StateDict) -> dict[str, int | float]:
    """The fields of `DiscriminatorConfig` that begin with patch_."""
    levels = count_levels("Dpatch", values, patch_stage)
    cap = width(values, "Dpatch", f"{patch_stage(1)}.Conv.weight")
    layers = ["convs.0", *(f"{patch_stage(level)}.conv2" for level in range(levels, 2, -1))]
    widths = [width(values, "Dpatch", f"{layer}.Conv.weight") for layer in layers]
    hidden = width(values, "Dpatch", "pairlinear.0.weight")
    capacity = infer_discriminator_capacity("patch", levels, cap, widths)
    return {"patch_size": 2**levels, **capacity, "patch_hidden_channels": hidden}


def infer_discriminator_capacity(
    kind: Literal["image", "patch"], levels: int, cap: int, widths: list[int]
) -> dict[str, int | float]:
    """The fields that give a discriminator these widths, from the largest of its levels down to the second."""

    def predict(capacity: float) -> list[int]:
        fields: dict[str, Any] = {f"{kind}_capacity": capacity, f"{kind}_max_channels": cap}
        config = DiscriminatorConfig(**fields)
        channels = config.image_channels if kind == "image" else config.patch_channels
        return [channels(level) for level in range(levels, 1, -1)]

    capacity = infer_capacity(f"{kind} discriminator's", widths, predict)
    return {f"{kind}_capacity": capacity, f"{kind}_max_channels": cap}


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


def infer_capacity(whose: str, widths: list[int], predict: Callable[[float], list[int]]) -> float:
    """As `shortest_decimal`; UserError, naming `whose` widths they are, if there is none."""
    capacity = shortest_decimal(widths, predict)
    if capacity is None:
        raise UserError(f"the {whose} widths {widths} follow no capacity: not supported")
    return capacity


def shortest_decimal(widths: list[int], predict: Callable[[float], list[int]]) -> float | None:
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
