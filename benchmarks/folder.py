"""A folder of photographs beside one photograph again and again: what reading and writing cost.

    python benchmarks/folder.py shared/data/flowers256/images

`swapae swap FOLDER TEXTURE` with a random model of the church256 configuration, in a process of its own; what it takes
to start is the time of the same command once all results are there. Beside it the time of encoding and decoding alone,
of pictures that are in memory. The two are alternated; medians.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from speed import make

from swapae import Codes, SwapAE
from swapae.inference.fast import optimize_for_inference
from swapae.pictures.images import fit, load_image
from swapae.pictures.listing import list_images


def main() -> None:
    """Print pictures per second of both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    plain = make("plain")
    model = optimize_for_inference(plain)
    chosen = list_images(arguments.data)[: arguments.pictures]
    rates: list[tuple[float, float]] = []
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "photos").mkdir()
        for path in chosen:
            shutil.copy(path, folder / "photos")
        plain.save_pretrained(folder / "model")
        for run in range(arguments.runs):
            output = folder / f"hybrids{run}"
            seconds = swap_all(folder, chosen[0].resolve(), output)
            seconds -= swap_all(folder, chosen[0].resolve(), output)
            rates.append((len(chosen) / seconds, 1 / seconds_alone(model, chosen)))
            print("folder {:.2f} pictures/s, one alone {:.2f}/s".format(*rates[-1]), flush=True)
    ratio = statistics.median(in_folder / alone for in_folder, alone in rates)
    print(f"{len(chosen)} pictures, median of {len(rates)}: {ratio:.2f} of one alone")


def swap_all(folder: Path, texture: Path, output: Path) -> float:
    """Seconds of the command, from its start to its end."""
    words = [sys.executable, "-m", "swapae", "swap", "photos", str(texture), "-o", str(output), "--model", "model"]
    start = time.perf_counter()
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def seconds_alone(model: SwapAE, paths: Sequence[Path]) -> float:
    """Mean seconds of encoding and decoding, of pictures that are read before."""
    config = model.config
    texture = model.encode(torch.rand(1, 3, config.image_size, config.image_size)).texture
    seconds = []
    for path in paths:
        images = fit(load_image(path), config.image_size, config.stride, config.minimum_side).tensor
        start = time.perf_counter()
        model.decode(Codes(model.encode(images).structure, texture))
        seconds.append(time.perf_counter() - start)
    return statistics.mean(seconds)


if __name__ == "__main__":
    main()
