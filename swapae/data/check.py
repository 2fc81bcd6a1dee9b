"""`swapae data check`: what is wrong with a set of training pictures, and a clean copy of it at one size."""

from __future__ import annotations

import hashlib
import os
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from swapae.data.picture_files import FolderSource, Source
from swapae.errors import PictureError, UserError
from swapae.pictures.images import Picture, header, load_image, resize_short
from swapae.pictures.inspection import Facts, inspect
from swapae.pictures.listing import other_kinds
from swapae.pictures.saving import save_image

# Bits of 64 that two pictures' difference hashes may differ in and still count as the same photograph.
NEAR_BITS = 3
# Within pictures that agree in three of five bands, how many neighbours in order each is compared with: where
# thousands agree, as do plain skies, to compare all with all would take for ever.
NEIGHBOURS = 64
# A clean copy up to this size is PNG: JPEG's blocks would be a visible part of such small pictures.
LARGEST_PNG = 128
SIZE_STEPS = (64, 128, 256, 512, 1024)
BATCH = 8


@dataclass
class Report:
    """What `check` found; pictures are named by their path below the folder, or by their key.

    `unreadable` and `odd` hold (name, reason), `tiny` (name, WxH); `duplicates` and `near_duplicates` are
    groups of two or more names, the first of which a clean copy keeps. `kept` are the numbers of the pictures
    that a clean copy holds: all but the unreadable, the tiny and the repeated. `other_files` of a folder are those
    that are no pictures by their names, counted by suffix.
    """

    pictures: int
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    tiny: list[tuple[str, str]] = field(default_factory=list)
    grey: list[str] = field(default_factory=list)
    odd: list[tuple[str, str]] = field(default_factory=list)
    duplicates: list[list[str]] = field(default_factory=list)
    near_duplicates: list[list[str]] = field(default_factory=list)
    short_sides: dict[str, int] = field(default_factory=dict)
    kept: list[int] = field(default_factory=list)
    other_files: dict[str, int] = field(default_factory=dict)


