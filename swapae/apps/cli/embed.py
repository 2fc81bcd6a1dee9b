"""`swapae embed`: the codes of all pictures of a folder, in files of a bounded size."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import torch
import tyro
from torch import Tensor

from swapae.apps.cli.checks import check_between
from swapae.apps.cli.many import READERS, Job, ahead, check_folder, make_all, open_folder
from swapae.apps.cli.session import DEFAULT_OPTIONS, Common, Session, choose_device
from swapae.codes import Codes
from swapae.data.picture_files import FolderSource
from swapae.errors import PictureError, UserError
from swapae.evaluation.measuring import centre_square
from swapae.evaluation.processes import Processes
from swapae.files import atomic_path
from swapae.pictures.images import Fitted
from swapae.rounding import ceil_div

AT_ONCE = 16  # pictures encoded together
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
    processes = Processes.join(choose_device(common.device))
    session = Session(common)
    size, stride = session.size, session.model.config.stride
    if size == "full" or size % stride:
        raise UserError(f"--size must be a multiple of {stride} for codes of one shape, got {size}")
    open_folder(output, session, "embed", {"data": data, "pictures": len(source), "shard": shard}, processes)
    count = ceil_div(len(source), shard)
    jobs = [Job((), output / f"{number:06}.safetensors") for number in range(count)]

    def read(job: Job) -> range:
        number = int(job.output.stem)
        return range(number * shard, min((number + 1) * shard, len(source)))

    def load(name: str) -> Fitted:
        return centre_square(Path(data, name), session.model, size, common.limit)

    def encoded(images: list[Tensor]) -> Codes:
        return session.codes(Fitted(torch.cat(images).to(session.device), (size, size)))

    def compute(job: Job, places: range) -> tuple[list[str], dict[str, str], Codes]:
        names: list[str] = []
        failed: dict[str, str] = {}
        made: list[Codes] = []
        waiting: list[Tensor] = []

        def encode_waiting() -> None:
            if waiting:
                made.append(encoded(waiting))
                waiting.clear()

        with ThreadPoolExecutor(READERS) as readers:
            for name, future in ahead(readers, load, map(source.name, places)):
                try:
                    picture = future.result()
                except PictureError as error:
                    failed[name] = str(error)
                    continue
                names.append(name)
                if picture.opacity is not None:  # alone, since the others' places all count alike
                    encode_waiting()
                    made.append(session.codes(picture.to(session.device)))
                    continue
                waiting.append(picture.tensor)
                if len(waiting) == AT_ONCE:
                    encode_waiting()
        encode_waiting()
        if not made:
            raise UserError(f"not one of the pictures of {job.output.name} can be read, such as {next(iter(failed))!r}")
        return names, failed, Codes(*(torch.cat(part).cpu() for part in zip(*made, strict=True)))

    def write(job: Job, made: tuple[list[str], dict[str, str], Codes]) -> None:
        names, failed, codes = made
        # Names first: the file of codes says that both are there.
        with atomic_path(job.output.with_suffix(".json")) as temporary:
            temporary.write_text(json.dumps({"names": names, "failed": failed}, ensure_ascii=True) + "\n")
        session.model.save_codes(codes, job.output)

    make_all(jobs, read, compute, write, processes, unit="file")
