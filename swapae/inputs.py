"""What `encode` and `decode` take. Anything else is refused in one sentence that says what to pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from swapae.config import SwapAEConfig

Noise = Literal["zero", "random"] | int | Sequence[Tensor]

# Images lie in [-1, 1] but for noise and rounding. Beyond this magnitude they are on another scale, such as 0 to 255.
LARGEST_VALUE = 10.0


def check_images(images: object, config: SwapAEConfig, weight: Tensor, *, check_values: bool) -> None:
    """Raise unless `images` are what `encode` takes: [B, 3, H, W] in [-1, 1].

    Args:
        images: whatever was passed.
        config: of the model.
        weight: one of the model's, whose precision and device images must share.
        check_values: look at the range too, for which a GPU has to finish what it computes.

    Raises:
        TypeError: no tensor, or one of another precision.
        ValueError: another device, shape or range.
    """
    if not isinstance(images, Tensor):
        raise TypeError(
            f"expected images as a tensor, got {type(images).__name__}: swapae.images.load_image and fit make one of a "
            "file, a PIL image or an array, and swap_images takes these as they are"
        )
    if not images.is_floating_point():
        raise TypeError(f"expected images in [-1, 1], got {images.dtype}: pass images.to({weight.dtype}) / 127.5 - 1")
    check_tensor("images", images, weight)
    if images.dim() == 3:
        raise ValueError(f"expected images [B, 3, H, W], got {list(images.shape)}: pass images[None]")
    if images.dim() != 4 or images.shape[1] != 3 or len(images) == 0:
        raise ValueError(f"expected images [B, 3, H, W], got {list(images.shape)}")
    stride, minimum = config.stride, config.minimum_side
    if any(side % stride or side < minimum for side in images.shape[2:]):
        raise ValueError(
            f"sides must be multiples of {stride} and at least {minimum} pixels, got {list(images.shape[2:])}; "
            "swapae.images.fit resizes and pads"
        )
    if check_values and not images.is_meta and not torch.compiler.is_compiling():
        low, high = (value.item() for value in images.detach().aminmax())
        if not (low >= -LARGEST_VALUE and high <= LARGEST_VALUE):  # put so that NaN fails too
            remedy = ": pass images / 127.5 - 1" if low >= 0 and high <= 255 else ""
            raise ValueError(f"expected images in [-1, 1], got {low:g} to {high:g}{remedy}")


def check_codes(
    codes: object, block_textures: Sequence[Tensor] | None, config: SwapAEConfig, blocks: int, weight: Tensor
) -> tuple[Tensor, Tensor | list[Tensor]]:
    """A structure, and one texture for all blocks or one per block, once it is sure that `decode` takes them.

    Args:
        codes: whatever was passed.
        block_textures: one texture per block in place of the codes', or None.
        config: of the model.
        blocks: how many the generator has.
        weight: one of the model's, whose precision and device codes must share.

    Returns:
        Structure [B, K, h, w], where a batch of 1 is repeated for as many textures as there are; textures as passed.

    Raises:
        TypeError: no pair of tensors, or another precision.
        ValueError: another device, shape or number.
    """
    if not isinstance(codes, tuple | list) or len(codes) != 2:
        raise TypeError(f"expected Codes(structure, texture) as encode gives them, got {type(codes).__name__}")
    structure, texture = codes
    channels = config.structure_channels
    check_tensor("structure", structure, weight)
    if structure.dim() != 4 or structure.shape[1] != channels:
        remedy = ": pass structure[None]" if structure.dim() == 3 else ""
        raise ValueError(f"expected structure [B, {channels}, h, w], got {list(structure.shape)}{remedy}")
    if block_textures is not None and len(block_textures) != blocks:
        raise ValueError(f"expected a texture for each of {blocks} blocks, got {len(block_textures)}")
    textures = [texture] if block_textures is None else list(block_textures)
    channels = config.texture_channels
    for one in textures:
        check_tensor("texture", one, weight)
        if one.dim() not in (2, 4) or one.shape[1] != channels or len(one) != len(textures[0]):
            remedy = ": pass texture[None]" if one.dim() == 1 else ""
            raise ValueError(f"expected texture [B, {channels}] or a map of it, got {list(one.shape)}{remedy}")
    batch = common_batch(len(structure), len(textures[0]))
    if len(structure) != batch:
        structure = structure.expand(batch, -1, -1, -1)
    return structure, texture if block_textures is None else textures


def check_tensor(name: str, value: object, weight: Tensor) -> None:
    """Raise unless it is a tensor of a weight's precision and on its device.

    Raises:
        TypeError: no tensor, or another precision where autocast does not see to it.
        ValueError: another device.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"expected {name} as a tensor, got {type(value).__name__}: pass torch.as_tensor({name})")
    # The meta device, on which the cost of training is counted, knows no autocast.
    converted = weight.is_meta or torch.is_autocast_enabled(weight.device.type)
    if value.dtype != weight.dtype and not converted:
        raise TypeError(
            f"the model computes in {weight.dtype}, got {name} in {value.dtype}: pass {name}.to({weight.dtype})"
        )
    if value.device != weight.device:
        raise ValueError(
            f"the model is on {weight.device}, got {name} on {value.device}: pass {name}.to('{weight.device}')"
        )


def common_batch(structures: int, textures: int) -> int:
    """The larger of two batches, of which one may be 1: it is used for all of the other.

    Raises:
        ValueError: neither is 1 and they differ, or one is empty.
    """
    if structures != textures and min(structures, textures) != 1 or structures == 0:
        raise ValueError(f"expected as many structures as textures, or one of either, got {structures} and {textures}")
    return max(structures, textures)


def noise_maps(noise: Noise, structure: Tensor, sides: Sequence[tuple[int, int]]) -> list[Tensor] | None:
    """One map [1 or B, 1, *sides] per noisy layer in the structure's precision and on its device, or None for zeros.

    Args:
        noise: as in `SwapAE.decode`.
        structure: [B, K, h, w].
        sides: of each layer's map.

    Raises:
        ValueError: no noise, or maps of another shape.
    """
    device, dtype, batch = structure.device, structure.dtype, len(structure)
    if isinstance(noise, str):
        if noise == "zero":
            return None
        if noise == "random":
            return [torch.randn(batch, 1, *side, device=device, dtype=dtype) for side in sides]
    if isinstance(noise, int):
        # Drawn on the CPU, so that a seed means the same picture on every device.
        generator = torch.Generator().manual_seed(noise)
        return [torch.randn(1, 1, *side, generator=generator).to(device, dtype) for side in sides]
    if not isinstance(noise, tuple | list) or not all(isinstance(map, Tensor) for map in noise):
        raise ValueError(f'noise must be "zero", "random", a seed or a sequence of maps, got {noise!r}')
    shapes = [tuple(map.shape) for map in noise]
    if [shape[2:] for shape in shapes] != list(sides) or any(shape[:2] not in ((1, 1), (batch, 1)) for shape in shapes):
        raise ValueError(f"expected noise maps [1 or {batch}, 1, *sides] with sides {list(sides)}, got {shapes}")
    return [map.to(device, dtype) for map in noise]
