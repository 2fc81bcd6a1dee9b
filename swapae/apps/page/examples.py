"""The photographs that come with the package, and whom they are by."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Example:
    """A photograph that the embedded model was not trained on."""

    path: Path
    author: str
    url: str
    licence: str

    @property
    def subject(self) -> str:
        """The flower's name, from the first word of the file's: "roses_1.jpg" shows a rose."""
        return self.path.name.split("_")[0].removesuffix("s")


def examples() -> list[Example]:
    """All examples in the order of attribution.csv."""
    with open(FOLDER / "attribution.csv", encoding="utf-8", newline="") as file:
        return [
            Example(FOLDER / row["file"], row["author"], row["url"], row["licence"]) for row in csv.DictReader(file)
        ]


@functools.cache
def numbers() -> dict[str, int]:
    """The examples' numbers by their paths."""
    return {str(example.path): number for number, example in enumerate(examples())}


def example_number(path: str) -> int | None:
    """Which example a path is of; None if it is of none."""
    return numbers().get(path)


# Structure and texture as indices into `examples()`; the page opens with the first. All were chosen for their results.
PAIRS = ((0, 1), (7, 3), (6, 2), (5, 6), (0, 4), (3, 7))
