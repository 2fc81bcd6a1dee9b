"""Make the embedded model of a training run: weights in half precision, directions, and a card with what was measured.

python benchmarks/embed.py runs/flowers/2_swap/latest --name flowers --data shared/data/flowers256/images --classes

Directions are made of the photographs that were trained on, with `--classes` those of the first words of the files'
names too. The card's text is docs/NAME256/about.md, its table what `swapae evaluate` measures of the model as it is
written here, on the photographs kept out of training, with those trained on as the reference. `--evaluation` keeps the
figures. `--and FOLDER SHARE` embeds the mean of two stages of a training. LPIPS needs its trunks: see
SWAPAE_LPIPS_WEIGHTS.
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
from swapae.hub.folders import WEIGHTS
from swapae.pictures.images import fit, load_image
from swapae.pictures.listing import list_images

PAIRS = 500


def main() -> None:
    """Write a folder of swapae/weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder of the model")
    parser.add_argument("--and", dest="other", nargs=2, metavar=("FOLDER", "SHARE"), help="blend in another's weights")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--name", required=True, help="as in `SwapAE.embedded(NAME)`")
    parser.add_argument("--classes", action="store_true", help="directions of the first words of the files' names")
    parser.add_argument("--evaluation", type=Path, help="folder to keep the figures in, and to go on from")
    arguments = parser.parse_args()
    target = WEIGHTS / arguments.name
    about = Path(f"docs/{arguments.name}256/about.md").read_text().strip()  # before the long work
    # What is measured, and what directions are made of, are the rounded weights.
    model = SwapAE.from_pretrained(arguments.model)
    if arguments.other:
        blend(model, SwapAE.from_pretrained(arguments.other[0]), float(arguments.other[1]))
    model = model.half().float()
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
        "title": f"{arguments.name}, {config.image_size} pixels",
        "about": about,
        # Times are of the machine that measured, not of the model.
        "metrics": {text: value for text, value in results.table().items() if not text.endswith("median ms")},
        "license": "apache-2.0",
    }
    trained_on = [path for path in list_images(arguments.data) if not is_validation(path)]
    fitted = (
        fit(load_image(path), config.image_size, config.stride, config.minimum_side).tensor
        for path in tqdm(trained_on, desc="directions")
    )
    classes = [path.name.split("_")[0] for path in trained_on] if arguments.classes else None
    directions = make_directions(model, fitted, classes)
    target.mkdir(exist_ok=True)
    directions.save(target / FILE, model)
    model.half().save_pretrained(target, model_card_kwargs=card)


@torch.no_grad()
def blend(model: SwapAE, other: SwapAE, share: float) -> None:
    """Move weights towards those of a later stage of the same training, or an earlier one, by a share in [0, 1].

    Means of weights along one training are models too, between its ends in what they can (Wortsman et al. 2022).
    """
    for own, others in zip(model.parameters(), other.parameters(), strict=True):
        own.lerp_(others, share)


if __name__ == "__main__":
    main()
