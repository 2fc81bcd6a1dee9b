"""`swapae embed`: the codes of all pictures of a folder, in files of a bounded size."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
import tyro

from swapae.apps.cli.checks import check_between
from swapae.apps.cli.many import Job, ahead, check_folder, make_all, open_folder
from swapae.apps.cli.session import DEFAULT_OPTIONS, Common, Session, choose_device
from swapae.codes import Codes
from swapae.data.crops import DRAFT_MARGIN
from swapae.data.picture_files import FolderSource
from swapae.errors import PictureError, UserError
from swapae.evaluation.measuring import centre_square
from swapae.evaluation.processes import Processes
from swapae.files import atomic_path
from swapae.pictures.images import Fitted
from swapae.rounding import ceil_div
from swapae.threads import torch_threads

AT_ONCE = 16  # pictures that a GPU encodes together
FolderName = Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]


def embed(
    data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")],
    output: FolderName,
    common: Common = DEFAULT_OPTIONS,
    shard: int = 1024,
) -> None:
    """Structure and texture codes of all pictures of a folder, as numbered files that `load_codes` reads.

    Of each picture the centre square is taken, at the model's size, so that all codes are of one shape. Beside each
    file of codes, one of names: {"names": [...], "failed": {name: why}}. A stopped run goes on where it was, and
    `accelerate launch -m swapae embed ...` shares the work among several GPUs.

    Args:
        data: folder of pictures, searched recursively.
        output: folder to write to, made if missing: 000000.safetensors, 000000.json, and so on.
        shard: pictures in a file; no more than that are in memory at a time.
    """
    check_between("shard", shard, 1, 1_000_000)
    check_folder(output)
    source = FolderSource(data)
    device = choose_device(common.device)
    processes = Processes.join(device)
    # A core that has a picture for itself waits for no other: two cores do a third more than on one picture together.
    with torch_threads(1) as threads:
        session = Session(common)
        size, stride = session.size, session.model.config.stride
        if size == "full" or size % stride:
            raise UserError(f"--size must be a multiple of {stride} for codes of one shape, got {size}")
        open_folder(output, session, "embed", {"data": data, "pictures": len(source), "shard": shard}, processes)
        count = ceil_div(len(source), shard)
        jobs = [Job((), output / f"{number:06}.safetensors") for number in range(count)]

        def read(job: Job) -> list[str]:
            number = int(job.output.stem)
            return [source.name(i) for i in range(number * shard, min((number + 1) * shard, len(source)))]

        def compute(job: Job, names: list[str]) -> Embedded:
            made = embedded(session, data, size, names, threads)
            if not made.names:
                why = next(iter(made.failed))
                raise UserError(f"not one of the pictures of {job.output.name} can be read, such as {why!r}")
            return made

        def write(job: Job, made: Embedded) -> None:
            # Names first: the file of codes says that both are there.
            with atomic_path(job.output.with_suffix(".json")) as temporary:
                described = {"names": made.names, "failed": made.failed}
                temporary.write_text(json.dumps(described, ensure_ascii=True) + "\n")
            session.model.save_codes(Codes(*map(torch.cat, zip(*made.codes, strict=True))), job.output)

        make_all(jobs, read, compute, write, processes, unit="file")


class Embedded(NamedTuple):
    """Names of pictures, the codes of each or of several together, and of those that failed the reason."""

    names: list[str]
    codes: list[Codes]
    failed: dict[str, str]


def embedded(session: Session, folder: Path, size: int, names: Sequence[str], threads: int) -> Embedded:
    """The codes of pictures: while one thread reads, others encode.

    A CPU encodes one picture at a time, whose maps stay in its cache: sixteen together take twice as long a picture.
    """
    at_once = 1 if session.device == "cpu" else AT_ONCE

    def encode(group: Sequence[str]) -> Embedded:
        pictures, failed = {}, {}
        for name in group:
            try:
                pictures[name] = centre_square(
                    folder / name, session.model, size, session.options.limit, draft_to=DRAFT_MARGIN * size
                )
            except PictureError as error:
                failed[name] = str(error)
        # Those with transparency alone, since the others' places all count alike.
        opaque = [name for name, one in pictures.items() if one.opacity is None]
        together = [opaque] if opaque else []
        together += [[name] for name, one in pictures.items() if one.opacity is not None]
        codes = []
        with torch.inference_mode():  # which holds for a thread alone
            for several in together:
                tensor = torch.cat([pictures[name].tensor for name in several]).to(session.device)
                opacity = pictures[several[0]].opacity
                made = session.codes(
                    Fitted(tensor, (size, size), None if opacity is None else opacity.to(session.device))
                )
                codes.append(Codes(*(part.cpu() for part in made)))
        return Embedded([name for several in together for name in several], codes, failed)

    made = Embedded([], [], {})
    groups = [names[i : i + at_once] for i in range(0, len(names), at_once)]
    with ThreadPoolExecutor(threads) as pool:
        for _, future in ahead(pool, encode, groups, most=2 * threads):
            part = future.result()
            made.names.extend(part.names)
            made.codes.extend(part.codes)
            made.failed.update(part.failed)
    return made
