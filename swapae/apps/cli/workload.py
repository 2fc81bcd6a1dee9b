"""What a large picture will take, said before it is taken: memory, and time by a trial on a small piece."""

from __future__ import annotations

import time

import torch

from swapae.inference.tiling import TILE_BYTES
from swapae.model import Autoencoder

HEAVY = 2_000_000  # pixels from which something is said
# A pixel, of the picture, its result, the noise and what the generator keeps whole; beside the features of all of it or
# of a tile. By what `benchmarks/tiles.py` measured.
PICTURE_BYTES = 45
QUICK_S = 1.0  # a trial of less time is repeated, without what only the first takes


def outlook(model: Autoencoder, height: int, width: int, tile: int | None) -> str:
    """Size, memory and time of encoding and decoding a picture, in words.

    Args:
        model: that does it.
        height, width: of the picture as the model takes it.
        tile: side of the tiles; None for whole.
    """
    pixels = height * width
    at_once = pixels * model.generator.bytes_per_pixel if tile is None else TILE_BYTES
    seconds = seconds_per_pixel(model) * pixels
    return f"{width}x{height} pixels: about {gigabytes(pixels * PICTURE_BYTES + at_once)} and {duration(seconds)}"


def seconds_per_pixel(model: Autoencoder) -> float:
    """Time for encoding and decoding, by a picture of the size that the model was trained at."""
    side = model.config.image_size
    piece = torch.zeros(1, 3, side, side, device=model.device, dtype=model.dtype)

    def trial() -> float:
        start = time.perf_counter()
        model.decode(model.encode(piece)).sum().item()  # waits for a GPU
        return time.perf_counter() - start

    with torch.inference_mode():
        taken = trial()
        if taken < QUICK_S:
            taken = min(taken, trial())
    return taken / side**2


def gigabytes(count: float) -> str:
    """A number of bytes in words."""
    return f"{count / 1024**3:.1f} GB of memory"


def duration(seconds: float) -> str:
    """A time in words, to what an estimate is good for."""
    if seconds < 90:
        return f"{max(1, round(seconds, -1 if seconds > 15 else 0)):.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 90 * 60 else f"{seconds / 3600:.1f} hours"
