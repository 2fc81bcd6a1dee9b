"""What searching photographs by codes is worth: a million synthetic codes, and flowers that find their own kind.

python benchmarks/search.py --count 1000000
python benchmarks/search.py --photographs flowers256/images --codes codes    # of `swapae embed`

The first prints build time, memory, recall of the exact ten nearest, and time of a search, for growing indexes. The
second searches with every photograph by texture, structure, both, and by a colour histogram (8 x 8 x 8), and counts how
many of the ten nearest others are of its kind, the first word of the file's name.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from swapae import Codes, SwapAE
from swapae.apps.cli.search import code_files, read_names
from swapae.pictures.images import load_image
from swapae.search import QUESTIONS, PhotographIndex

STEP = 50_000
SEARCHES, NEAREST = 200, 10


def synthetic(count: int, model: SwapAE, seed: int) -> Codes:
    """Codes with a few strong axes, as real ones have; structures of four by four places."""
    generator = torch.Generator().manual_seed(seed)
    scales = 1 / torch.arange(1, model.config.texture_channels + 1) ** 0.7
    texture = torch.randn(count, model.config.texture_channels, generator=generator) * scales
    return Codes(torch.randn(count, model.config.structure_channels, 4, 4, generator=generator), texture)


def large(count: int, model: SwapAE) -> None:
    """Grow an index to `count` and measure it."""
    index = PhotographIndex(model)
    vectors: list[np.ndarray] = []
    spent, clock = time.process_time(), time.monotonic()
    outside = 0.0
    for start in tqdm(range(0, count, STEP), unit="step"):
        before = time.process_time()
        codes = synthetic(min(STEP, count - start), model, start)
        vectors.append(index.vectors(codes)["texture"].astype(np.float16))
        outside += time.process_time() - before
        index.add([f"{start + number}.jpg" for number in range(len(codes.texture))], codes)
    spent = time.process_time() - spent - outside
    print(f"{count} photographs: {spent:.0f} s of processor time, {time.monotonic() - clock:.0f} s with everything")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB, with the exact vectors")
    rng = np.random.default_rng(0)
    hits, times = 0, []
    for _ in range(SEARCHES):
        block = synthetic(1, model, int(rng.integers(1 << 40)))
        wanted = index.vectors(block)["texture"][0]
        similar = np.concatenate([part.astype(np.float32) @ wanted for part in vectors])
        exact = {f"{place}.jpg" for place in np.argpartition(-similar, NEAREST)[:NEAREST]}
        start_time = time.process_time()
        found = index.search(block, "texture", NEAREST)
        times.append(time.process_time() - start_time)
        hits += len(exact & {one.name for one in found})
    print(f"recall at {NEAREST}: {hits / SEARCHES / NEAREST:.3f}; {1000 * np.median(times):.1f} ms a search")


def kinds(photographs: Path, codes: Path, model: SwapAE) -> None:
    """How many of the nearest are of the same kind, by each question and by colours."""
    names: list[str] = []
    parts: list[Codes] = []
    for file in code_files(codes):
        names += read_names(file.with_suffix(".json"))
        parts.append(model.load_codes(file)[0])
    together = Codes(*(torch.cat(part) for part in zip(*parts, strict=True)))
    vectors = PhotographIndex(model).vectors(together)
    histograms = []
    for name in tqdm(names, desc="histograms"):
        pixels = np.asarray(load_image(photographs / name).resize((64, 64))).reshape(-1, 3) // 32
        counts = np.bincount(pixels @ np.array([64, 8, 1]), minlength=512) ** 0.5
        histograms.append(counts / np.linalg.norm(counts))
    vectors["colour histogram"] = np.stack(histograms)
    labels = np.array([Path(name).name.split("_")[0] for name in names])
    chance = np.mean([(labels == label).sum() - 1 for label in labels]) / (len(labels) - 1)
    print(f"{len(names)} photographs; by chance {100 * chance:.1f} % of the {NEAREST} nearest are of the same kind")
    for question in (*QUESTIONS, "colour histogram"):
        similar = vectors[question] @ vectors[question].T
        np.fill_diagonal(similar, -np.inf)
        nearest = np.argpartition(-similar, NEAREST, axis=1)[:, :NEAREST]
        print(f"{question}: {100 * np.mean(labels[nearest] == labels[:, None]):.1f} %")


def main() -> None:
    """Measure one or both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int)
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--codes", type=Path, help="folder that `swapae embed` wrote of --photographs")
    arguments = parser.parse_args()
    model = SwapAE.default()
    if arguments.count:
        large(arguments.count, model)
    if arguments.photographs and arguments.codes:
        kinds(arguments.photographs, arguments.codes, model)


if __name__ == "__main__":
    main()
