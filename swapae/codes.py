"""`Codes`: what an image is split into, a value to keep, edit, save and load.

A codes file is a safetensors file with the tensors structure, texture and probe; its metadata hold the
format, the configuration's fingerprint and, if known, the picture's size before it was padded. The probe is
the start of one of the encoder's weights: codes mean nothing to another model, even of the same configuration.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

import torch
from torch import Tensor

from swapae.config import SwapAEConfig
from swapae.errors import UserError
from swapae.tensor_files import read_safetensors, write_safetensors

CODES_FORMAT = "swapae codes 1"
PROBE_LENGTH = 64
# Distance of two probes of one model, relative to their length: casting to bfloat16 moves it by 0.2 %.
PROBE_TOLERANCE = 0.02


class Codes(NamedTuple):
    """Structure and texture of a batch of images.

    Attributes:
        structure: [B, K, h, w], unit length over channels; h = H/stride, w = W/stride.
        texture: [B, T], unit length, or a map [B, T, any, any] that is resized to each layer's grid.
    """

    structure: Tensor
    texture: Tensor


def save_codes(
    codes: Codes,
    path: str | os.PathLike[str],
    config: SwapAEConfig,
    weight: Tensor,
    *,
    size: tuple[int, int] | None = None,
) -> None:
    """Write codes, bit for bit, replacing an older file only once complete.

    Args:
        codes: structure [B, K, h, w]; texture [B, T] or a map [B, T, any, any].
        path: of the file.
        config: of the model they belong to.
        weight: one of its weights; the first values are kept to know it by.
        size: (width, height) of the picture before it was padded, for `to_pil` to crop back to.

    Raises:
        ValueError: codes that are not this model's, or a size larger than they decode to.
        UserError: the file cannot be written.
    """
    if problem := misfit(codes, size, config):
        raise ValueError(f"cannot save these codes: {problem}")
    metadata = {"format": CODES_FORMAT, "config": config.fingerprint}
    if size is not None:
        metadata["size"] = f"{size[0]}x{size[1]}"
    write_safetensors(path, {**codes._asdict(), "probe": probe_of(weight)}, metadata)


def load_codes(
    path: str | os.PathLike[str], config: SwapAEConfig, weight: Tensor
) -> tuple[Codes, tuple[int, int] | None]:
    """Read what `save_codes` wrote: codes on the CPU in the type they had, and the size if it was given.

    Raises:
        UserError: no codes file, a damaged one, or codes of another model than `config` and `weight` are of.
    """
    name = repr(os.fspath(path))
    tensors, metadata = read_safetensors(path, remedy="encode the picture again")
    written, wanted = metadata.get("format", ""), {"structure", "texture", "probe"}
    if not written.startswith("swapae codes") or (written == CODES_FORMAT and set(tensors) != wanted):
        raise UserError(f"{name} holds no codes; give a file that `swapae encode` or save_codes wrote")
    if written != CODES_FORMAT:
        raise UserError(f"{name} is of the format {written[:40]!r}, newer than this swapae: upgrade it")
    if metadata.get("config") != config.fingerprint or not check_probe(tensors["probe"], weight):
        raise UserError(f"{name} holds codes of another model; give that one, or encode the picture again")
    codes = Codes(tensors["structure"], tensors["texture"])
    size = None
    if "size" in metadata:
        found = re.fullmatch(r"([0-9]{1,9})x([0-9]{1,9})", metadata["size"])
        size = (int(found[1]), int(found[2])) if found else (0, 0)
    if problem := misfit(codes, size, config):
        raise UserError(f"{name} is damaged ({problem}); encode the picture again")
    return codes, size


def probe_of(weight: Tensor) -> Tensor:
    """The first values of a weight, float32 on the CPU."""
    return weight.detach().flatten()[:PROBE_LENGTH].to("cpu", torch.float32)


def check_probe(probe: Tensor | None, weight: Tensor) -> bool:
    """Whether a file's probe is of the model that has `weight`."""
    mine = probe_of(weight)
    # Written so that NaN counts as another model.
    return (
        probe is not None
        and probe.shape == mine.shape
        and bool((probe.float() - mine).norm() <= PROBE_TOLERANCE * mine.norm())
    )


def misfit(codes: Codes, size: tuple[int, int] | None, config: SwapAEConfig) -> str:
    """Why codes and size cannot be those of a model with this configuration; "" if they can."""
    structure, texture = codes
    if structure.dim() != 4 or structure.shape[1] != config.structure_channels or not structure.numel():
        return f"structure is {list(structure.shape)}, not [B, {config.structure_channels}, h, w]"
    expected = (len(structure), config.texture_channels)
    if texture.dim() not in (2, 4) or texture.shape[:2] != expected or not texture.numel():
        return f"texture is {list(texture.shape)}, not {list(expected)} or a map of it"
    for name, value in codes._asdict().items():
        if not value.is_floating_point() or not torch.isfinite(value).all():
            return f"{name} holds something else than finite floating-point numbers"
    width, height = (side * config.stride for side in (structure.shape[3], structure.shape[2]))
    if size is not None and not (0 < size[0] <= width and 0 < size[1] <= height):
        return f"the size is {size[0]}x{size[1]}, the picture they decode to {width}x{height}"
    return ""
