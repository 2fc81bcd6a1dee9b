"""The cases of tests/parity: weights and inputs made by its README's rule, and what our networks make of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from swapae import Codes
from swapae.convert import Converted, convert_official

FOLDER = Path(__file__).parents[1] / "parity"
CASES = sorted(path.stem for path in FOLDER.glob("*.json"))
FILTERS = {1: [1], 3: [1, 2, 1], 4: [1, 3, 3, 1]}


def read_case(name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Description and stored arrays of a case."""
    return json.loads((FOLDER / f"{name}.json").read_text()), dict(np.load(FOLDER / f"{name}.npz"))


def normal(seed: int, name: str, shape: list[int]) -> np.ndarray:
    """Standard normal numbers that only the seed and the name decide."""
    state = np.random.RandomState((zlib.crc32(name.encode()) ^ seed) & 0xFFFFFFFF)
    return state.standard_normal(shape).astype(np.float32)


def parameter(seed: int, name: str, shape: list[int]) -> Tensor:
    """A parameter or stored filter of the release."""
    if name.endswith("kernel"):
        line = np.array(FILTERS[shape[0]], np.float32)
        kernel = np.outer(line, line)
        return torch.from_numpy(kernel / kernel.sum() * (4 if name.startswith("G.") else 1))
    values = normal(seed, name, shape)
    if name.endswith("modulation.weight") or (".SpatialCodeModulation." in name and name.endswith("weight")):
        values *= np.float32(0.5 * np.sqrt(shape[1]))
    if name.endswith("modulation.bias"):
        values = 1 + np.float32(0.1) * values
    elif name.endswith(("bias", "noise.weight")):
        values *= np.float32(0.1)
    return torch.from_numpy(values)


def state_dict(spec: dict[str, Any]) -> dict[str, Tensor]:
    """The flat state dict of the release."""
    return {name: parameter(spec["seed"], name, shape) for name, shape in spec["manifest"].items()}


def image(spec: dict[str, Any], name: str, shape: list[int]) -> Tensor:
    """An input in [-1, 1]."""
    return torch.from_numpy(np.tanh(normal(spec["seed"], name, shape)))


def thin(images: Tensor) -> Tensor:
    """Images are stored at every fourth pixel."""
    return images[..., ::4, ::4]


def outputs(spec: dict[str, Any], converted: Converted, dtype: torch.dtype) -> dict[str, Tensor]:
    """Every array of the case, by our networks; `.mean_abs` is over all pixels."""
    model = converted.model.to(dtype).eval()
    batch, (height, width) = spec["batch"], spec["size"]
    arrays: dict[str, Tensor] = {}

    def picture(name: str, images: Tensor) -> None:
        arrays[name], arrays[f"{name}.mean_abs"] = thin(images), images.abs().mean()

    with torch.no_grad():
        codes = model.encode(image(spec, "image", [batch, 3, height, width]).to(dtype))
        arrays["structure"], arrays["texture"] = codes
        reverse = codes.texture.flip(1)
        picture("reconstruction", model.decode(codes, noise="zero"))
        picture("swap", model.decode(Codes(codes.structure, reverse), noise="zero"))
        h, w = codes.structure.shape[2:]
        modules = [name[2 : -len(".weight")] for name in spec["manifest"] if name.endswith("noise.weight")]
        noises = [
            torch.from_numpy(normal(spec["seed"], f"noise.{module}", [1, 1, *sides]))
            for module, sides in zip(modules, model.generator.noise_sides(h, w), strict=True)
        ]
        picture("swap_with_noise", model.decode(Codes(codes.structure, reverse), noise=noises))
        halves = codes.texture[:, :, None, None].repeat(1, 1, h, w)
        halves[..., w // 2 :] = reverse[:, :, None, None]
        picture("spatial_texture", model.decode(Codes(codes.structure, halves), noise="zero"))
    return arrays | discriminator_outputs(spec, converted, dtype)


def discriminator_outputs(spec: dict[str, Any], converted: Converted, dtype: torch.dtype) -> dict[str, Tensor]:
    """The arrays of both discriminators, in the shapes they are stored in."""
    batch, crop, side = spec["batch"], spec["config"]["crop_size"], spec["config"]["patch_size"]
    image_discriminator = converted.image_discriminator.to(dtype)
    patch_discriminator = converted.patch_discriminator.to(dtype)
    images = image(spec, "disc_image", [batch, 3, crop, crop]).to(dtype).requires_grad_()
    logits = image_discriminator(images)
    (gradient,) = torch.autograd.grad(logits.sum(), images)
    a, b = (image(spec, f"patches_{x}", [batch, 4, 3, side, side]).to(dtype).requires_grad_() for x in "ab")
    features = patch_discriminator.features(a)
    pair_logits = patch_discriminator.logits(features, patch_discriminator.features(b))
    aggregated = patch_discriminator(a, b)
    gradients = torch.autograd.grad(aggregated.sum(), (a, b))
    return {
        "d_logits": logits[:, None],
        "d_r1_grad_sq": gradient.square().sum((1, 2, 3)),
        "patch_features_a": features.view(batch * 4, -1, 2, 2),
        "patch_logits_ab": pair_logits.view(-1, 1),
        "patch_logits_ab_aggregated": aggregated.view(-1, 1),
        "patch_r1_grad_sq": sum(g.square().sum((1, 2, 3, 4)) for g in gradients),
    }


def compare(
    case: str, dtype: torch.dtype, convert: Callable = convert_official
) -> dict[str, tuple[float, float, float]]:
    """For each array: largest error, the reference's standard deviation, and its largest magnitude."""
    spec, stored = read_case(case)
    ours = outputs(spec, convert(state_dict(spec)), dtype)
    assert set(ours) == set(stored)
    rows = {}
    for name, reference in stored.items():
        value = ours[name].detach().double().numpy()
        assert value.shape == reference.shape, name
        rows[name] = (np.abs(value - reference).max(), reference.std(), np.abs(reference).max())
    return rows
