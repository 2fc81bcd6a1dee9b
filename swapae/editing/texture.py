"""Texture codes: mixed of several photographs, of another strength per layer, moved from domain to domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from swapae.editing.interpolation import check_finite, interpolate, spread
from swapae.layers import unit_length
from swapae.precision import upcast


def mix_textures(textures: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """One texture of several photographs: their weighted mean, brought back to unit length.

    With two it is the linear interpolation of section 4.3. A negative weight moves away from a texture.

    Args:
        textures: each [B or 1, T], or a map [B or 1, T, h, w].
        weights: one per texture, finite; divided by their sum.

    Returns:
        [B, T], or a map if one of them is.

    Raises:
        ValueError: no texture, another number of weights, weights that are not finite or whose sum is not
            positive, or textures of different shapes.
    """
    if not textures or len(textures) != len(weights):
        raise ValueError(f"expected one weight per texture and at least one, got {len(weights)} for {len(textures)}")
    check_finite("weight", *weights)
    total = sum(weights)
    if total <= 0:
        raise ValueError(f"expected weights of a positive sum, got {total:g}")
    stacked = torch.stack(spread(textures))
    shares = torch.tensor([weight / total for weight in weights], device=stacked.device)
    mean = torch.tensordot(shares.to(upcast(stacked)), upcast(stacked), 1)
    return unit_length(mean).to(stacked.dtype)


def textures_per_block(
    own: Tensor, other: Tensor, groups: Sequence[str], strengths: Mapping[str, float]
) -> list[Tensor]:
    """Textures for `SwapAE.decode(codes, block_textures=...)`: another strength in each group of layers.

    The paper feeds one texture to all layers; as in StyleGAN's style mixing, the early ones decide on coarse
    shapes and the late ones on fine detail and colours.

    Args:
        own, other: textures [B, T] or maps, as in `interpolate`.
        groups: the group of each block, `model.generator.block_groups`.
        strengths: for each of "coarse", "middle" and "fine", 0 for `own` to 1 for `other`.

    Returns:
        One texture per block.

    Raises:
        ValueError: strengths for other groups or not finite, or textures that do not fit each other.
    """
    expected = {"coarse", "middle", "fine"}
    if set(strengths) != expected:
        raise ValueError(f"expected strengths for {sorted(expected)}, got {sorted(strengths)}")
    textures = {group: interpolate(own, other, strength) for group, strength in strengths.items()}
    return [textures[group] for group in groups]


def translate(texture: Tensor, source: Tensor, target: Tensor, *, gain: float = 1.0) -> Tensor:
    """Domain translation: move a texture by the difference of two domains' mean textures (section 4.3).

    Args:
        texture: [B, T], or a map [B, T, h, w].
        source: textures [N, T] of photographs of the domain it is from.
        target: textures [M, T] of the domain it shall look of.
        gain: how far; 0 leaves it where it is.

    Returns:
        The texture's shape, unit length.

    Raises:
        ValueError: another shape, an empty domain, or a gain that is not finite.
    """
    check_finite("gain", gain)
    for domain in (source, target):
        if domain.dim() != 2 or domain.shape[1] != texture.shape[1] or not len(domain):
            raise ValueError(f"expected textures [N, {texture.shape[1]}] of a domain, got {list(domain.shape)}")
    if gain == 0:  # bringing it to unit length once more would move its last bits
        return texture
    step = gain * (target.mean(0, keepdim=True) - source.mean(0, keepdim=True))
    return unit_length(texture + (step if texture.dim() == 2 else step[:, :, None, None]))
