"""How fast the data loader is, per worker process, for pre-resized files and for larger photographs.

python benchmarks/data.py [--photos FOLDER]

Items of church256: short side to 256 pixels, crop, mirror, float32. Every photograph is decoded once only, so
that no cache helps. A worker keeps one core busy: a device that takes N images/s needs N over "per core-second"
workers, and as many cores, whatever else the machine that measured was doing.
Also: what the names of a million files take in memory, and what decoding a JPEG at a fraction changes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from swapae.config import PRESETS
from swapae.data.crops import DRAFT_MARGIN
from swapae.data.dataset import Photographs
from swapae.data.picture_files import FolderSource, PackedNames
from swapae.pictures.images import levels, load_image, resize_short, scaled_size, to_pil
from swapae.pictures.listing import list_images
from swapae.pictures.saving import save_image

HANDLING = PRESETS["church256"].data


def write_copies(folder: Path, photos: list[Path], count: int, short: int) -> Path:
    """A folder of `count` JPEGs with a short side of `short`, of the photographs in turn, or of noise."""
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    for index in range(count):
        if photos:
            picture = load_image(photos[index % len(photos)])
        else:
            noise = torch.rand(1, 3, 96, 128, generator=generator) * 2 - 1
            picture = to_pil(torch.nn.functional.interpolate(noise, (768, 1024), mode="bilinear"))
        save_image(resize_short(picture, short), folder / f"{index:05d}.jpg")
    return folder


def images_per_core_second(folder: Path, items: int) -> float:
    """Items per second of processor time of one process, batches included."""
    data = Photographs(FolderSource(folder), HANDLING, items, seed=0)
    data._caches = False
    batches = iter(DataLoader(data, 8))
    next(batches)
    start = time.process_time()
    seen = sum(len(batch) for batch in batches)
    return seen / (time.process_time() - start)


def images_per_second(folder: Path, workers: int, items: int) -> float:
    """Items per second once the workers run: the first batches, which wait for their start, do not count."""
    data = Photographs(FolderSource(folder), HANDLING, items, seed=0)
    data._caches = False
    loader = iter(DataLoader(data, 8, num_workers=workers))
    skipped = 2 * max(1, workers) + 1
    for _ in range(skipped):
        next(loader)
    start = time.perf_counter()
    seen = sum(len(batch) for batch in loader)
    return seen / (time.perf_counter() - start)


def draft_difference(path: Path) -> tuple[float, float, float]:
    """Of one JPEG: seconds of decoding and resizing whole and at a fraction, and their difference as PSNR in dB."""

    def resized(draft_to: int | None) -> tuple[np.ndarray, float]:
        start = time.perf_counter()
        image = load_image(path, draft_to=draft_to)
        pixels = levels(image, scaled_size(image.size, HANDLING.size)).numpy().astype(np.float64)
        return pixels, time.perf_counter() - start

    resized(None)
    (whole, whole_seconds), (draft, draft_seconds) = resized(None), resized(DRAFT_MARGIN * HANDLING.size)
    error = np.square(whole - draft).mean()
    return whole_seconds, draft_seconds, float("inf") if error == 0 else 10 * np.log10(255**2 / error)


def bytes_per_name(count: int = 1_000_000) -> tuple[float, float]:
    """Bytes that a file name takes, its own about 30, as `PackedNames` and as a list of `Path`."""
    names = [f"church_{i % 1000:03d}/{random.Random(i).getrandbits(64):016x}.jpg" for i in range(count)]
    packed = PackedNames(map(os.fsencode, names))
    tensors = sum(tensor.nbytes for tensor in vars(packed).values())

    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = resident()
    paths = [Path(name) for name in names]
    return tensors / count, (resident() - before) / len(paths)


def main() -> None:
    """Print the tables, and JSON with --json FILE."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="folder of photographs to make the files of; noise if not given")
    parser.add_argument("--files", type=int, default=64, help="files of each size")
    parser.add_argument("--items", type=int, default=400, help="items of each timed run")
    parser.add_argument("--large", type=int, default=1536, help="short side of the larger photographs")
    parser.add_argument("--json", type=Path, help="file to write the figures to as well")
    arguments = parser.parse_args()
    photos = list_images(arguments.photos) if arguments.photos else []
    torch.set_num_threads(1)
    results: dict = {"machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    with tempfile.TemporaryDirectory() as temporary:
        for title, short in (("pre-resized", HANDLING.size), ("larger", arguments.large)):
            folder = write_copies(Path(temporary, title), photos, arguments.files, short)
            speeds = {workers: images_per_second(folder, workers, arguments.items) for workers in (0, 1, 2)}
            per_core = images_per_core_second(folder, arguments.items)
            results[title] = {"short": short, "images_per_core_second": per_core, "images_per_second": speeds}
        rows = [draft_difference(path) for path in sorted(Path(temporary, "larger").iterdir())[:16]]
        results["draft"] = dict(zip(("whole_s", "draft_s", "psnr_db"), np.median(rows, axis=0).tolist(), strict=True))
    results["bytes_per_name"] = dict(zip(("packed", "list_of_paths"), bytes_per_name(), strict=True))

    print(f"church256 items, {results['machine']}\n")
    print("| files, short side | per core-second | no worker, images/s | 1 worker | 2 workers |\n|---|---|---|---|---|")
    for title in ("pre-resized", "larger"):
        row = results[title]
        speeds = [row["images_per_core_second"], *row["images_per_second"].values()]
        print(f"| {title}, {row['short']} px |" + "".join(f" {speed:.0f} |" for speed in speeds))
    draft = results["draft"]
    print(
        f"\nA larger one whole {1e3 * draft['whole_s']:.0f} ms, decoded at a fraction {1e3 * draft['draft_s']:.0f} ms; "
        f"they differ by {draft['psnr_db']:.1f} dB"
    )
    names = results["bytes_per_name"]
    print(f"A file name takes {names['packed']:.0f} bytes packed, {names['list_of_paths']:.0f} as Path in a list")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
