"""The corruption study of the paper's appendix: what metrics make of changes in structure and of changes in texture.

python benchmarks/corruption.py [--data FOLDER] [--net alex] [--plot docs/corruption.png] [--json FILE]

Photographs (the package's examples if no folder is given) are distorted in ways that keep the layout and change what
it is made of (blur, noise, other colours, posterised), and in ways that keep what it is made of and change the layout
(patches shuffled, bent, shifted), at growing strength. Each metric is drawn over LPIPS, so that distortions are
compared where they are equally visible. LPIPS needs its trunk: see SWAPAE_LPIPS_WEIGHTS.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from tqdm import tqdm

from swapae.backbones import BACKBONES
from swapae.evaluation.lpips import LPIPS
from swapae.evaluation.metrics import psnr, sifid, ssim, structure_distance, texture_distance
from swapae.evaluation.validation import STRUCTURE_LAYER
from swapae.pictures.images import fit, load_image, to_pil
from swapae.pictures.listing import list_images
from swapae.pictures.saving import save_image

EXAMPLES = Path(__file__).parent.parent / "swapae/examples/flowers"
SIZE = 256
STRENGTHS = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
Curves = dict[str, list[dict[str, float]]]  # of each distortion, the metrics at each strength


def random_like(*shape: int) -> Tensor:
    """Normal random numbers, the same every time: a distortion grows with its strength and does not jump about."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def blur(image: Tensor, strength: float) -> Tensor:
    """Gaussian blur, of a deviation up to 4 pixels in 256."""
    deviation = 4 * strength * image.shape[3] / SIZE
    radius = math.ceil(3 * deviation)
    line = torch.exp(-(torch.arange(-radius, radius + 1).float() ** 2) / (2 * deviation**2))
    line = (line / line.sum()).expand(3, 1, 1, -1)
    padded = F.pad(image, (radius,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, line, groups=3), line.transpose(2, 3), groups=3)


def noise(image: Tensor, strength: float) -> Tensor:
    """Normal noise, of a deviation up to 0.6 of [-1, 1]."""
    return (image + 0.6 * strength * random_like(*image.shape)).clamp(-1, 1)


def recolour(image: Tensor, strength: float) -> Tensor:
    """Hues turned about grey by up to 120 degrees, which exchanges the channels."""
    angle = strength * 2 * math.pi / 3
    axis = torch.full((3,), 3**-0.5)
    cross = torch.linalg.cross(torch.eye(3), axis.expand(3, 3))
    turn = math.cos(angle) * torch.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * torch.outer(axis, axis)
    return torch.einsum("oc,bchw->bohw", turn, image).clamp(-1, 1)


def posterise(image: Tensor, strength: float) -> Tensor:
    """Mixed with its channels rounded to three levels."""
    return torch.lerp(image, image.round(), strength)


def shuffle(image: Tensor, strength: float) -> Tensor:
    """A share of the 64 square patches exchanged, up to all."""
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    moved = order[: max(2, round(64 * strength))]
    places = torch.arange(64)
    places[moved] = moved.roll(1)
    side = image.shape[3] // 8
    patches = F.unfold(image, side, stride=side)  # [1, 3 side side, 64]
    return F.fold(patches[..., places], image.shape[2:], side, stride=side)


def bend(image: Tensor, strength: float) -> Tensor:
    """Places displaced by a smooth random field, of a deviation up to 32 pixels in 256."""
    field = F.interpolate(random_like(1, 2, 6, 6), image.shape[2:], mode="bicubic", align_corners=True)
    field = field / field.std() * strength * 0.25  # the grid spans 2
    identity = F.affine_grid(torch.eye(2, 3)[None], list(image.shape), align_corners=False)
    grid = identity + field.permute(0, 2, 3, 1)
    return F.grid_sample(image, grid, mode="bicubic", padding_mode="reflection", align_corners=False).clamp(-1, 1)


def shift(image: Tensor, strength: float) -> Tensor:
    """Moved right and down by up to half of the side, by little at first; what leaves comes in on the other side."""
    pixels = round(strength**2 * image.shape[3] / 2)
    return image.roll((pixels, pixels), (2, 3))


TEXTURE = {"blurred": blur, "noisy": noise, "recoloured": recolour, "posterised": posterise}
STRUCTURE = {"shuffled": shuffle, "bent": bend, "shifted": shift}
METRICS = ("structure distance", "texture distance", "single-image Frechet distance", "1 - SSIM", "PSNR, dB", "LPIPS")


def measure(original: Tensor, distorted: Tensor, distance: LPIPS) -> dict[str, float]:
    """All metrics of METRICS, of two images [1, 3, S, S]."""
    first, second = distance.features(original), distance.features(distorted)
    return {
        "LPIPS": distance(original, distorted).item(),
        "structure distance": structure_distance(first[STRUCTURE_LAYER], second[STRUCTURE_LAYER]).item(),
        "texture distance": texture_distance(first, second).item(),
        "single-image Frechet distance": sifid(first[0][0], second[0][0]),
        "1 - SSIM": 1 - ssim(original, distorted).item(),
        "PSNR, dB": psnr(original, distorted).item(),
    }


def study(images: Sequence[Tensor], distance: LPIPS) -> Curves:
    """Means over the images, for each distortion at each of STRENGTHS."""
    curves: Curves = {}
    for name, distort in tqdm((TEXTURE | STRUCTURE).items(), desc="distortions"):
        curves[name] = []
        for strength in STRENGTHS:
            every = [measure(image, distort(image, strength), distance) for image in images]
            curves[name].append(
                {"strength": strength} | {key: sum(one[key] for one in every) / len(every) for key in every[0]}
            )
    return curves


