"""How far a picture in tiles is from the whole one: the church256 configuration, random weights.

    python benchmarks/tiles.py

Of the form for inference: largest differences, as a share of the range of the whole picture's values.
"""

from __future__ import annotations

import torch
from speed import make
from torch import Tensor

from swapae.inference import tiling

SIZES = {512: 256, 1024: 384, 1536: 640}  # sides of pictures, and of their tiles


def main() -> None:
    """Print the table."""
    torch.set_grad_enabled(False)
    model = make("inference")
    print("| picture, px | tiles, px | structure | texture | image |\n" + "|---" * 5 + "|")
    for size, tile in SIZES.items():
        images = torch.rand(1, 3, size, size) * 2 - 1
        codes = model.encode(images)
        tiled = tiling.encode(model, images, tile)
        pairs = [*zip(tiled, codes, strict=True), (tiling.decode(model, codes, tile), model.decode(codes))]
        print(f"| {size} | {tile} | " + " | ".join(f"{difference(*pair):.0e}" for pair in pairs) + " |", flush=True)


def difference(tiled: Tensor, whole: Tensor) -> float:
    """Largest, as a share of the range of the whole one's values."""
    return ((tiled - whole).abs().max() / (whole.max() - whole.min())).item()


if __name__ == "__main__":
    main()
