"""Measure a model on photographs it was not trained on: the table of its card.

python benchmarks/quality.py --data FOLDER [--model FOLDER] [--size 256] [--json FILE]

FOLDER holds the training photographs, all of one size; those that `swapae.crops.is_validation` keeps out of training
are measured.

Reconstructions: LPIPS, PSNR, SSIM. Hybrids of 500 fixed random pairs: distance in structure to either image, by
self-similarity of AlexNet's third layer; distance in texture, by means and deviations of all five layers' features
(training uses SqueezeNet alone). Frechet and kernel distance to the training photographs by AlexNet's last layer,
averaged over places: no FID, no KID. Frechet distances grow with fewer samples, so all are of sets of the same size:
as many as there are validation photographs, whose own distance is the floor. LPIPS needs its trunks: see
SWAPAE_LPIPS_WEIGHTS.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from swapae import Codes, SwapAE, SwapAEConfig
from swapae.crops import is_validation
from swapae.images import fit, list_images, load_image
from swapae.lpips import LPIPS
from swapae.metrics import frechet_distance, kernel_distance, psnr, ssim, structure_distance, texture_distance

SWAPS = 500
STRUCTURE_LAYER = 2  # of AlexNet's five: the first at 1/16 of the side
TIMED = 15


def random_pairs(count: int, swaps: int) -> list[tuple[int, int]]:
    """Fixed random pairs (structure, texture) of different photographs out of `count`."""
    draws = random.Random(0)
    return [tuple(draws.sample(range(count), 2)) for _ in range(swaps)]  # type: ignore[misc]


class Sums:
    """Means of named figures."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def add(self, **figures: Tensor | float) -> None:
        """Keep one value of each figure."""
        for name, value in figures.items():
            self.values.setdefault(name, []).append(float(value))

    def means(self) -> dict[str, float]:
        """The mean of each."""
        return {name: statistics.fmean(values) for name, values in self.values.items()}


@torch.inference_mode()
def measure(model: SwapAE, images: Sequence[Tensor], training: Sequence[Tensor]) -> dict[str, float]:
    """All figures.

    Args:
        model: to measure.
        images: photographs it was not trained on, each [1, 3, H, W].
        training: photographs it was trained on, to compare sets with.
    """
    alex, squeeze = LPIPS("alex"), LPIPS("squeeze")
    codes = [model.encode(image) for image in tqdm(images, desc="encode")]
    layers = [alex.features(image) for image in images]
    sums = Sums()
    sets: dict[str, list[Tensor]] = {"real": [pooled(layer) for layer in layers], "reconstructions": [], "hybrids": []}
    for image, code in zip(tqdm(images, desc="reconstructions"), codes, strict=True):
        reconstruction = model.decode(code).clamp(-1, 1)
        sums.add(
            lpips_alex=alex(image, reconstruction),
            lpips_squeeze=squeeze(image, reconstruction),
            psnr=psnr(image, reconstruction),
            ssim=ssim(image, reconstruction),
        )
        sets["reconstructions"].append(pooled(alex.features(reconstruction)))
    for i, j in tqdm(random_pairs(len(images), SWAPS), desc="hybrids"):
        picture = model.decode(Codes(codes[i].structure, codes[j].texture)).clamp(-1, 1)
        hybrid = alex.features(picture)
        at = STRUCTURE_LAYER
        to_structure = structure_distance(hybrid[at], layers[i][at])
        to_texture = structure_distance(hybrid[at], layers[j][at])
        own, other = texture_distance(hybrid, layers[i]), texture_distance(hybrid, layers[j])
        sums.add(
            structure_to_structure_image=to_structure,
            structure_to_texture_image=to_texture,
            nearer_structure=100.0 * (to_structure < to_texture),
            texture_to_texture_image=other,
            texture_to_structure_image=own,
            texture_between_images=texture_distance(layers[i], layers[j]),
            nearer_texture=100.0 * (other < own),
            nearer_colour=100.0 * (texture_distance([picture], [images[j]]) < texture_distance([picture], [images[i]])),
        )
        sets["hybrids"].append(pooled(hybrid))
    figures = sums.means()
    reference = torch.cat([pooled(alex.features(image)) for image in tqdm(training, desc="training photographs")])
    for name, features in sets.items():
        groups = torch.cat(features).split(len(images))
        groups = [group for group in groups if len(group) == len(images)]
        figures[f"frechet_{name}"] = statistics.fmean(frechet_distance(group, reference) for group in groups)
        figures[f"kernel_{name}"] = 1000 * kernel_distance(torch.cat(features), reference)
    figures["swap_ms"] = median_milliseconds(model, images[0], images[1])
    return {"photographs": len(images), "swaps": SWAPS, **{name: round(value, 4) for name, value in figures.items()}}


