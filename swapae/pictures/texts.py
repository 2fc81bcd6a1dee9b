"""Texts that a picture's file carries, such as how it was made: read back as `saving` wrote them."""

from __future__ import annotations

import os

from PIL import ExifTags, Image


def is_picture(path: str | os.PathLike[str]) -> bool:
    """Whether Pillow knows the file's format, by its first bytes."""
    try:
        with Image.open(path):
            return True
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False


def text_of(path: str | os.PathLike[str], key: str) -> str | None:
    """The text of a name in a picture's metadata, as `saving.metadata_options` puts it there; None if there is none.

    Pixels are not decoded.

    Raises:
        OSError: the file cannot be read, or is no picture.
    """
    with Image.open(path) as image:
        found = image.info.get(key)
        if isinstance(found, str):
            return found
        description = image.getexif().get(ExifTags.Base.ImageDescription)
        comment = image.info.get("comment")
        lines = [*lines_of(description), *lines_of(comment)]
    start = f"{key}: "
    return next((line[len(start) :] for line in lines if line.startswith(start)), None)


def lines_of(text: object) -> list[str]:
    """Lines of a text, or of the bytes of one; none of anything else."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    return text.splitlines() if isinstance(text, str) else []
