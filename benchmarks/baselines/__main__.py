"""Time and quality of the model's encoder against optimisation, and of its hybrids against other methods'.

    python -m benchmarks.baselines --data FOLDER

FOLDER holds photographs of what the model knows; those that `swapae.data.crops.is_validation` keeps out of training are
measured, and the others say where optimisation starts. LPIPS needs its trunks: see SWAPAE_LPIPS_WEIGHTS. Optimisation
makes the LPIPS of `--trunk` small, as the papers do with VGG's, and stops as soon as this very distance is as small as
the encoder's on the same photograph; AlexNet's, which it never saw, is given beside it. `--full N` lets it run to its
published number of iterations on N photographs. WCT2 takes part where SWAPAE_WCT2_WEIGHTS names its weights.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks.baselines.colours import ColourTransfer, Unchanged
from benchmarks.baselines.encoder import Encoder
from benchmarks.baselines.latents import Im2StyleGAN, Projector, Spread, race
from benchmarks.baselines.statistics import StatisticsMatching
from benchmarks.baselines.strotss import Strotss
from benchmarks.baselines.wavelets import load as load_wavelets
from benchmarks.baselines.wct2 import Wct2
from swapae import SwapAE
from swapae.data.crops import is_validation
from swapae.evaluation.lpips import LPIPS
from swapae.evaluation.metrics import structure_distance, texture_distance
from swapae.evaluation.timing import machine, median_milliseconds
from swapae.evaluation.validation import STRUCTURE_LAYER
from swapae.pictures.grids import labelled_grid
from swapae.pictures.images import fit, load_image, to_pil
from swapae.pictures.listing import list_images
from swapae.pictures.saving import save_image

WCT2_VARIABLE = "SWAPAE_WCT2_WEIGHTS"
STARTING = 200  # photographs that say where optimisation starts


def timed(call: Callable[..., Tensor], *images: Tensor) -> tuple[Tensor, float]:
    """What a call gives for images, and the seconds it took."""
    start = time.perf_counter()
    result = call(*images)
    return result, time.perf_counter() - start


def embeddings(
    model: SwapAE, images: Sequence[Tensor], spread: Spread, trunk: LPIPS, alex: LPIPS, full: int
) -> Iterator[dict[str, Any]]:
    """A row for the encoder and for each way to optimise, of medians of seconds and means of distances.

    The encoder is timed again right before each search, so that both meet the same machine; `ratio` is the median of
    the searches' ratios.
    """
    encoder = Encoder(model)
    pictures = [encoder.embed(image) for image in images]
    goals = [trunk(*both).item() for both in zip(images, pictures, strict=True)]
    unseen = [alex(*both).item() for both in zip(images, pictures, strict=True)]

    def encoding(image: Tensor) -> float:
        return median_milliseconds(lambda: model.encode(image), image.device) / 1000

    yield {
        "method": "encoder",
        "photographs": len(images),
        "seconds": statistics.median(map(encoding, images)),
        "lpips": statistics.fmean(goals),
        "lpips_unseen": statistics.fmean(unseen),
    }
    for make in (Projector, Im2StyleGAN):
        method = make(model, trunk, spread)
        for title, among, every in (("until as good", images, 5), ("to the end", images[:full], 50)):
            seconds, races = [], []
            for image, goal in zip(tqdm(among, desc=f"{method.name}, {title}"), goals, strict=False):
                seconds.append(encoding(image))
                races.append(race(method, image, trunk, goal if among is images else -1.0, every=every))
            if not races:
                continue
            yield {
                "method": f"{method.name}, {title}",
                "photographs": len(races),
                "reached": sum(one.seconds is not None for one in races) if among is images else "",
                "iterations": statistics.median(one.iterations or method.iterations for one in races),
                # One that never is as good counts with all of its time: the ratio is then at least what is printed.
                "seconds": statistics.median(one.total_seconds for one in races),
                "lpips": statistics.fmean(one.measured for one in races),
                "lpips_unseen": statistics.fmean(
                    alex(image, one.picture).item() for image, one in zip(among, races, strict=True)
                ),
                "ratio": statistics.median(one.total_seconds / own for one, own in zip(races, seconds, strict=True)),
            }


def hybrids(
    methods: Sequence[Any], pairs: Sequence[tuple[Tensor, Tensor]], alex: LPIPS
) -> tuple[list[dict[str, Any]], list[list[Tensor]]]:
    """A row for each method, and its pictures."""
    rows, pictures = [], []
    for method in methods:
        made, times, structure, texture = [], [], [], []
        for own, other in tqdm(pairs, desc=method.name):
            picture, seconds = timed(method.hybrid, own, other)
            layers = [alex.features(image) for image in (own, other, picture)]
            made.append(picture)
            times.append(seconds)
            structure.append(structure_distance(layers[2][STRUCTURE_LAYER], layers[0][STRUCTURE_LAYER]).item())
            texture.append(texture_distance(layers[2], layers[1]).item())
        rows.append(
            {
                "method": method.name,
                "pairs": len(pairs),
                "seconds": statistics.median(times),
                "structure": statistics.fmean(structure),
                "texture": statistics.fmean(texture),
            }
        )
        pictures.append(made)
    return rows, pictures


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows as Markdown."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in rows:
        cells = [row.get(name, "") for name in names]
        lines.append(
            "| " + " | ".join(f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells) + " |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", help="folder or owner/name; the embedded one if not given")
    parser.add_argument("--photographs", type=int, default=50)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--trunk", choices=("vgg", "squeeze", "alex"), default="vgg", help="what optimisation looks at")
    parser.add_argument("--full", type=int, default=0, help="photographs on which optimisation runs to its end")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/baselines.json"))
    parser.add_argument("--sheet", type=Path, default=Path("docs/baselines.jpg"))
    options = parser.parse_args()
    torch.manual_seed(0)
    model = SwapAE.from_pretrained(options.model) if options.model else SwapAE.default()
    model.requires_grad_(False)
    config = model.config

    def load(paths: Sequence[Path]) -> list[Tensor]:
        return [fit(load_image(path), config.image_size, config.stride, config.minimum_side).tensor for path in paths]

    paths = list_images(options.data)
    kept, trained = ([path for path in paths if is_validation(path) is wanted] for wanted in (True, False))
    images = load(kept[:: max(1, len(kept) // options.photographs)][: options.photographs])
    spread = Spread.of(model, load(trained[:: max(1, len(trained) // STARTING)][:STARTING]))
    trunk, alex = LPIPS(options.trunk), LPIPS("alex")

    pairs = [(images[2 * n], images[2 * n + 1]) for n in range(min(options.pairs, len(images) // 2))]
    methods = [Encoder(model), Unchanged(), ColourTransfer(), StatisticsMatching(trunk), Strotss(trunk)]
    if weights := os.environ.get(WCT2_VARIABLE):
        methods.append(Wct2(load_wavelets(Path(weights)), "WCT2" if Path(weights).is_dir() else "WCT2, trained here"))
    made, pictures = hybrids(methods, pairs, alex)
    cells = [
        [to_pil(own), to_pil(other), *(to_pil(one[number]) for one in pictures)]
        for number, (own, other) in enumerate(pairs)
    ]
    options.sheet.parent.mkdir(parents=True, exist_ok=True)
    names = ["structure", "texture", *(method.name for method in methods)]
    save_image(labelled_grid(cells, [""] * len(cells), names, 160), options.sheet)
    print(f"Hybrids: distance in structure to the one image, in texture to the other\n\n{table(made)}\n", flush=True)

    embedded: list[dict[str, Any]] = []
    options.json.parent.mkdir(parents=True, exist_ok=True)
    for row in embeddings(model, images, spread, trunk, alex, options.full):
        embedded.append(row)
        record = {"machine": machine(images[0].device), "trunk": options.trunk, "embedding": embedded, "hybrids": made}
        options.json.write_text(json.dumps(record, indent=1) + "\n")
    print(f"Embedding, by LPIPS ({options.trunk}), and by LPIPS (alex), which no search saw\n\n{table(embedded)}")


if __name__ == "__main__":
    main()
