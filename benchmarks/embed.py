"""Make the embedded model of a training run: weights in half precision, directions, and a card with what was measured.

python benchmarks/embed.py runs/flowers256/4_full_size/latest --data shared/data/flowers256/images

Directions are made of the photographs that were trained on, classes from the first words of the files' names. The
card's text is docs/flowers256/about.md, its table what quality.py measures of the model as it is written here, at its
size; `--json` keeps the figures. LPIPS needs its trunks: see SWAPAE_LPIPS_WEIGHTS.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from quality import NAMES, measure, photographs
from tqdm import tqdm

from swapae import SwapAE
from swapae.crops import is_validation
from swapae.directions import FILE
from swapae.hub import EMBEDDED
from swapae.images import fit, list_images, load_image
from swapae.making_directions import make_directions

ABOUT = Path("docs/flowers256/about.md")


def main() -> None:
    """Write swapae/weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder of the averaged model")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=EMBEDDED)
    parser.add_argument("--json", type=Path, help="file to write the figures to as well")
    arguments = parser.parse_args()
    # What is measured, and what directions are made of, are the rounded weights.
    model = SwapAE.from_pretrained(arguments.model, dtype=torch.float16).float()
    config = model.config
    figures = measure(
        model, photographs(arguments.data, True, config, config.image_size),
        photographs(arguments.data, False, config, config.image_size, most=1000),
    )  # fmt: skip
    card = {
        "title": f"flowers, {config.image_size} pixels",
        "about": ABOUT.read_text().strip(),
        "metrics": {text: figures[name] for name, text in NAMES.items()},
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
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
