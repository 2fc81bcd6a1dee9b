"""`swapae data check` and `swapae data draw`: training pictures."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Annotated

import tyro
from tqdm import tqdm

from swapae.apps.cli.checks import check_between
from swapae.data.check import check, check_clean_folder, describe, write_clean
from swapae.data.sources import StreamSource, open_source
from swapae.data.synthetic import draw, random_layout, random_texture
from swapae.errors import Interrupted, UserError
from swapae.files import atomic_path, new_folder
from swapae.pictures.images import to_pil
from swapae.pictures.saving import check_output_file, save_image


def check_data(
    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="DIR")],
    min_size: int = 128,
    write: Annotated[Path | None, tyro.conf.arg(metavar="CLEAN_DIR")] = None,
    size: int = 256,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None,
    workers: int = os.cpu_count() or 1,
) -> None:
    """What is wrong with training pictures: unreadable, tiny, grey, repeated, in odd modes; and a clean copy.

    Args:
        data: folder of pictures, searched recursively, or folder of an LMDB; not changed.
        min_size: pictures with a short side under this many pixels are tiny.
        write: folder for a clean copy: without the unreadable, the tiny and exact repetitions, upright, in sRGB,
            as JPEG of quality 95 with full colour resolution, or PNG up to 128 pixels. Goes on where it was stopped.
        size: pixels of the short side of the copies.
        json_file: file for the whole report, of which no more than ten pictures of a kind are printed.
        workers: processes.
    """
    check_between("size", size, 16, 8192)
    check_between("min-size", min_size, 1, 8192)
    check_between("workers", workers, 0, 256)
    if json_file is not None:
        check_output_file(json_file, (".json",))
    source = open_source(data)
    if isinstance(source, StreamSource):
        raise UserError(f"{data!r} is a stream: give a folder or an LMDB")
    if write is not None:
        check_clean_folder(source, write)
    report = check(source, min_size, workers)
    if json_file is not None:
        with atomic_path(json_file) as temporary:
            temporary.write_text(json.dumps(dataclasses.asdict(report), indent=1, ensure_ascii=True) + "\n")
    print(describe(report))
    if write is not None:
        try:
            written = write_clean(source, report.kept, write, size, workers)
        except KeyboardInterrupt:
            raise Interrupted(
                "interrupted; the copies so far are whole, and the same command goes on from there"
            ) from None
        print(f"clean copy: {len(written)} pictures in {str(write)!r}")


def draw_data(
    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")],
    count: int = 4000,
    size: int = 64,
    seed: int = 0,
) -> None:
    """Draw training pictures whose structure and texture are known apart: shapes of one material on another.

    Beside the pictures, drawings.jsonl says of each what it was drawn from, so that `data.synthetic.draw` makes it
    again, or the correct hybrid of any two.

    Args:
        folder: to make; it must not exist or be empty.
        count: pictures.
        size: of their sides, in pixels.
        seed: of the first picture; each further one has the next.
    """
    check_between("count", count, 2, 1_000_000)
    check_between("size", size, 16, 1024)
    check_between("seed", seed, 0, 10**9)
    with new_folder(folder) as made:
        lines = []
        for number in tqdm(range(seed, seed + count), unit="picture", disable=None):
            layout, texture = random_layout(number), random_texture(number)
            name = f"{number:07}.png"
            save_image(to_pil(draw(layout, texture, size, number)), made / name)
            lines.append({"picture": name, "seed": number, "layout": dataclasses.asdict(layout)})
            lines[-1]["texture"] = dataclasses.asdict(texture)
        (made / "drawings.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    print(f"{count} pictures of {size} x {size} in {str(folder)!r}")
