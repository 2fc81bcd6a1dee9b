"""The photographs that come with the package, and whom they are by."""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from swapae.hub.folders import EMBEDDED

FOLDER = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Example:
    """A photograph of what an embedded model knows, on which it was not trained.

    Attributes:
        subject: what it shows, in a word.
    """

    path: Path
    subject: str
    author: str
    url: str
    licence: str

    @property
    def model(self) -> str:
        """The embedded model's name, as that of the folder."""
        return self.path.parent.name


@functools.cache
def examples() -> tuple[Example, ...]:
    """All examples in the order of attribution.csv."""
    with open(FOLDER / "attribution.csv", encoding="utf-8", newline="") as file:
        return tuple(Example(FOLDER / row.pop("file"), **row) for row in csv.DictReader(file))


@functools.cache
def numbers() -> dict[str, int]:
    """The examples' numbers by their paths."""
    return {str(example.path): number for number, example in enumerate(examples())}


def example_at(path: str) -> Example | None:
    """The example of a path, if it is of one."""
    number = numbers().get(path)
    return None if number is None else examples()[number]


def copy_of_example(path: str) -> bool:
    """Whether a file has an example's name, as the copies have that Gradio makes."""
    return Path(path).name in {Path(one).name for one in numbers()}


@dataclass(frozen=True)
class Showcase:
    """The examples that an embedded model is shown with, as indices into `examples()`, chosen for their results.

    Args:
        knows: what the model knows, in words.
        pairs: of structure and texture; the first is what a page opens with.
        more: the third and the fourth photograph, for the tabs that take them.
        kinds: photographs of two kinds, for the direction from the one to the other.
    """

    knows: str
    pairs: tuple[tuple[int, int], ...]
    more: tuple[int, int]
    kinds: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def opening(self) -> tuple[str, ...]:
        """Paths of the photographs in the order of the page's slots."""
        return paths_of((*self.pairs[0], *self.more))


SHOWCASES = {
    "flowers": Showcase(
        "flowers",
        pairs=((0, 1), (7, 3), (6, 2), (5, 6), (0, 4), (3, 7)),
        more=(3, 4),
        kinds=((6, 7), (4, 5)),  # tulips, sunflowers
    ),
    "facades": Showcase(
        "building fronts",
        pairs=((10, 8), (8, 11), (9, 8), (11, 13), (13, 12), (12, 10)),
        more=(12, 13),
        kinds=((10, 11), (8, 12)),  # greenish ones, reddish ones
    ),
}


def examples_of(shown: Showcase) -> list[Example]:
    """Those that a model is shown with, in the order of `examples()`."""
    first = examples()[shown.pairs[0][0]]
    return [example for example in examples() if example.model == first.model]


def paths_of(indices: Iterable[int]) -> tuple[str, ...]:
    """Of examples."""
    return tuple(str(examples()[index].path) for index in indices)


def showcase(model: str | None) -> Showcase:
    """Of the embedded model of this name; for models of one's own, that of flowers."""
    return SHOWCASES[model if model in SHOWCASES else EMBEDDED.name]
