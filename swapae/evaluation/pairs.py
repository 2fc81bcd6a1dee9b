"""Lists of pairs of photographs, structure and texture, by which people compare the same hybrids.

A list names photographs below a folder, each with the SHA-256 of its file, and has a digest of itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swapae.errors import UserError, first_line
from swapae.files import atomic_path
from swapae.pictures.listing import list_images

PAIRS_VERSION = 1
MAX_BYTES = 256 * 1024**2
REMEDY = "make a list anew with `swapae pairs make`, or give the folder that it was made of"


@dataclass(frozen=True)
class Pairs:
    """A list of pairs.

    Attributes:
        photographs: names below a folder, with "/", and the SHA-256 of each file, sorted by name: all that were drawn
            from, and those whose reconstructions are compared.
        pairs: (structure, texture), names of two different photographs.
        seed: that they were drawn with.
    """

    photographs: Mapping[str, str]
    pairs: Sequence[tuple[str, str]]
    seed: int

    @property
    def digest(self) -> str:
        """SHA-256 of names, files and pairs: equal where the same pairs are compared."""
        content = [sorted(self.photographs.items()), [list(pair) for pair in self.pairs]]
        return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode()).hexdigest()

    @classmethod
    def draw(cls, photographs: Mapping[str, str], count: int, seed: int) -> Pairs:
        """Different random pairs of different photographs, as many as there are if that is fewer than `count`.

        The same on every machine: by the names, the count and the seed alone.

        Raises:
            UserError: fewer than two photographs.
        """
        names = sorted(photographs, key=lambda name: name.split("/"))
        if len(names) < 2:
            raise UserError(f"pairs take at least 2 photographs, there is {len(names)}: give more")
        draws = random.Random(seed)
        pairs: dict[tuple[str, str], None] = {}
        while len(pairs) < min(count, len(names) * (len(names) - 1)):
            first, second = draws.sample(range(len(names)), 2)
            pairs[names[first], names[second]] = None
        return cls({name: photographs[name] for name in names}, list(pairs), seed)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON file; UserError if that fails."""
        values = {
            "version": PAIRS_VERSION,
            "seed": self.seed,
            "digest": self.digest,
            "photographs": dict(self.photographs),
            "pairs": self.pairs,
        }
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(values, indent=0, ensure_ascii=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Pairs:
        """Read what `save` wrote.

        Raises:
            UserError: no such file, no list of pairs, or one that was changed since.
        """
        name = repr(os.fspath(path))
        try:
            with open(path, "rb") as file:
                values = json.loads(file.read(MAX_BYTES))
        except OSError as error:
            raise UserError(f"{name} cannot be read ({error.strerror}): give a file of `swapae pairs make`") from error
        except (ValueError, RecursionError) as error:
            raise UserError(f"{name} is no JSON ({first_line(error)}): give a file of `swapae pairs make`") from error
        pairs = cls._from_dict(values)
        if pairs is None:
            raise UserError(
                f"{name} is no list of pairs of version {PAIRS_VERSION}: give a file of `swapae pairs make`"
            )
        if values["digest"] != pairs.digest:
            raise UserError(f"{name} was changed after it was made, its digest does not fit its pairs; {REMEDY}")
        return pairs

    @classmethod
    def _from_dict(cls, values: Any) -> Pairs | None:
        """Of parsed JSON; None if it has another form."""
        if not isinstance(values, dict) or values.get("version") != PAIRS_VERSION:
            return None
        photographs, pairs, seed = (values.get(key) for key in ("photographs", "pairs", "seed"))
        if not isinstance(photographs, dict) or not isinstance(pairs, list) or not isinstance(seed, int) or not pairs:
            return None
        if not all(isinstance(digest, str) for digest in photographs.values()):
            return None
        for pair in pairs:
            if not isinstance(pair, list) or len(pair) != 2 or pair[0] == pair[1]:
                return None
            if not all(isinstance(name, str) and name in photographs for name in pair):
                return None
        return cls(photographs, [(first, second) for first, second in pairs], seed)

    def check_files(self, folder: str | os.PathLike[str], label: str) -> None:
        """Raise UserError unless every photograph is below `folder` with its content; `label` names the list."""
        there = {name_below(folder, path): path for path in list_images(folder)}
        for name, digest in self.photographs.items():
            if name not in there:
                raise UserError(f"{label} does not fit {os.fspath(folder)!r}: there is no {name!r}; {REMEDY}")
            if file_digest(there[name]) != digest:
                raise UserError(f"{label} does not fit {os.fspath(folder)!r}: {name!r} is another file; {REMEDY}")


def listed_photographs(folder: str | os.PathLike[str], names: str | os.PathLike[str] | None = None) -> dict[str, str]:
    """Names below a folder and SHA-256 of its photographs, all or those that a text file names, one a line.

    Raises:
        UserError: the folder has no pictures, the file cannot be read or is empty, or it names one that is not there.
    """
    there = {name_below(folder, path): path for path in list_images(folder)}
    if names is not None:
        try:
            lines = Path(names).read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
        except OSError as error:
            raise UserError(
                f"{os.fspath(names)!r} cannot be read ({error.strerror}): give a text file of names"
            ) from error
        wanted = dict.fromkeys(line.strip() for line in lines if line.strip())
        missing = [name for name in wanted if name not in there]
        if missing or not wanted:
            what = f"names {missing[0]!r}, which is not in {os.fspath(folder)!r}" if missing else "names no picture"
            raise UserError(f"{os.fspath(names)!r} {what}: one name a line, below that folder")
        there = {name: there[name] for name in wanted}
    return {name: file_digest(path) for name, path in there.items()}


def name_below(folder: str | os.PathLike[str], path: Path) -> str:
    """A file's name below a folder, with "/" on every system."""
    return path.relative_to(folder).as_posix()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"{str(path)!r} cannot be read ({error.strerror})") from error
