"""The nodes: load a model, encode, swap, mix, move along a direction, decode.

ComfyUI's pictures are float tensors [B, H, W, 3] in [0, 1], its masks [B, H, W] in [0, 1]; ours are [B, 3, H, W] in
[-1, 1]. Between the nodes go two types of our own: a model, and codes with the size of the pictures they are of.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from swapae.codes import Codes
from swapae.editing.directions import Directions
from swapae.editing.interpolation import interpolate
from swapae.editing.masks import grid_of
from swapae.editing.regions import texture_map
from swapae.editing.texture import mix_textures
from swapae.errors import UserError
from swapae.hub.folders import EMBEDDED, embedded_names
from swapae.model import SwapAE
from swapae.pictures.images import fit, load_image

CATEGORY = "swapae"
MODEL, CODES = "SWAPAE_MODEL", "SWAPAE_CODES"
Inputs = dict[str, dict[str, tuple]]


@dataclass(frozen=True)
class LoadedModel:
    """A model and the name it was loaded by, beside which its directions lie."""

    model: SwapAE
    name: str


@dataclass(frozen=True)
class EncodedPictures:
    """Codes of a batch.

    Attributes:
        codes: structure [B, K, h, w]; texture [B, T] or a map [B, T, h, w].
        size: (width, height) of the pictures before they were padded.
        stride: pixels of a cell of the structure code.
    """

    codes: Codes
    size: tuple[int, int]
    stride: int


def to_model(image: Tensor, model: SwapAE, short_side: int) -> tuple[Tensor, tuple[int, int]]:
    """ComfyUI's pictures as a model's, and their size before padding."""
    config = model.config
    levels = (image.clamp(0, 1) * 255).round().to(torch.uint8).cpu()
    fitted = [
        fit(load_image(one.numpy()), short_side or config.image_size, config.stride, config.minimum_side)
        for one in levels
    ]
    return torch.cat([one.tensor for one in fitted]).to(model.device, model.dtype), fitted[0].size


def progress(steps: int) -> Callable[[], None]:
    """What to call after each of `steps`: ComfyUI's bar, or nothing outside ComfyUI."""
    try:
        bar = importlib.import_module("comfy.utils").ProgressBar(steps)
    except ImportError:
        return lambda: None
    return lambda: bar.update(1)


class LoadModel:
    """A model by name, folder, or owner/name of the Hugging Face Hub."""

    CATEGORY, FUNCTION = CATEGORY, "load"
    RETURN_TYPES, RETURN_NAMES = (MODEL,), ("model",)

    @classmethod
    def INPUT_TYPES(cls) -> Inputs:  # ComfyUI's name
        """A name and a device."""
        names = ", ".join(embedded_names())
        devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
        return {
            "required": {
                "name": (
                    "STRING",
                    {"default": EMBEDDED.name, "tooltip": f"{names}, a folder, or owner/name on the Hub"},
                ),
                "device": (devices[::-1],),
            }
        }

    def load(self, name: str, device: str) -> tuple[LoadedModel]:
        """Raises UserError if there is no such model."""
        return (LoadedModel(SwapAE.from_pretrained(name).to(device), name),)


class Encode:
    """Pictures to codes. Pictures are resized: `short_side` 0 is the size that the model was trained at."""

    CATEGORY, FUNCTION = CATEGORY, "encode"
    RETURN_TYPES, RETURN_NAMES = (CODES,), ("codes",)

    @classmethod
    def INPUT_TYPES(cls) -> Inputs:
        """A model and pictures."""
        size = {"default": 0, "min": 0, "max": 4096, "step": 8, "tooltip": "pixels; 0 is the model's own size"}
        return {"required": {"model": (MODEL,), "image": ("IMAGE",), "short_side": ("INT", size)}}

    @torch.inference_mode()
    def encode(self, model: LoadedModel, image: Tensor, short_side: int) -> tuple[EncodedPictures]:
        """Raises UserError for pictures that are too small or too large."""
        pictures, size = to_model(image, model.model, short_side)
        step = progress(len(pictures))
        parts = []
        for one in pictures.split(1):
            parts.append(model.model.encode(one))
            step()
        codes = Codes(*(torch.cat(part) for part in zip(*parts, strict=True)))
        return (EncodedPictures(codes, size, model.model.config.stride),)


