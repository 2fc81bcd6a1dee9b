"""Make the embedded model of a training run: weights in half precision, directions, and a card with what was measured.

python benchmarks/embed.py runs/flowers256/4_full_size/latest --data shared/data/flowers256/images

Directions are made of the photographs that were trained on, classes from the first words of the files' names. The
card's text is docs/flowers256/about.md, its table what `swapae evaluate` measures of the model as it is written here,
on the photographs kept out of training, with those trained on as the reference. `--evaluation` keeps the figures.
LPIPS needs its trunks: see SWAPAE_LPIPS_WEIGHTS.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from tqdm import tqdm

from swapae import SwapAE
from swapae.data.crops import is_validation
from swapae.editing.directions import FILE
from swapae.editing.fitting import make_directions
from swapae.evaluation.evaluate import evaluate
from swapae.evaluation.measuring import Measuring
from swapae.evaluation.networks import Networks
from swapae.evaluation.pairs import Pairs, listed_photographs
from swapae.hub.folders import EMBEDDED
from swapae.pictures.images import fit, load_image
from swapae.pictures.listing import list_images

ABOUT = Path("docs/flowers256/about.md")
PAIRS = 500


def main() -> None:
    """Write a folder of swapae/weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder of the model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=EMBEDDED)
    parser.add_argument("--evaluation", type=Path, help="folder to keep the figures in, and to go on from")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)  # before the long work
    # What is measured, and what directions are made of, are the rounded weights.
    model = SwapAE.from_pretrained(arguments.model, dtype=torch.float16).float()
    config = model.config
    photographs = listed_photographs(arguments.data)
    kept_out = {name: digest for name, digest in photographs.items() if is_validation(name)}
    with TemporaryDirectory() as temporary, torch.inference_mode():
        output = arguments.evaluation or Path(temporary)
        results = evaluate(
            Measuring(model, Networks.load()), arguments.data, Pairs.draw(kept_out, PAIRS, seed=0), output,
            model_name=arguments.model, reference=(arguments.data, photographs),
        )  # fmt: skip
        results.save(output)
    card = {
        "title": f"flowers, {config.image_size} pixels",
        "about": ABOUT.read_text().strip(),
        "metrics": results.table(),
        "license": "apache-2.0",
    }
    trained_on = [path for path in list_images(arguments.data) if not is_validation(path)]
    fitted = (
        fit(load_image(path), config.image_size, config.stride, config.minimum_side).tensor
        for path in tqdm(trained_on, desc="directions")
    )
    directions = make_directions(model, fitted, [path.name.split("_")[0] for path in trained_on])
    directions.save(arguments.output / FILE, model)
    model.half().save_pretrained(arguments.output, model_card_kwargs=card)


if __name__ == "__main__":
    main()
