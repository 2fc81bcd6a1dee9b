"""Small pictures as data: addresses, which the page holds itself: no request, no file to delete."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image

from swapae.pictures.saving import metadata_options
from swapae.pictures.transparency import over_white

THUMBNAIL = 56
SLOT_SIDE = 384


def address(jpeg: bytes) -> str:
    """The address of a JPEG's bytes."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def file_address(path: Path) -> str:
    """The address of a JPEG file."""
    return address(path.read_bytes())


def jpeg_address(image: Image.Image, quality: int) -> str:
    """The address of a picture, as a JPEG of this quality, over white where it is transparent."""
    stream = io.BytesIO()
    over_white(image).save(stream, "JPEG", quality=quality)
    return address(stream.getvalue())


def png_address(image: Image.Image) -> str:
    """The address of a picture as PNG, with the texts it carries."""
    stream = io.BytesIO()
    image.save(stream, "PNG", **metadata_options("PNG", texts_of(image)))
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def texts_of(image: Image.Image) -> dict[str, str]:
    """The texts that a picture carries."""
    return {str(name): text for name, text in image.info.items() if isinstance(text, str)}


def thumbnail(image: Image.Image) -> str:
    """The address of a small square of a picture's middle."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return jpeg_address(image.resize((THUMBNAIL, THUMBNAIL), box=(left, top, left + side, top + side)), 80)


def miniature(image: Image.Image) -> str:
    """The address of a small picture, whole."""
    small = image.copy()
    small.thumbnail((3 * THUMBNAIL, THUMBNAIL))
    return jpeg_address(small, 80)


def canvas_photo(image: Image.Image, grid: tuple[int, int], stride: int) -> dict[str, Any]:
    """A photograph for the canvases of the page.

    Args:
        image: as the model sees it, without padding.
        grid: (rows, columns) of its structure.
        stride: pixels to a cell.

    Returns:
        Its address, and the shares of the padded width and height that it fills.
    """
    share = [image.width / (grid[1] * stride), image.height / (grid[0] * stride)]
    return {"photo": jpeg_address(image, 88), "share": share}


def slot_picture(image: Image.Image) -> str:
    """The address of a picture for a photograph's slot."""
    small = image.copy()
    small.thumbnail((SLOT_SIDE, SLOT_SIDE))
    return jpeg_address(small, 88)
