"""What the fidelity dial brings and costs, on photographs that the embedded model was not trained on.

SWAPAE_LPIPS_WEIGHTS=weights/lpips python benchmarks/fidelity.py --data flowers256/images --count 40

For each setting: LPIPS (AlexNet, which no step saw) of reconstructions; the distance in texture (AlexNet) of hybrids to
their texture image, and the share of hybrids nearer to it than to their structure image, each photograph with the
texture of the next; seconds of processor time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch

from swapae import Codes, SwapAE
from swapae.data.crops import is_validation
from swapae.evaluation.lpips import LPIPS
from swapae.evaluation.measuring import centre_square
from swapae.evaluation.metrics import texture_distance
from swapae.pictures.grids import labelled_grid
from swapae.pictures.images import to_pil
from swapae.pictures.listing import list_images
from swapae.training.refining import refine

SETTINGS = (0.0, 1 / 3, 0.6, 1.0)
SHOWN = 6


def main() -> None:
    """Print the table, and draw some of the photographs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--grid", type=Path, help="picture of the first photographs at all settings")
    arguments = parser.parse_args()
    model = SwapAE.default()
    paths = [path for path in list_images(arguments.data) if is_validation(path)]
    paths = paths[:: max(1, len(paths) // arguments.count)][: arguments.count]
    images = [centre_square(path, model, model.config.image_size).tensor for path in paths]
    judge, network = LPIPS("alex"), LPIPS("squeeze")
    with torch.no_grad():
        codes = [model.encode(image) for image in images]
    rows: list[list] = [[to_pil(image) for image in images[:SHOWN]]]
    print("| fidelity | LPIPS (AlexNet) | hybrids' texture distance | nearer in texture, % | seconds |")
    print("|---|---|---|---|---|")
    for fidelity in SETTINGS:
        distances, textures, nearer, seconds, drawn = [], [], [], [], []
        for number, image in enumerate(images):
            start = time.process_time()
            refined = refine(model, image, codes[number], fidelity, network=network)
            seconds.append(time.process_time() - start)
            changed = refined.model(model)
            other = (number + 1) % len(images)
            with torch.no_grad():
                made = changed.decode(refined.codes, noise=0).clamp(-1, 1)
                hybrid = changed.decode(Codes(refined.codes.structure, codes[other].texture), noise=0).clamp(-1, 1)
                distances.append(judge(made, image).item())
                layers, own, wanted = (judge.features(one) for one in (hybrid, image, images[other]))
                textures.append(texture_distance(layers, wanted).item())
                nearer.append(textures[-1] < texture_distance(layers, own).item())
            drawn.append(to_pil(made))
        rows.append(drawn[:SHOWN])
        print(
            f"| {fidelity:.2f} | {statistics.mean(distances):.3f} | {statistics.mean(textures):.4f} | "
            f"{100 * statistics.mean(nearer):.0f} | {statistics.median(seconds):.1f} |",
            flush=True,
        )
    if arguments.grid:
        words = ["photograph", *(f"{fidelity:.2f}" for fidelity in SETTINGS)]
        labelled_grid(rows, words, [""] * len(rows[0]), 192).save(arguments.grid)


if __name__ == "__main__":
    main()