class _Examination(Dataset[Facts | str]):
    """The facts of each picture of a source, or why it cannot be read."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Facts | str:
        try:
            return inspect(self.source.read(index))
        except PictureError as error:
            return str(error)


class _Copying(Dataset[str]):
    """Writes a picture of a source resized, unless it is there; gives why not, or nothing."""

    def __init__(self, source: Source, targets: list[tuple[int, str]], size: int) -> None:
        self.source, self.targets, self.size = source, targets, size

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, place: int) -> str:
        index, target = self.targets[place]
        try:
            picture = self.source.read(index)
            if _is_done(target, self.size, picture):
                return ""
            os.makedirs(os.path.dirname(target), exist_ok=True)
            save_image(resize_short(load_image(picture), self.size), target)
        except PictureError as error:
            return str(error)
        except OSError as error:
            raise UserError(f"cannot write {target!r}: {error.strerror or error}") from error
        return ""


def check(source: Source, min_size: int, workers: int) -> Report:
    """Read every picture of a source in `workers` processes; a short side under `min_size` counts as tiny."""
    count = len(source)
    report = Report(count, other_files=other_kinds(source.label) if isinstance(source, FolderSource) else {})
    digests = np.zeros((count, 2), np.uint64)
    likenesses = np.zeros(count, np.uint64)
    readable, told = np.zeros(count, bool), np.zeros(count, bool)
    short_sides = np.zeros(count, np.int32)
    for index, facts in enumerate(_run(_Examination(source), workers, "check")):
        if isinstance(facts, str):
            report.unreadable.append((source.name(index), facts))
            continue
        readable[index] = True
        short_sides[index] = min(facts.size)
        digests[index] = np.frombuffer(facts.digest, np.uint64)
        if facts.likeness is not None:
            told[index], likenesses[index] = True, facts.likeness
        if facts.grey:
            report.grey.append(source.name(index))
        if facts.odd:
            report.odd.append((source.name(index), ", ".join(facts.odd)))
        if min(facts.size) < min_size:
            report.tiny.append((source.name(index), "{}x{}".format(*facts.size)))
    first = _first_of_equal(digests, readable)
    repeated = np.flatnonzero(readable & (first != np.arange(count)))
    report.duplicates = _groups(source, [(int(first[index]), int(index)) for index in repeated])
    unique = np.flatnonzero(told & (first == np.arange(count)))
    pairs = near_pairs(likenesses[unique])
    report.near_duplicates = _groups(source, [(int(unique[a]), int(unique[b])) for a, b in pairs])
    report.kept = np.flatnonzero(readable & (short_sides >= min_size) & (first == np.arange(count))).tolist()
    report.short_sides = _histogram(short_sides[readable])
    return report


def write_clean(source: Source, kept: list[int], folder: Path, size: int, workers: int) -> list[Path]:
    """Write the pictures `kept` of a source, short side at `size`, and return their files in `folder`.

    Each file appears whole or not at all, and those that are there already, and newer than what they were made of, are
    kept, so that the same call goes on where another was stopped.

    Raises:
        UserError: `folder` is in the source, or the file system refuses.
    """
    check_clean_folder(source, folder)
    suffix = ".png" if size <= LARGEST_PNG else ".jpg"
    targets = list(_targets(source, kept, folder, suffix))
    reasons = _run(_Copying(source, targets, size), workers, "write")
    return [Path(target) for (_, target), reason in zip(targets, reasons, strict=True) if not reason]


def check_clean_folder(source: Source, folder: Path) -> None:
    """Create the folder for a clean copy.

    Raises:
        UserError: it is the source's or in it, or it cannot be created.
    """
    origin, copy = Path(source.label).resolve(), folder.resolve()
    if copy == origin or origin in copy.parents:
        raise UserError(f"the clean copy {str(folder)!r} would lie in the folder it is made from: give another")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot create the folder {str(folder)!r}: {error.strerror or error}") from error


def near_pairs(hashes: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of places in `hashes`, uint64 [N], that differ in at most `NEAR_BITS` bits; enough to group them.

    Three differing bits leave at least two of five bands of bits untouched, so equal hashes of some two bands
    hold every pair. Each choice of two bands is sorted, and only neighbours in order are compared.
    """
    values, firsts, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    found = {(int(firsts[value]), place) for place, value in enumerate(inverse) if firsts[value] != place}
    edges = (0, 13, 26, 39, 52, 64)
    bands = [np.uint64((1 << end) - (1 << start)) for start, end in zip(edges, edges[1:], strict=False)]
    for i in range(5):
        for j in range(i):
            keys = values & (bands[i] | bands[j])
            order = np.lexsort((values, keys))
            for step in range(1, min(NEIGHBOURS, len(order) - 1) + 1):
                a, b = order[:-step], order[step:]
                same = keys[a] == keys[b]
                if not same.any():
                    break
                a, b = a[same], b[same]
                differing = (values[a] ^ values[b]).view(np.uint8).reshape(-1, 8)
                near = np.unpackbits(differing, axis=1).sum(axis=1) <= NEAR_BITS
                found.update(zip(firsts[a[near]].tolist(), firsts[b[near]].tolist(), strict=True))
    return sorted((min(pair), max(pair)) for pair in found)


