"""How near dragged points come to their targets: the structure code warped, and optimised by gradient.

    python -m benchmarks.drag --images FOLDER --names docs/flowers256/validation.txt --json FILE --sheet FILE.png

In each photograph one handle, the liveliest place of the reconstruction's middle, is dragged by 24 pixels in a random
direction, and eight points of the border are pinned. Where the handle landed is where the patch around it, as it was
before, correlates best (normalised cross-correlation, in luma) with the picture after, within 32 pixels of the target.
The optimisation is the motion supervision and the point tracking of Pan et al., "Drag Your GAN" (SIGGRAPH 2023,
sections 3.2 and 3.3), on the structure code. Seconds are of one core.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from swapae import Codes, SwapAE
from swapae.editing import drag
from swapae.editing.pictures import luma_709
from swapae.images import fit, load_image, to_pil
from swapae.pictures.grids import labelled_grid
from swapae.pictures.saving import save_image

DISTANCE = 24  # pixels that handles are dragged by
PATCH, SEARCH = 12, 32  # pixels to each side: of the patch, and of where it is looked for
STEPS, KEEP = 60, 1.0  # of the optimisation; KEEP weighs what is not to move
SUPERVISED, TRACKED = 3, 6  # cells of the features to each side of the handle: DragGAN's r1, and less than its r2
SHOWN = 3

Point = tuple[int, int]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--names", type=Path, required=True, help="names of photographs, one a line")
    parser.add_argument("--model", default="flowers")
    parser.add_argument("--most", type=int, default=10)
    parser.add_argument("--rate", type=float, default=0.05, help="learning rate of the optimisation")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = SwapAE.from_pretrained(options.model).requires_grad_(False)
    names = sorted(options.names.read_text().split())
    names = names[:: max(1, len(names) // options.most)][: options.most]
    ways: dict[str, Callable[[Codes, Point, Point], Tensor]] = {
        "nothing": lambda codes, handle, target: codes.structure,
        "warp": lambda codes, handle, target: warped(model, codes, handle, target),
        "optimisation": lambda codes, handle, target: optimised(model, codes, handle, target, options.rate),
    }
    figures: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    cells = []
    for number, name in enumerate(tqdm(names, disable=None)):
        codes = encode(model, options.images / name)
        before = model.decode(codes).clamp(-1, 1)
        handle, target = ends(before, number)
        row = [before]
        for way, edit in ways.items():
            start = time.process_time()
            row.append(model.decode(codes._replace(structure=edit(codes, handle, target))).clamp(-1, 1))
            seconds = time.process_time() - start
            figures[way].append((math.dist(landed(before, row[-1], handle, target), target), seconds))
        pictures = [marked(row[0], handle, target), *(marked(each, target) for each in row[2:])]
        cells.append([to_pil(picture) for picture in pictures])
    report(figures)
    if options.json:
        results = {"rate": options.rate, "names": names, "pixels and seconds": figures}
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.sheet:
        columns = ["before", "warp", "optimisation"]
        save_image(labelled_grid(cells[:SHOWN], [""] * SHOWN, columns, model.config.image_size), options.sheet)


def encode(model: SwapAE, path: Path) -> Codes:
    """Codes of a photograph's middle, square, at the model's size."""
    config = model.config
    image = fit(load_image(path), config.image_size, config.stride, config.minimum_side).tensor
    left, top = ((side - config.image_size) // 2 for side in (image.shape[3], image.shape[2]))
    return model.encode(image[..., top : top + config.image_size, left : left + config.image_size])


def ends(picture: Tensor, seed: int) -> tuple[Point, Point]:
    """Handle and target: the middle's patch with most contrast, and a place `DISTANCE` from it."""
    luma, side = luma_709(picture), 2 * PATCH + 1
    mean, mean_square = (F.avg_pool2d(values, side, 1, PATCH) for values in (luma, luma.square()))
    margin = PATCH + SEARCH + DISTANCE
    middle = (mean_square - mean.square())[0, 0, margin:-margin, margin:-margin]
    y, x = divmod(int(middle.argmax()), middle.shape[1])
    angle = random.Random(seed).uniform(0, 2 * math.pi)
    handle = x + margin, y + margin
    return handle, (handle[0] + round(DISTANCE * math.cos(angle)), handle[1] + round(DISTANCE * math.sin(angle)))


