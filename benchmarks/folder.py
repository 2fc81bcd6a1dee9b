"""A folder of photographs beside one photograph again and again: what reading and writing cost.

    python benchmarks/folder.py shared/data/flowers256/images --pictures 60

`swapae swap FOLDER TEXTURE` with a random model of the church256 configuration, in a process of its own; what it takes
to start is the time of the same command once all results are there. Beside it the time of encoding and decoding alone,
of pictures that are in memory.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from speed import make

from swapae import Codes
from swapae.images import fit, list_images, load_image
from swapae.inference import optimize_for_inference


def main() -> None:
    """Print pictures per second of both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=int, default=60)
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    plain = make("plain")
    model, config = optimize_for_inference(plain), plain.config
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "photos").mkdir()
        chosen = list_images(arguments.data)[: arguments.pictures]
        for path in chosen:
            shutil.copy(path, folder / "photos")
        plain.save_pretrained(folder / "model")
        words = [sys.executable, "-m", "swapae.cli", "swap", "photos", str(chosen[0].resolve()), "-o", "hybrids"]
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            subprocess.run([*words, "--model", "model"], cwd=folder, check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
    texture = model.encode(torch.rand(1, 3, 256, 256)).texture
    alone = []
    for path in chosen:
        images = fit(load_image(path), config.image_size, config.stride, config.minimum_side).tensor
        start = time.perf_counter()
        model.decode(Codes(model.encode(images).structure, texture))
        alone.append(time.perf_counter() - start)
    folder_rate, rate = len(chosen) / (seconds[0] - seconds[1]), 1 / statistics.mean(alone)
    print(f"{len(chosen)} pictures: folder {folder_rate:.2f}/s, one alone {rate:.2f}/s, ratio {folder_rate / rate:.2f}")


if __name__ == "__main__":
    main()