class Swap:
    """The structure of some pictures in the texture of others; with a mask, inside it only."""

    CATEGORY, FUNCTION = CATEGORY, "swap"
    RETURN_TYPES, RETURN_NAMES = (CODES,), ("codes",)

    @classmethod
    def INPUT_TYPES(cls) -> Inputs:
        """Two codes, a strength, and if wanted a mask."""
        alpha = {"default": 1.0, "min": -2.0, "max": 2.0, "step": 0.05, "tooltip": "0 keeps the own texture"}
        feather = {"default": 2, "min": 0, "max": 32, "tooltip": "cells over which the mask's edge is softened"}
        return {
            "required": {"structure": (CODES,), "texture": (CODES,), "alpha": ("FLOAT", alpha)},
            "optional": {"mask": ("MASK",), "feather": ("INT", feather)},
        }

    @torch.inference_mode()
    def swap(
        self,
        structure: EncodedPictures,
        texture: EncodedPictures,
        alpha: float,
        mask: Tensor | None = None,
        feather: int = 2,
    ) -> tuple[EncodedPictures]:
        """Raises UserError for batches or masks that do not fit each other."""
        own, other = structure.codes, texture.codes.texture
        if other.dim() == 4:
            raise UserError("the texture has a mask of its own: give codes straight from Encode as texture")
        count = common([len(own.texture), len(other), 1 if mask is None else len(mask)])
        spread = Codes(*(code.expand(count, *code.shape[1:]) for code in own))
        moved = interpolate(spread.texture, other, alpha)
        if mask is not None:
            if spread.texture.dim() == 4:
                raise UserError("the structure's codes have a mask already: mix before you mask")
            grid = grid_of(spread.structure)
            moved = texture_map(spread.texture, [moved], [on_grid(mask, structure, grid)], grid, radius=feather)
        return (replace(structure, codes=Codes(spread.structure, moved)),)


class Mix:
    """The weighted mean of up to four textures, on the first one's structure."""

    CATEGORY, FUNCTION = CATEGORY, "mix"
    RETURN_TYPES, RETURN_NAMES = (CODES,), ("codes",)

    @classmethod
    def INPUT_TYPES(cls) -> Inputs:
        """Codes with weights."""
        weight = {"default": 0.5, "min": 0.0, "max": 1.0, "step": 0.05}
        more: dict[str, tuple] = {f"texture_{number}": (CODES,) for number in (3, 4)}
        more |= {f"weight_{number}": ("FLOAT", weight) for number in (3, 4)}
        return {
            "required": {
                "structure": (CODES,),
                "texture_1": (CODES,),
                "weight_1": ("FLOAT", weight),
                "texture_2": (CODES,),
                "weight_2": ("FLOAT", weight),
            },
            "optional": more,
        }

    @torch.inference_mode()
    def mix(self, structure: EncodedPictures, **inputs: Any) -> tuple[EncodedPictures]:
        """Raises UserError for weights without a positive sum, or batches that do not fit each other."""
        numbers = [number for number in range(1, 5) if f"texture_{number}" in inputs]
        textures = [inputs[f"texture_{number}"].codes.texture for number in numbers]
        count = common([len(structure.codes.structure), *map(len, textures)])
        try:
            weights = [inputs.get(f"weight_{number}", 0.5) for number in numbers]
            mixed = mix_textures([one.expand(count, *one.shape[1:]) for one in textures], weights)
        except ValueError as error:
            raise UserError(f"cannot mix: {error}") from None
        own = structure.codes.structure
        return (replace(structure, codes=Codes(own.expand(count, *own.shape[1:]), mixed)),)


