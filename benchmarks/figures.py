"""Draw the pictures of docs/ by the embedded model, of photographs it was not trained on, and say who took them.

python benchmarks/figures.py --data shared/data/flowers256/images --attribution docs/flowers256/attribution.csv

Writes swaps.jpg, 6 structures in 6 textures; interpolation.jpg, from the own texture to another's; directions.jpg,
the named directions at several gains; drag.jpg, points dragged as the page does it; figures_attribution.csv.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from swapae import Codes, SwapAE
from swapae.apps.page.studio import Studio
from swapae.data.crops import is_validation
from swapae.editing.directions import Directions
from swapae.pictures.grids import labelled_grid, swap_grid
from swapae.pictures.images import fit, load_image, to_pil
from swapae.pictures.saving import save_image

STRUCTURES = [
    "daisy_3440366251_5b9bdf27c9_m.jpg",
    "dandelion_18876985840_7531dc8e6a.jpg",
    "roses_394990940_7af082cf8d_n.jpg",
    "sunflowers_15054866658_c1a6223403_m.jpg",
    "tulips_510698601_9f61d6f8d8.jpg",
    "tulips_7179796338_05e8b1c87b.jpg",
]
TEXTURES = [
    "daisy_18622672908_eab6dc9140_n.jpg",
    "dandelion_506660896_c903cca1f0.jpg",
    "roses_3667366832_7a8017c528_n.jpg",
    "sunflowers_1715303025_e7065327e2.jpg",
    "tulips_12883412424_cb5086b43f_n.jpg",
    "tulips_14027372499_30f934d24f_m.jpg",
]
PAIRS = [(0, 4), (4, 3), (3, 2)]
ALPHAS = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
GAINS = [-1.5, -0.75, 0.0, 0.75, 1.5]
EDITED = 4  # which of the structures the directions are shown on
CELL = 128
# Points of structures that are dragged, [x, y, to x, to y] from 0 to 1, and the width of a picture in that figure.
DRAGGED = {
    0: [[0.49, 0.5, 0.62, 0.4]],
    4: [[0.93, 0.36, 0.82, 0.22], [0.1, 0.42, 0.2, 0.42], [0.08, 0.7, 0.2, 0.7], [0.4, 0.08, 0.4, 0.04]],
    5: [[0.62, 0.3, 0.42, 0.2], [0.93, 0.38, 0.73, 0.3], [0.78, 0.53, 0.6, 0.46], [0.82, 0.95, 0.82, 0.95]],
}
DRAGGED_CELL = 256


class Painter:
    """The embedded model, and the photographs that the figures are of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = SwapAE.default()
        self.directions = Directions.from_pretrained(self.model)
        config = self.model.config
        names = dict.fromkeys([*STRUCTURES, *TEXTURES])
        self.fitted = {
            name: fit(load_image(folder / name), config.image_size, config.stride, config.minimum_side)
            for name in names
        }
        self.codes = {name: self.model.encode(fitted.tensor) for name, fitted in self.fitted.items()}

    def original(self, name: str) -> Image.Image:
        """The photograph as the model sees it."""
        return to_pil(self.fitted[name].tensor, self.fitted[name].size)

    def decoded(self, codes: Codes, name: str) -> Image.Image:
        """The picture of codes that have the structure of photograph `name`."""
        return to_pil(self.model.decode(codes), self.fitted[name].size)

    def mixed(self, structure: str, texture: str, alpha: float) -> Image.Image:
        """The structure of one in a texture between its own, 0, and another's, 1."""
        own, other = self.codes[structure], self.codes[texture]
        return self.decoded(Codes(own.structure, torch.lerp(own.texture, other.texture, alpha)), structure)

    def swaps(self) -> Image.Image:
        """Every structure in every texture."""
        results = [[self.mixed(row, column, 1.0) for column in TEXTURES] for row in STRUCTURES]
        return swap_grid(*([self.original(name) for name in names] for names in (STRUCTURES, TEXTURES)), results, CELL)

    def interpolation(self) -> Image.Image:
        """A row for each pair: the structure's photograph, the steps, the texture's photograph."""
        rows = [
            [
                self.original(STRUCTURES[i]),
                *(self.mixed(STRUCTURES[i], TEXTURES[j], alpha) for alpha in ALPHAS),
                self.original(TEXTURES[j]),
            ]
            for i, j in PAIRS
        ]
        return labelled_grid(rows, [""] * len(rows), ["structure", *map(str, ALPHAS), "texture"], CELL)

    def edits(self) -> Image.Image:
        """A row for each direction, a column for each gain."""
        name = STRUCTURES[EDITED]
        rows = [
            [self.decoded(self.directions.apply(self.codes[name], {direction: gain}), name) for gain in GAINS]
            for direction in self.directions.named
        ]
        return labelled_grid(rows, list(self.directions.named), [f"{gain:+g}" for gain in GAINS], CELL)

    def drags(self) -> Image.Image:
        """A row for each photograph: with its points, as the model draws it, and dragged."""
        studio, rows = Studio(self.model), []
        for number, points in DRAGGED.items():
            data = (self.folder / STRUCTURES[number]).read_bytes()
            plain, dragged = (
                studio.edit({"structure": data}, {"amount": 0.0, "points": some}) for some in ([], points)
            )
            rows.append([with_points(plain.before, points), plain.image, dragged.image])
        return labelled_grid(rows, [""] * len(rows), ["photograph", "as the model draws it", "dragged"], DRAGGED_CELL)


def with_points(image: Image.Image, points: list[list[float]]) -> Image.Image:
    """A picture with a line from each point, a small circle, to its target, a disc."""
    image = image.convert("RGB")
    pen = ImageDraw.Draw(image)
    for point in points:
        x, y, to_x, to_y = (share * side for share, side in zip(point, 2 * image.size, strict=True))
        for width, colour in ((5, "black"), (2, "white")):
            pen.line((x, y, to_x, to_y), fill=colour, width=width)
            pen.circle((x, y), 3 + width / 2, outline=colour, width=width)
        pen.circle((to_x, to_y), 7, fill="#0f766e", outline="white", width=2)
    return image


@torch.inference_mode()
def main() -> None:
    """Write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--attribution", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    trained_on = [name for name in {*STRUCTURES, *TEXTURES} if not is_validation(name)]
    if trained_on:
        raise SystemExit(f"figures.py: trained on {', '.join(trained_on)}: choose others")
    painter = Painter(arguments.data)
    for name, sheet in (
        ("swaps", painter.swaps()),
        ("interpolation", painter.interpolation()),
        ("directions", painter.edits()),
        ("drag", painter.drags()),
    ):
        save_image(sheet, arguments.output / f"{name}.jpg")
    with open(arguments.attribution, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["file"] in {*STRUCTURES, *TEXTURES}]
    with open(arguments.output / "figures_attribution.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
