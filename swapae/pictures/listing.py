"""The pictures of a folder, by their suffixes."""

from __future__ import annotations

import os
from pathlib import Path

from swapae.errors import PictureError

# fmt: off
IMAGE_SUFFIXES = frozenset({
    ".apng", ".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jxl",
    ".mpo", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
})
# fmt: on


def list_images(folder: str | os.PathLike, *, recursive: bool = True) -> list[Path]:
    """List the pictures of a folder by their suffixes, sorted; names that begin with a dot are skipped.

    Raises:
        PictureError: The folder is missing, or holds no pictures.
    """
    return [Path(folder, name) for name in picture_names(folder, recursive=recursive)]


def other_kinds(folder: str | os.PathLike[str]) -> dict[str, int]:
    """How many files below a folder are no pictures by their suffixes: by suffix in lower case, most first.

    Names that begin with a dot are skipped, as in `list_images`.
    """
    counts: dict[str, int] = {}
    for place, folders, files in os.walk(os.fspath(folder)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            suffix = os.path.splitext(name)[1].lower()
            if not name.startswith(".") and suffix not in IMAGE_SUFFIXES and os.path.isfile(os.path.join(place, name)):
                counts[suffix] = counts.get(suffix, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def picture_names(folder: str | os.PathLike, *, recursive: bool = True) -> list[str]:
    """As `list_images`, as names below `folder`: for millions of them, which as `Path` take a gigabyte.

    Raises:
        PictureError: The folder is missing, or holds no pictures.
    """
    if not os.path.isdir(folder):
        raise PictureError(f"{os.fspath(folder)!r} is not a folder: give a folder of pictures")
    names: list[str] = []
    below = [""]
    while below:
        start = below.pop()
        try:
            entries = list(os.scandir(os.path.join(folder, start)))
        except PermissionError:
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            name = os.path.join(start, entry.name)
            if os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES and entry.is_file():
                names.append(name)
            elif recursive and entry.is_dir(follow_symlinks=False):
                below.append(name)
    if not names:
        known = " ".join(sorted(IMAGE_SUFFIXES))
        raise PictureError(f"there are no pictures in {os.fspath(folder)!r}: expected files ending in {known}")
    return sorted(names, key=lambda name: name.split(os.sep))