def describe(report: Report, examples: int = 10) -> str:
    """The report in lines, with up to `examples` names of each kind."""
    lines = [f"{report.pictures} pictures, {len(report.kept)} of them readable, large enough and not repeated"]

    def section(title: str, entries: list[str]) -> None:
        lines.append(f"{title}: {len(entries)}")
        lines.extend(f"  {entry}" for entry in entries[:examples])
        if len(entries) > examples:
            lines.append(f"  and {len(entries) - examples} more")

    section("unreadable", [reason for _, reason in report.unreadable])
    if report.other_files:
        kinds = [f"{suffix or 'without a suffix'} {count}" for suffix, count in report.other_files.items()]
        more = f" and {len(kinds) - examples} more kinds" if len(kinds) > examples else ""
        lines.append(
            f"other files, not read since they are no pictures by their names: {', '.join(kinds[:examples])}{more}"
        )
    section("tiny", [f"{name!r} {size}" for name, size in report.tiny])
    section("grey", [repr(name) for name in report.grey])
    section("exact duplicates, groups", [" = ".join(map(repr, group)) for group in report.duplicates])
    section("near duplicates, groups", [" ~ ".join(map(repr, group)) for group in report.near_duplicates])
    section("odd mode or profile", [f"{name!r} {reason}" for name, reason in report.odd])
    lines.append("short side: " + ", ".join(f"{label} px {count}" for label, count in report.short_sides.items()))
    return "\n".join(lines)


def _run(work: Dataset[Any], workers: int, title: str) -> Iterator[Any]:
    """Do `work` in processes, with a progress bar, in order."""
    loader = DataLoader(work, BATCH, num_workers=workers, collate_fn=list)
    with tqdm(total=len(work), desc=title, unit="picture") as progress:  # type: ignore[arg-type]  # has a length
        for batch in loader:
            yield from batch
            progress.update(len(batch))


def _first_of_equal(digests: np.ndarray, readable: np.ndarray) -> np.ndarray:
    """For each picture the number of the first with the same digest, its own if there is none before it."""
    first = np.arange(len(digests))
    numbers = np.flatnonzero(readable)
    if len(numbers):
        _, firsts, inverse = np.unique(digests[numbers], axis=0, return_index=True, return_inverse=True)
        first[numbers] = numbers[firsts[inverse.reshape(-1)]]
    return first


def _groups(source: Source, pairs: list[tuple[int, int]]) -> list[list[str]]:
    """Names of the pictures that pairs connect, each group and all groups in the order of the source."""
    leader: dict[int, int] = {}

    def find(index: int) -> int:
        while leader.setdefault(index, index) != index:
            leader[index] = index = leader[leader[index]]
        return index

    for a, b in pairs:
        low, high = sorted((find(a), find(b)))
        leader[high] = low
    groups: dict[int, list[str]] = {}
    for index in sorted(leader):
        groups.setdefault(find(index), []).append(source.name(index))
    return list(groups.values())


def _histogram(short_sides: np.ndarray) -> dict[str, int]:
    """How many short sides lie between the steps of `SIZE_STEPS`; empty intervals are left out."""
    edges = [0, *SIZE_STEPS]
    labels = [f"{low}-{high - 1}" for low, high in zip(edges, edges[1:], strict=False)] + [f"{edges[-1]}+"]
    counts = np.bincount(np.searchsorted(SIZE_STEPS, short_sides, side="right"), minlength=len(labels))
    return {label: int(count) for label, count in zip(labels, counts, strict=True) if count}


def _targets(source: Source, kept: list[int], folder: Path, suffix: str) -> Iterator[tuple[int, str]]:
    """The pictures with the files to write: the same names with another suffix, numbered where they collide."""
    taken: set[bytes] = set()
    for index in kept:
        name = source.name(index)
        if isinstance(source, FolderSource):
            stem = os.path.splitext(name)[0]
        else:  # a key may hold anything
            stem = urllib.parse.quote(name, safe="")
            stem = stem if len(stem) <= 200 else hashlib.sha256(name.encode()).hexdigest()
        unique, number = stem, 1
        while (key := os.fsencode(unique.casefold())) in taken:
            number += 1
            unique = f"{stem}_{number}"
        taken.add(key)
        yield index, os.path.join(folder, unique + suffix)


def _is_done(target: str, size: int, picture: Picture) -> bool:
    """Whether `target` is there with a short side of `size`, as an earlier call wrote it, and of no older picture."""
    try:
        if not os.path.exists(target) or min(header(target).size) != size:
            return False
        return not isinstance(picture, str) or os.path.getmtime(picture) <= os.path.getmtime(target)
    except (PictureError, OSError):
        return False
