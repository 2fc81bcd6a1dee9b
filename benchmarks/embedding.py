"""Photographs a second of `swapae embed`, and what each of its parts would allow.

    python benchmarks/embedding.py shared/data/flowers256/images

A thousand photographs of each size, made of those of the folder: as they are, and enlarged. The parts are timed on one
core, by the time that the process computes: decoding as JPEG (whole, and at a fraction as the command does), resizing,
and the network alone. Then the command's own function on all cores. All share the cores, so that no command can do more
photographs per second of a core than one over the sum of its parts: the last column is the share of that.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image

from swapae import PRESETS, SwapAE
from swapae.apps.cli.embed import embedded
from swapae.apps.cli.session import Options, Session
from swapae.data.crops import DRAFT_MARGIN
from swapae.evaluation.measuring import centre_square
from swapae.inference.choice import processor
from swapae.pictures.images import fit, load_image
from swapae.pictures.listing import list_images
from swapae.threads import torch_threads

ENLARGED = {"1024 x 768": (1024, 768), "1600 x 1200": (1600, 1200)}
SAMPLE = 40  # photographs by which the parts are timed


def make_folders(photographs: list[Path], count: int, folder: Path) -> dict[str, list[Path]]:
    """So many photographs of each size, of which at most a hundred differ: links to the same files."""
    made = {}
    for title, size in {"as they are": None, **ENLARGED}.items():
        own = folder / title
        own.mkdir()
        chosen = photographs[:: max(1, len(photographs) // 100)][:100]
        for i in range(count):
            path = own / f"{i:06}.jpg"
            if i >= len(chosen):
                path.symlink_to(own / f"{i % len(chosen):06}.jpg")
            elif size is None:
                path.symlink_to(chosen[i].resolve())
            else:
                load_image(chosen[i]).resize(size, Image.Resampling.BICUBIC).save(path, quality=90)
        made[title] = list_images(own)
    return made


def milliseconds(call: Callable[[Any], Any], items: Iterable[Any]) -> float:
    """Of computing, median for an item."""
    times = []
    for item in items:
        start = time.process_time()
        call(item)
        times.append(1e3 * (time.process_time() - start))
    return statistics.median(times)


def parts(session: Session, paths: list[Path]) -> dict[str, float]:
    """Milliseconds of one core for each part of encoding a photograph."""
    config, draft = session.model.config, DRAFT_MARGIN * session.size
    decoded = [load_image(path, draft_to=draft) for path in paths]
    squares = [centre_square(path, session.model, session.size, draft_to=draft).tensor for path in paths]
    return {
        "decode whole": milliseconds(load_image, paths),
        "decode": milliseconds(lambda path: load_image(path, draft_to=draft), paths),
        "resize": milliseconds(lambda image: fit(image, session.size, config.stride, config.minimum_side), decoded),
        "network": milliseconds(session.model.encode, squares),
    }


def main() -> None:
    """Print the table, and JSON with --json FILE."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of photographs")
    parser.add_argument("--photographs", type=int, default=1000, help="of each size")
    parser.add_argument("--json", help="file to write the figures to as well")
    arguments = parser.parse_args()
    record: dict[str, Any] = {"machine": f"{processor()}, {torch.get_num_threads()} threads", "rows": []}
    print(record["machine"])
    print("\n| model (engine) | photographs | decode whole, ms | decode, ms | resize, ms | network, ms |", end="")
    print(" photographs/s | per core-second | of what the parts allow |\n" + "|---" * 9 + "|")
    with TemporaryDirectory() as temporary, torch.inference_mode(), torch_threads(1) as threads:
        folders = make_folders(list_images(arguments.data), arguments.photographs, Path(temporary))
        torch.manual_seed(0)
        SwapAE(PRESETS["small256"].model).save_pretrained(Path(temporary, "small256"))
        for name, model in (("embedded", None), ("small256", str(Path(temporary, "small256")))):
            for engine in ("torch", "ncnn"):
                session = Session(dataclasses.replace(Options(), model=model, engine=engine))
                for title, paths in folders.items():
                    row = {"model": name, "engine": engine, "photographs": title, "ms": parts(session, paths[:SAMPLE])}
                    start, computed = time.perf_counter(), time.process_time()
                    embedded(session, paths[0].parent, session.size, [path.name for path in paths], threads)
                    row["per_s"] = len(paths) / (time.perf_counter() - start)
                    row["per_core_s"] = len(paths) / (time.process_time() - computed)
                    allowed = 1e3 / sum(row["ms"][part] for part in ("decode", "resize", "network"))
                    record["rows"].append(row)
                    cells = [f"{name} ({engine})", title, *(f"{value:.1f}" for value in row["ms"].values())]
                    cells += [f"{row['per_s']:.0f}", f"{row['per_core_s']:.0f}", f"{row['per_core_s'] / allowed:.2f}"]
                    print("| " + " | ".join(cells) + " |", flush=True)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
