"""The pictures of a study: folders read and described, and those of a trial as PNGs that only their content tells."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from swapae.errors import UserError
from swapae.evaluation.pairs import file_digest, name_below
from swapae.evaluation.study.trials import OWN_NAMES, PHOTOGRAPH, SAME, SHUFFLED, UNRELATED, Trial
from swapae.pictures.images import load_image, resize_short
from swapae.pictures.listing import list_images

STRUCTURE, TEXTURE = "structure", "texture"
RESERVED = (*OWN_NAMES, STRUCTURE, TEXTURE)
# The shuffled photograph of a practice or an attention check has so many blocks to a side.
BLOCKS = 8


@dataclass(frozen=True)
class Pictures:
    """Folders of as many pictures each; those at the same place in the sorted lists belong together.

    Attributes:
        folders: by `PHOTOGRAPH`, the methods' names, and perhaps `STRUCTURE` and `TEXTURE`.
        files: of each folder, sorted by name.
        size: pixels of a side of the squares that are shown.
    """

    folders: Mapping[str, Path]
    files: Mapping[str, list[Path]]
    size: int

    @classmethod
    def find(cls, folders: Mapping[str, Path], size: int) -> Pictures:
        """List the folders.

        Raises:
            UserError: one is missing or has no pictures, or they have different numbers of them.
        """
        files = {name: list_images(folder) for name, folder in folders.items()}
        if len({len(paths) for paths in files.values()}) > 1:
            counts = ", ".join(f"{option(name)} {len(paths)}" for name, paths in files.items())
            raise UserError(f"the folders have different numbers of pictures ({counts}): give as many of each")
        return cls(folders, files, size)

    def describe(self) -> dict[str, list[list[str]]]:
        """Names below each folder and SHA-256 of all files, after every one was decoded.

        Raises:
            UserError: one cannot be read, or pictures that belong together are one and the same file.
        """
        described: dict[str, list[list[str]]] = {name: [] for name in self.files}
        with tqdm(total=sum(map(len, self.files.values())), desc="pictures", leave=False) as bar:
            for name, paths in self.files.items():
                for path in paths:
                    load_image(path)
                    described[name].append([name_below(self.folders[name], path), file_digest(path)])
                    bar.update()
        for name, other in self.to_differ():
            for (first, digest), (second, second_digest) in zip(described[name], described[other], strict=True):
                if digest == second_digest:
                    raise UserError(
                        f"{first!r} of {option(name)} and {second!r} of {option(other)} are the same picture: nobody "
                        "could tell them apart"
                    )
        return described

    def to_differ(self) -> list[tuple[str, str]]:
        """Folders whose pictures are compared and have a right answer."""
        pairs = [(PHOTOGRAPH, name) for name in self.folders if name not in RESERVED]
        return pairs + ([(STRUCTURE, TEXTURE)] if STRUCTURE in self.folders else [])

    def of(self, trial: Trial) -> list[str]:
        """The pictures of a trial in the order shown, and last the reference if it has one: PNGs in base 64.

        All are squares of the same size in the same format without metadata, whatever the files are.

        Raises:
            UserError: a file has gone since the start, or is no picture any more.
        """
        pictures = [self.picture(trial, name) for name in trial.shown]
        if trial.kind != "real":
            pictures.append(self.picture(trial, SAME))
        return [encoded(picture) for picture in pictures]

    def picture(self, trial: Trial, name: str) -> np.ndarray:
        """One picture of a trial by its name there, uint8 [N, N, 3]."""
        if name == SHUFFLED:
            return shuffled(self.square(PHOTOGRAPH, trial.item), trial.item)
        reference, unrelated = (TEXTURE, STRUCTURE) if trial.kind == "style" else (STRUCTURE, TEXTURE)
        return self.square({SAME: reference, UNRELATED: unrelated}.get(name, name), trial.item)

    def square(self, folder: str, item: int) -> np.ndarray:
        """The centre square of a picture, its side brought to the size by Lanczos, uint8 [N, N, 3]."""
        picture = resize_short(load_image(self.files[folder][item]), self.size)
        left, top = ((side - self.size) // 2 for side in picture.size)
        return np.asarray(picture)[top : top + self.size, left : left + self.size]


def shuffled(picture: np.ndarray, seed: int) -> np.ndarray:
    """A fake that nobody takes for a photograph: blocks in another order, every other one inverted, and noise.

    Args:
        picture: uint8 [N, N, 3].
        seed: the same one gives the same picture.
    """
    draws = np.random.default_rng(seed)
    side = picture.shape[0] // BLOCKS
    places = [(row * side, column * side) for row in range(BLOCKS) for column in range(BLOCKS)]
    made = picture.copy()
    for number, (place, source) in enumerate(zip(places, draws.permutation(places), strict=True)):
        block = picture[source[0] : source[0] + side, source[1] : source[1] + side]
        made[place[0] : place[0] + side, place[1] : place[1] + side] = 255 - block if number % 2 else block
    noise = draws.normal(0, 40, picture.shape)
    return np.clip(made + noise, 0, 255).astype(np.uint8)


def encoded(picture: np.ndarray) -> str:
    """A PNG in base 64."""
    stream = io.BytesIO()
    load_image(np.ascontiguousarray(picture)).save(stream, "PNG", compress_level=1)
    return base64.b64encode(stream.getvalue()).decode()


def option(name: str) -> str:
    """What a folder is called on the command line."""
    return {PHOTOGRAPH: "--real", STRUCTURE: "--structure", TEXTURE: "--texture"}.get(name, f"--hybrids {name}")
