"""Measure a model on photographs it was not trained on.

python benchmarks/quality.py --data FOLDER [--model FOLDER]

FOLDER holds the training photographs; those that `swapae.crops.is_validation` keeps out of training are measured,
at the model's size. LPIPS needs its trunks: see SWAPAE_LPIPS_WEIGHTS.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from swapae import Codes, SwapAE
from swapae.crops import is_validation
from swapae.images import fit, list_images, load_image
from swapae.lpips import LPIPS

SWAPS = 300


def colour_statistics(images: Tensor) -> Tensor:
    """Mean and standard deviation of each colour channel: images [B, 3, H, W] -> [B, 6]."""
    return torch.cat([images.mean((2, 3)), images.std((2, 3))], 1)


@torch.inference_mode()
def measure(model: SwapAE, images: list[Tensor]) -> dict[str, float]:
    """Mean figures over reconstructions of all images and over `SWAPS` fixed random hybrids."""
    distances = {name: LPIPS(name) for name in ("alex", "squeeze")}
    codes = [model.encode(image) for image in images]
    sums: dict[str, float] = {}

    def add(name: str, value: float, count: int) -> None:
        sums[name] = sums.get(name, 0.0) + value / count

    for image, code in zip(tqdm(images, desc="reconstructions"), codes, strict=True):
        reconstruction = model.decode(code).clamp(-1, 1)
        for name, distance in distances.items():
            add(f"reconstruction LPIPS ({name})", distance(image, reconstruction).item(), len(images))
        error = (image - reconstruction).square().mean() / 4
        add("reconstruction PSNR, dB", -10 * error.log10().item(), len(images))
    pairs = random.Random(0)
    for _ in tqdm(range(SWAPS), desc="hybrids"):
        i, j = pairs.sample(range(len(images)), 2)
        hybrid = model.decode(Codes(codes[i].structure, codes[j].texture)).clamp(-1, 1)
        looks = [colour_statistics(image) for image in (hybrid, images[i], images[j])]
        to_structure, to_texture = ((looks[0] - look).norm().item() for look in looks[1:])
        add("hybrid colour distance to the structure image", to_structure, SWAPS)
        add("hybrid colour distance to the texture image", to_texture, SWAPS)
        add("hybrids nearer in colour to the texture image, %", 100.0 * (to_texture < to_structure), SWAPS)
        structure_lpips, texture_lpips = (distances["alex"](hybrid, images[k]).item() for k in (i, j))
        nearer = structure_lpips < texture_lpips
        add("hybrids nearer in LPIPS (alex) to the structure image, %", 100.0 * nearer, SWAPS)
    return {"photographs": len(images), **{name: round(value, 4) for name, value in sums.items()}}


def main() -> None:
    """Print the table, and JSON with --json FILE."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", help="folder or Hub name; the embedded model if not given")
    parser.add_argument("--json", help="file to write the figures to as well")
    arguments = parser.parse_args()
    model = SwapAE.from_pretrained(arguments.model) if arguments.model else SwapAE.default()
    config = model.config
    paths = [path for path in list_images(arguments.data) if is_validation(path)]
    images = [fit(load_image(p), config.image_size, config.stride, config.minimum_side).tensor for p in paths]
    figures = measure(model, images)
    print(f"at {config.image_size} pixels\n\n| | |\n|---|---|")
    for name, value in figures.items():
        print(f"| {name} | {value} |")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