def at_lpips(curve: Sequence[dict[str, float]], metric: str, lpips: float) -> float:
    """A metric where a distortion has this LPIPS, linearly between strengths; NaN beyond the strongest."""
    points = [(0.0, 0.0), *((point["LPIPS"], point[metric]) for point in curve)]
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        if x0 <= lpips <= x1:
            return y0 + (y1 - y0) * (lpips - x0) / (x1 - x0)
    return math.nan


COLOURS = {
    "blurred": (20, 90, 200), "noisy": (0, 150, 190), "recoloured": (110, 80, 220), "posterised": (0, 130, 110),
    "shuffled": (205, 30, 40), "bent": (230, 110, 0), "shifted": (170, 0, 110),
}  # fmt: skip
PANELS = [
    ("structure distance", "LPIPS"),
    ("texture distance", "LPIPS"),
    ("single-image Frechet distance", "LPIPS"),
    ("structure distance", "texture distance"),
]
INK, FAINT = (60, 60, 60), (225, 225, 225)
PANEL, MARGIN, CELL = (290, 230), 60, 118


def draw(curves: Curves, images: Sequence[Tensor], net: str) -> Image.Image:
    """Panels of metrics over LPIPS, one over another, and one photograph as each distortion leaves it."""
    font, small = ImageFont.load_default(size=15), ImageFont.load_default(size=12)
    width = len(PANELS) * (PANEL[0] + MARGIN) + MARGIN
    sheet = Image.new("RGB", (width, PANEL[1] + 2 * MARGIN + 3 * (CELL + 24) + 40), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (metric, across) in enumerate(PANELS):
        left, top = MARGIN + number * (PANEL[0] + MARGIN), MARGIN
        most, highest = (max(point[key] for curve in curves.values() for point in curve) for key in (across, metric))
        pen.text((left, top - 30), f"{metric} ({net})", INK, font)
        for step in range(5):
            y = top + PANEL[1] - step * PANEL[1] / 4
            pen.line((left, y, left + PANEL[0], y), FAINT)
            pen.text((left - 6, y), f"{highest * step / 4:.2f}", INK, small, anchor="rm")
            x = left + step * PANEL[0] / 4
            pen.text((x, top + PANEL[1] + 6), f"{most * step / 4:.2f}", INK, small, anchor="mt")
        pen.text((left + PANEL[0], top + PANEL[1] + 24), f"{across} to the photograph", INK, small, anchor="rt")
        for name, curve in curves.items():
            points = [(0.0, 0.0), *((point[across] / most, point[metric] / highest) for point in curve)]
            places = [(left + x * PANEL[0], top + (1 - y) * PANEL[1]) for x, y in points]
            pen.line(places, COLOURS[name], 2 if name in TEXTURE else 3)
            for x, y in places[1:]:
                box = (x - 3, y - 3, x + 3, y + 3)
                if name in TEXTURE:
                    pen.ellipse(box, outline=COLOURS[name], fill="white")
                else:
                    pen.rectangle(box, fill=COLOURS[name])
    top = PANEL[1] + 2 * MARGIN + 10
    rows = (("circles: texture changed", TEXTURE), ("squares: structure changed", STRUCTURE))
    for text, distortions in rows:
        pen.text((MARGIN, top), text, INK, font)
        for column, (name, distort) in enumerate(distortions.items()):
            for place, strength in enumerate((0.35, 1.0)):
                x, y = MARGIN + column * (2 * CELL + 44), top + 24
                picture = to_pil(distort(images[0], strength)).resize((CELL, CELL), Image.Resampling.LANCZOS)
                sheet.paste(picture, (x + place * (CELL + 4), y))
            pen.text((x, y + CELL + 3), f"{name}, strength 0.35 and 1", COLOURS[name], small)
        top += CELL + 56
    return sheet.crop((0, 0, width, top))


@torch.inference_mode()
def main() -> None:
    """Print a table at equal LPIPS, and write the plot and the curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=EXAMPLES)
    parser.add_argument("--net", choices=["alex", "squeeze"], default="alex")
    parser.add_argument("--plot", type=Path, default=Path("docs/corruption.png"))
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/corruption.json"))
    parser.add_argument("--at", type=float, default=0.3, help="LPIPS at which the table compares distortions")
    arguments = parser.parse_args()
    images = [fit(load_image(path), SIZE, 8, 56).tensor[..., :SIZE, :SIZE] for path in list_images(arguments.data)]
    curves = study(images, LPIPS(arguments.net))
    net = BACKBONES[arguments.net].name
    print(f"{len(images)} photographs, {SIZE} pixels, {net}; at LPIPS {arguments.at}\n")
    print(f"| | {' | '.join(METRICS[:4])} |\n|---|{'---|' * 4}")
    for kind, distortions in (("texture", TEXTURE), ("structure", STRUCTURE)):
        for name in distortions:
            values = [at_lpips(curves[name], metric, arguments.at) for metric in METRICS[:4]]
            print(f"| {kind}: {name} | {' | '.join(f'{value:.3f}' for value in values)} |")
    save_image(draw(curves, images, net), arguments.plot)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    plain = {"photographs": len(images), "pixels": SIZE, "network": net, "curves": curves}
    arguments.json.write_text(json.dumps(plain, indent=1) + "\n")


if __name__ == "__main__":
    main()
