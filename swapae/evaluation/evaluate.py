"""Measure a model on a folder of photographs and a list of pairs, in one process or several, going on where it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from swapae.backbones import BACKBONES
from swapae.errors import UserError
from swapae.evaluation.measuring import Item, Measured, Measuring
from swapae.evaluation.pairs import Pairs
from swapae.evaluation.processes import Processes
from swapae.evaluation.results import (
    Results,
    check_enough,
    figure_names,
    local_distances,
    means,
    set_distances,
    stack,
)
from swapae.evaluation.store import Store
from swapae.evaluation.timing import machine, runtimes
from swapae.pictures.images import header
from swapae.release import release


def evaluate(
    measuring: Measuring,
    folder: Path,
    pairs: Pairs,
    output: Path,
    *,
    model_name: str,
    reference: tuple[Path, Mapping[str, str]] | None = None,
    processes: Processes | None = None,
) -> Results | None:
    """Reconstruct every photograph of a list, make the hybrid of every pair, and measure all.

    Args:
        measuring: the model and what measures it.
        folder: of the photographs.
        pairs: their names, and the pairs.
        output: folder whose subfolder cache keeps what was measured so far.
        model_name: of the model, for people.
        reference: folder, and names with digests, of photographs to compare sets with, such as those trained on; those
            that are evaluated are left out.
        processes: this one among those that share the work; alone if not given.

    Returns:
        None in other processes than the main one.

    Raises:
        UserError: too few photographs, one that cannot be read, or a result that cannot be written.
    """
    processes = processes or Processes()
    digests, items = pairs.photographs, list_items(folder, pairs, reference)
    store = Store(output / "cache", measuring.digest)
    for label, some in items._asdict().items():
        work(measuring, store, some, label, processes)
    processes.wait()
    if not processes.main:
        return None

    of_photographs, of_reconstructions, of_hybrids, of_references = (collect(store, some) for some in items)
    figures, errors = means(of_reconstructions)
    more, more_errors = means(of_hybrids)
    whole = dict(zip(digests, stack(of_photographs), strict=True))
    gave_structure = dict.fromkeys(first for first, _ in pairs.pairs)
    numbers = {name: number for number, name in enumerate(digests)}
    figures |= local_distances(
        of_photographs, of_reconstructions, of_hybrids, [numbers[second] for _, second in pairs.pairs]
    )
    figures |= more | set_distances(
        stack(of_photographs),
        stack(of_reconstructions),
        stack(of_hybrids),
        torch.stack([whole[name] for name in gave_structure]),
        stack(of_references) if of_references else None,
    )
    figures |= runtimes(measuring, items.photographs[0].paths[0])
    return Results(
        about=describe(measuring, pairs, folder, model_name, len(items.reference), processes.count),
        figures=figures,
        errors=errors | more_errors,
        names=figure_names(measuring.networks, bool(items.reference)),
        reconstructions=dict(zip(digests, (one.figures for one in of_reconstructions), strict=True)),
        hybrids=dict(zip(pairs.pairs, (one.figures for one in of_hybrids), strict=True)),
        notes=notes(measuring, pairs, folder, of_photographs[0].features.numel()),
    )


class Items(NamedTuple):
    """All that is measured, by the names that bars of progress show."""

    photographs: list[Item]
    reconstructions: list[Item]
    hybrids: list[Item]
    reference: list[Item]


def list_items(folder: Path, pairs: Pairs, reference: tuple[Path, Mapping[str, str]] | None) -> Items:
    """What an evaluation measures; arguments and errors as of `evaluate`."""
    digests = pairs.photographs
    check_enough(len(digests), repr(str(folder)))
    photographs = [Item("photograph", (folder / name,), (digests[name],)) for name in digests]
    reconstructions = [item._replace(kind="reconstruction") for item in photographs]
    hybrids = [
        Item("hybrid", (folder / first, folder / second), (digests[first], digests[second]))
        for first, second in pairs.pairs
    ]
    references: list[Item] = []
    if reference is not None:
        evaluated = set(digests.values())
        references = [
            Item("photograph", (reference[0] / name,), (digest,))
            for name, digest in reference[1].items()
            if digest not in evaluated
        ]
        check_enough(len(references), f"{str(reference[0])!r} without the photographs that are evaluated")
    return Items(photographs, reconstructions, hybrids, references)


def work(measuring: Measuring, store: Store, items: Sequence[Item], label: str, processes: Processes) -> None:
    """Measure this process's share of the items, but for those that were measured before."""
    mine = items[processes.rank :: processes.count]
    for item in tqdm(mine, desc=label, unit="picture", disable=not processes.main or not mine):
        if store.read(item) is None:
            store.write(item, measuring.measure(item))


def collect(store: Store, items: Sequence[Item]) -> list[Measured]:
    """What all processes measured."""
    measured = [store.read(item) for item in items]
    if any(one is None for one in measured):
        raise UserError(
            f"results are missing in {str(store.folder)!r}: all processes must see the same output folder; the same "
            "command measures what is missing"
        )
    return [one for one in measured if one is not None]


def describe(
    measuring: Measuring, pairs: Pairs, folder: Path, model_name: str, references: int, processes: int
) -> dict[str, Any]:
    """What the figures are of."""
    networks = measuring.networks
    about = {
        "model": model_name,
        "model's weights, SHA-256": measuring.model_digest[:16],
        "photographs": f"{len(pairs.photographs)}, folder {folder.resolve().name}",
        "pairs": f"{len(pairs.pairs)}, seed {pairs.seed}",
        "pairs' digest": pairs.digest[:16],
        "pixels a side": measuring.size,
        "structure and texture by": BACKBONES[networks.main].name,
        "sets by": networks.sets.name,
    }
    if references:
        about["reference"] = f"{references} photographs"
    shared = f", {processes} processes" if processes > 1 else ""
    return about | {"machine": machine(measuring.device) + shared, "swapae": release()}


def notes(measuring: Measuring, pairs: Pairs, folder: Path, channels: int) -> list[str]:
    """What a reader of the table has to know."""
    sentences = []
    sizes = [header(folder / name, max_pixels=measuring.max_pixels).size for name in pairs.photographs]
    if cut := sum(width != height for width, height in sizes):
        sentences.append(
            f"{cut} of {len(sizes)} photographs are not square: the short side of all was brought to the model's "
            "size, and their centre square taken."
        )
    if len(sizes) <= channels:
        sentences.append(
            f"{len(sizes)} photographs are fewer than the {channels} features that sets are compared by: Frechet "
            "distances are then biased upwards, and comparable only for as many photographs and pairs."
        )
    return sentences