def pooled(layers: Sequence[Tensor]) -> Tensor:
    """Layers of features -> the last averaged over places, [B, C]."""
    return layers[-1].mean((2, 3))


def median_milliseconds(model: SwapAE, structure: Tensor, texture: Tensor) -> float:
    """Of a whole swap, both photographs encoded."""
    times = []
    for _ in range(TIMED):
        start = time.perf_counter()
        model.swap(structure, texture)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


NAMES = {
    "lpips_alex": "reconstruction LPIPS (AlexNet)",
    "lpips_squeeze": "reconstruction LPIPS (SqueezeNet)",
    "psnr": "reconstruction PSNR, dB",
    "ssim": "reconstruction SSIM",
    "structure_to_structure_image": "hybrid's structure distance to the structure image",
    "structure_to_texture_image": "hybrid's structure distance to the texture image",
    "nearer_structure": "hybrids nearer in structure to the structure image, %",
    "texture_to_texture_image": "hybrid's texture distance to the texture image",
    "texture_to_structure_image": "hybrid's texture distance to the structure image",
    "texture_between_images": "texture distance of the two images",
    "nearer_texture": "hybrids nearer in texture to the texture image, %",
    "nearer_colour": "hybrids nearer in colour (means and deviations) to the texture image, %",
    "frechet_real": "Frechet distance (AlexNet) of the validation photographs",
    "frechet_reconstructions": "Frechet distance (AlexNet) of reconstructions",
    "frechet_hybrids": "Frechet distance (AlexNet) of hybrids",
    "kernel_real": "kernel distance (AlexNet), times 1000, of the validation photographs",
    "kernel_reconstructions": "kernel distance (AlexNet), times 1000, of reconstructions",
    "kernel_hybrids": "kernel distance (AlexNet), times 1000, of hybrids",
    "swap_ms": "a swap, median ms",
}


def photographs(
    folder: str | Path, validation: bool, config: SwapAEConfig, size: int, most: int | None = None
) -> list[Tensor]:
    """Those kept out of training, or the others, [1, 3, H, W], spread over the folder if there are more than `most`."""
    paths = [path for path in list_images(folder) if is_validation(path) == validation]
    paths = paths[:: max(1, len(paths) // (most or len(paths)))][:most]
    return [fit(load_image(path), size, config.stride, config.minimum_side).tensor for path in paths]


def main() -> None:
    """Print the table, and write JSON with --json FILE."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", help="folder or Hub name; the embedded model if not given")
    parser.add_argument("--size", type=int, help="pixels of the short side; the model's if not given")
    parser.add_argument("--most", type=int, help="measure no more photographs than this")
    parser.add_argument("--json", help="file to write the figures to as well")
    arguments = parser.parse_args()
    model = SwapAE.from_pretrained(arguments.model) if arguments.model else SwapAE.default()
    size = arguments.size or model.config.image_size
    figures = measure(
        model,
        photographs(arguments.data, True, model.config, size, arguments.most),
        photographs(arguments.data, False, model.config, size, 1000),
    )
    print(f"{figures['photographs']} photographs, {figures['swaps']} swaps, {size} pixels\n\n| | |\n|---|---|")
    for name, text in NAMES.items():
        if name in figures:
            print(f"| {text} | {figures[name]} |")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