def landed(before: Tensor, after: Tensor, handle: Point, target: Point) -> Point:
    """Where what was at the handle is now."""
    patch = window(luma_709(before), handle, PATCH)
    searched = window(luma_709(after), target, SEARCH + PATCH)
    patch = patch - patch.mean()
    side = torch.ones_like(patch) / patch.numel()
    mean, mean_square = F.conv2d(searched, side), F.conv2d(searched.square(), side)
    correlation = F.conv2d(searched, patch) / (mean_square - mean.square()).clamp_min(1e-8).sqrt()
    y, x = divmod(int(correlation.argmax()), correlation.shape[3])
    return target[0] - SEARCH + x, target[1] - SEARCH + y


def window(map: Tensor, centre: Point, radius: int) -> Tensor:
    """The square of a map [1, C, H, W] around a place (x, y)."""
    x, y = centre
    return map[..., y - radius : y + radius + 1, x - radius : x + radius + 1]


def pins(side: int) -> list[Point]:
    """Corners and middles of the sides of a square picture."""
    places = (0, side // 2, side - 1)
    return [(x, y) for x in places for y in places if (x, y) != (side // 2, side // 2)]


def warped(model: SwapAE, codes: Codes, handle: Point, target: Point) -> Tensor:
    """The structure, deformed by moving least squares."""
    held = pins(model.config.image_size)
    return drag(codes.structure, [handle, *held], [target, *held], stride=model.config.stride)


@torch.enable_grad()
def optimised(model: SwapAE, codes: Codes, handle: Point, target: Point, rate: float) -> Tensor:
    """The structure, optimised so that the generator's features move from the handle to the target step by step."""
    scale = 2  # pixels per cell of the features: all blocks but the last
    at, goal = (torch.tensor([(value + 0.5) / scale - 0.5 for value in point]) for point in (handle, target))
    first = features(model, codes.structure, codes.texture)
    origin = at_places(first, at[None])
    beyond = (grid_places(first) - (at + goal) / 2).norm(dim=2) > (DISTANCE + 2 * PATCH) / scale
    structure = codes.structure.clone().requires_grad_()
    optimizer = torch.optim.Adam([structure], rate)
    for step_number in range(STEPS):
        now = features(model, structure, codes.texture)
        if step_number:  # where the handle is since the last step
            places = at + offsets(TRACKED)
            at = places[(at_places(now.detach(), places) - origin).abs().sum(0).argmin()]
        way = goal - at
        if way.norm() < 0.5:
            break
        near, step = at + offsets(SUPERVISED), way / way.norm().clamp_min(1)
        motion = (at_places(now, near + step) - at_places(now, near).detach()).abs().mean()
        loss = motion + KEEP * (now - first)[..., beyond].abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return structure.detach()


def features(model: SwapAE, structure: Tensor, texture: Tensor) -> Tensor:
    """What all of the generator's blocks but the last make of codes, [1, C, H / 2, W / 2]."""
    inputs = model.prepare(Codes(structure, texture), 0, None)
    blocks = len(model.generator.blocks) - 1
    return model.generator.run(range(blocks), *inputs[:2], inputs[2][: 2 * blocks])


def at_places(map: Tensor, places: Tensor) -> Tensor:
    """A map [1, C, H, W] at places [N, 2] of (x, y), bilinear: [C, N]."""
    sides = torch.tensor([map.shape[3], map.shape[2]])
    grid = (2 * places + 1) / sides - 1
    return F.grid_sample(map, grid[None, None], padding_mode="border", align_corners=False)[0, :, 0]


def grid_places(map: Tensor) -> Tensor:
    """All places of a map, [H, W, 2]."""
    rows, columns = (torch.arange(float(side)) for side in map.shape[2:])
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"), 2)


def offsets(radius: int) -> Tensor:
    """The places of a square around (0, 0), [N, 2]."""
    steps = torch.arange(-float(radius), radius + 1)
    return torch.cartesian_prod(steps, steps)


def marked(picture: Tensor, *points: Point) -> Tensor:
    """A picture with crosses, the first white, the second red."""
    picture = picture.clone()
    for (x, y), colour in zip(points, ((1.0, 1.0, 1.0), (1.0, -1.0, -1.0)), strict=False):
        for across, down in ((4, 0), (0, 4)):
            box = picture[0, :, y - down : y + down + 1, x - across : x + across + 1]
            box.copy_(torch.tensor(colour)[:, None, None])
    return picture


def report(figures: dict[str, list[tuple[float, float]]]) -> None:
    """Print the table."""
    print("| way | error, px: median | mean | within 4 px | seconds |\n" + "|---" * 5 + "|")
    for way, each in figures.items():
        errors, seconds = zip(*each, strict=True)
        near = sum(error <= 4 for error in errors)
        median, mean = statistics.median(errors), statistics.mean(errors)
        print(f"| {way} | {median:.1f} | {mean:.1f} | {near} of {len(errors)} | {statistics.median(seconds):.2f} |")


if __name__ == "__main__":
    main()