class MoveAlongDirection:
    """Codes moved along a named direction of the model, or one of its axes."""

    CATEGORY, FUNCTION = CATEGORY, "move"
    RETURN_TYPES, RETURN_NAMES = (CODES,), ("codes",)

    @classmethod
    def INPUT_TYPES(cls) -> Inputs:
        """Codes, a direction's name and a gain."""
        gain = {"default": 1.0, "min": -4.0, "max": 4.0, "step": 0.05, "tooltip": "1 is a clear edit"}
        name = {"default": "warm", "tooltip": "as `swapae direction list` names them"}
        return {
            "required": {"model": (MODEL,), "codes": (CODES,), "direction": ("STRING", name), "gain": ("FLOAT", gain)}
        }

    @torch.inference_mode()
    def move(self, model: LoadedModel, codes: EncodedPictures, direction: str, gain: float) -> tuple[EncodedPictures]:
        """Raises UserError if the model has no directions, or none of that name."""
        known = Directions.from_pretrained(model.model, model.name)
        return (replace(codes, codes=known.apply(codes.codes, {direction: gain})),)


class Decode:
    """Codes to pictures. The seed is of the noise that generates fine detail."""

    CATEGORY, FUNCTION = CATEGORY, "decode"
    RETURN_TYPES, RETURN_NAMES = ("IMAGE",), ("image",)

    @classmethod
    def INPUT_TYPES(cls) -> Inputs:
        """A model, codes and a seed."""
        seed = {"default": 0, "min": 0, "max": 2**63 - 1}
        return {"required": {"model": (MODEL,), "codes": (CODES,), "seed": ("INT", seed)}}

    @torch.inference_mode()
    def decode(self, model: LoadedModel, codes: EncodedPictures, seed: int) -> tuple[Tensor]:
        """Pictures [B, H, W, 3] in [0, 1], of the size that was encoded."""
        structure, texture = codes.codes
        step = progress(len(structure))
        made = []
        for number in range(len(structure)):
            one = Codes(structure[number : number + 1], texture[number : number + 1])
            made.append(model.model.decode(one, noise=seed))
            step()
        width, height = codes.size
        pictures = torch.cat(made)[:, :, :height, :width].float().clamp(-1, 1)
        return ((pictures / 2 + 0.5).movedim(1, 3).cpu(),)


def common(counts: list[int]) -> int:
    """The batch that all share, of which any may be one for all."""
    largest = max(counts)
    if any(count not in (1, largest) for count in counts):
        raise UserError(
            f"batches of {' and '.join(map(str, counts))} do not fit each other: give one picture, or as many"
        )
    return largest


def on_grid(mask: Tensor, pictures: EncodedPictures, grid: tuple[int, int]) -> Tensor:
    """ComfyUI's mask over the cells of the structure code, the padding outside it repeating the edge."""
    width, height = pictures.size
    rows, columns = (cells * pictures.stride for cells in grid)
    whole = F.interpolate(mask[:, None].float(), (height, width), mode="bilinear", antialias=True)
    padded = F.pad(whole, (0, columns - width, 0, rows - height), mode="replicate")
    return F.interpolate(padded, grid, mode="area").clamp(0, 1)


NODE_CLASS_MAPPINGS = {
    "SwapaeLoadModel": LoadModel,
    "SwapaeEncode": Encode,
    "SwapaeSwap": Swap,
    "SwapaeMix": Mix,
    "SwapaeDirection": MoveAlongDirection,
    "SwapaeDecode": Decode,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "SwapaeLoadModel": "Load swapping autoencoder",
    "SwapaeEncode": "Encode structure and texture",
    "SwapaeSwap": "Swap texture",
    "SwapaeMix": "Mix textures",
    "SwapaeDirection": "Move along direction",
    "SwapaeDecode": "Decode structure and texture",
}
