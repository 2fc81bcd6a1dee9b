"""`swapae evaluate` and `swapae pairs make`: the paper's measurements of a model, on photographs and pairs of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from swapae.apps.cli.checks import check_between
from swapae.apps.cli.session import DEFAULT_OPTIONS, Common, OutputPath, Session, choose_device
from swapae.errors import Interrupted, UserError
from swapae.evaluation.evaluate import evaluate as measure
from swapae.evaluation.measuring import Measuring
from swapae.evaluation.networks import Networks
from swapae.evaluation.page import write_page
from swapae.evaluation.pairs import Pairs, listed_photographs
from swapae.evaluation.processes import Processes
from swapae.evaluation.store import make_folder
from swapae.model import SwapAE
from swapae.pictures.saving import check_output_file

Folder = Annotated[Path, tyro.conf.arg(metavar="DIR")]
Names = Annotated[Path | None, tyro.conf.arg(name="list", metavar="FILE")]
MOST_PAIRS = 1_000_000


def evaluate(
    data: Folder,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")],
    common: Common = DEFAULT_OPTIONS,
    pairs: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    names: Names = None,
    reference: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None,
    count: int = 500,
) -> None:
    """Reconstructions and hybrids of a model, measured: results.json, results.md and results.html.

    LPIPS by every backbone whose weights are here (SWAPAE_LPIPS_WEIGHTS names their folder), FID and KID only if
    SWAPAE_FID_WEIGHTS names Inception's. Goes on where it was stopped. Several GPUs: `accelerate launch -m swapae
    evaluate ...` with the same options.

    Args:
        data: folder of photographs, ten or more; the centre square of each is taken.
        output: folder to write to, made if missing; what was measured is kept in it.
        pairs: list of `swapae pairs make`; pairs drawn with seed 0 if not given.
        names: take only the photographs that this text file names, one a line.
        reference: folder of photographs, such as those trained on, that sets are compared with too.
        count: pairs to draw.
    """
    check_between("count", count, 1, MOST_PAIRS)
    if pairs is not None and names is not None:
        raise UserError("--list and --pairs exclude each other: a list of pairs names its photographs itself")
    if pairs is not None:
        chosen = Pairs.load(pairs)
        chosen.check_files(data, repr(str(pairs)))
    else:
        chosen = Pairs.draw(listed_photographs(data, names), count, seed=0)
    others = (reference, listed_photographs(reference)) if reference is not None else None
    make_folder(output)
    processes = Processes.join(choose_device(common.device))
    session = Session(common, plain=True)
    size, model = session.size, session.model
    assert isinstance(model, SwapAE), "a plain session's model"
    stride = model.config.stride
    if size == "full" or size % stride:
        raise UserError(f"--size must be a multiple of {stride} for an evaluation, got {size}")
    networks = Networks.load(session.device)
    measuring = Measuring(model, networks, size, common.seed, common.limit)
    try:
        results = measure(
            measuring, data, chosen, output,
            model_name=common.model or "embedded", reference=others, processes=processes,
        )  # fmt: skip
        if results is None:
            return
        chosen.save(output / "pairs.json")
        results.save(output)
        write_page(results, measuring, data, output / "results.html")
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same command goes on from there") from None
    print(results.markdown(), end="")


def make_pairs(
    data: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")],
    output: OutputPath,
    names: Names = None,
    count: int = 500,
    seed: int = 0,
) -> None:
    """Random pairs of photographs, for the structure and for the texture, as a list by which others compare the same.

    Args:
        data: folder of photographs, searched recursively.
        output: .json file to write: names, SHA-256 of the files, pairs.
        names: draw only from the photographs that this text file names, one a line.
        count: pairs to draw; fewer if there are not as many different ones.
        seed: of the draw.
    """
    check_between("count", count, 1, MOST_PAIRS)
    check_output_file(output, (".json",))
    pairs = Pairs.draw(listed_photographs(data, names), count, seed)
    pairs.save(output)
    print(f"{len(pairs.pairs)} pairs of {len(pairs.photographs)} photographs, digest {pairs.digest[:16]}")
