"""Hybrids beside the correct ones, of drawings whose structure and texture are known apart.

    python -m benchmarks.known_truth --model paper=runs/drawings/paper ... --json FILE --sheet FILE.png

Errors are mean absolute differences to the true hybrid of its local colours and of its local strength of detail (see
`swapae.metrics.local_difference`), half the mean over the shapes and half that over the ground, whatever their areas;
also in per cent of what doing nothing gives, which is the structure image itself.
"The truth again" is the true hybrid with its patterns begun elsewhere: what nothing can be expected to go under.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks.baselines.colours import ColourTransfer
from swapae import SwapAE
from swapae.data.synthetic import coverage, draw, random_layout, random_texture
from swapae.evaluation.metrics import local_difference
from swapae.pictures.grids import labelled_grid
from swapae.pictures.images import to_pil
from swapae.pictures.saving import save_image

UNSEEN = 1_000_000  # seeds from here on are of no training picture
SHOWN = 6


def swapped(model: SwapAE) -> Callable[[Tensor, Tensor], Tensor]:
    """A model's hybrid of a structure and a texture image."""
    return lambda structure, texture: model.swap(structure, texture, noise="zero").clamp(-1, 1)


@torch.inference_mode()
def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", default=[], metavar="NAME=FOLDER", help="once or more")
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    methods = {
        "the structure image": lambda structure, texture: structure,
        "the texture image": lambda structure, texture: texture,
        "colour transfer": ColourTransfer().hybrid,
    }
    for word in options.model:
        name, _, folder = word.partition("=")
        methods[name] = swapped(SwapAE.from_pretrained(folder))
    errors: dict[str, list[list[float]]] = {name: [] for name in (*methods, "the truth again")}
    cells = []
    for pair in tqdm(range(options.pairs), disable=None):
        one, two = UNSEEN + 2 * pair, UNSEEN + 2 * pair + 1
        layouts, textures = (random_layout(one), random_layout(two)), (random_texture(one), random_texture(two))
        structure, texture = (
            draw(*what, options.size, n) for *what, n in zip(layouts, textures, (one, two), strict=True)
        )
        truth = draw(layouts[0], textures[1], options.size, two)
        shapes = coverage(layouts[0], options.size)
        made = {name: method(structure, texture) for name, method in methods.items()}
        made["the truth again"] = draw(layouts[0], textures[1], options.size, one)
        for name, hybrid in made.items():
            difference = local_difference(hybrid, truth)
            means = [(difference * part).sum((0, 2, 3)) / part.sum() for part in (shapes, 1 - shapes)]
            errors[name].append(((means[0] + means[1]) / 2).tolist())
        if pair < SHOWN:
            shown = [picture for name, picture in made.items() if " image" not in name and name != "the truth again"]
            cells.append([to_pil(picture) for picture in (structure, texture, truth, *shown)])
    table = {name: torch.tensor(values, dtype=torch.float64) for name, values in errors.items()}
    nothing = table["the structure image"].mean(0)
    print("| | colours | detail | colours, % | detail, % |\n|---|---|---|---|---|")
    record = {}
    for name, values in table.items():
        mean, deviation = values.mean(0), values.std(0) / len(values) ** 0.5
        share = 100 * mean / nothing
        print(
            f"| {name} | "
            + " | ".join(f"{m:.4f} ± {d:.4f}" for m, d in zip(mean, deviation, strict=True))
            + " | "
            + " | ".join(f"{part:.1f}" for part in share)
            + " |"
        )
        record[name] = {"error": mean.tolist(), "standard_error": deviation.tolist(), "percent": share.tolist()}
    first, *others = [word.partition("=")[0] for word in options.model] or [""]
    for name in others:
        difference = table[name] - table[first]
        mean, deviation = difference.mean(0), difference.std(0) / len(difference) ** 0.5
        colours, detail = (f"{m:+.4f} ± {d:.4f}" for m, d in zip(mean, deviation, strict=True))
        print(f"{name} against {first}, pair by pair: colours {colours}, detail {detail}")
        record[name]["against_first"] = {"mean": mean.tolist(), "standard_error": deviation.tolist()}
    if options.json:
        options.json.write_text(
            json.dumps({"pairs": options.pairs, "size": options.size, "errors": record}, indent=1) + "\n"
        )
    if options.sheet:
        names = ["structure", "texture", "truth", "colour transfer", *list(methods)[3:]]
        save_image(labelled_grid(cells, [""] * len(cells), names, 128), options.sheet)


if __name__ == "__main__":
    main()
