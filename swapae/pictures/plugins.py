"""Formats that Pillow reads by a plugin: HEIF, as phones write it, and JPEG XL.

A plugin is imported when the first such file comes. That of HEIF is not registered with Pillow, whose other users
may have their own settings; that of JPEG XL registers itself.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import BinaryIO

from PIL import Image

from swapae.errors import PictureError

# ISO/IEC 14496-12, 23008-12: a file begins with a box "ftyp" of its size, its brand, a version, and the brands of other
# kinds that it is as well. HEIF and AVIF are told apart by these, since both may begin with mif1 or msf1.
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1", b"miaf"),
    b"heif",
}
# ISO/IEC 18181: a bare codestream, or one in boxes.
_JXL_CODESTREAM, _JXL_BOXES = b"\xff\x0a", b"\x00\x00\x00\x0cJXL \x0d\x0a\x87\x0a"
_JXL_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_JXL_HEADER = 16  # bytes that hold the size
PREFIX = 256  # bytes that `plugin_for` looks at

Opener = Callable[[BinaryIO], Image.Image]


def plugin_for(prefix: bytes, name: str) -> tuple[str, Opener] | None:
    """The name of a plugin's format and what opens it, by a file's first bytes; None for all other formats.

    Raises:
        PictureError: the plugin is not installed.
    """
    if _is_heif(prefix):
        return "HEIF", _heif(name)
    if prefix.startswith((_JXL_CODESTREAM, _JXL_BOXES)):
        return "JXL", _jxl(name)
    return None


def _is_heif(prefix: bytes) -> bool:
    if prefix[4:8] != b"ftyp":
        return False
    length = min(int.from_bytes(prefix[:4], "big"), len(prefix))
    brands = {prefix[8:12], *(prefix[start : start + 4] for start in range(16, length - 3, 4))}
    return bool(brands & _HEIF_BRANDS) and not brands & _AVIF_BRANDS


def _heif(name: str) -> Opener:
    # From 1.5 on its libheif does not decode more pixels than the header says, which is what our limits look at.
    try:
        plugin = importlib.import_module("pillow_heif")
    except ImportError:
        raise PictureError(
            f"{name} is HEIF, for which Pillow needs a plugin: pip install pillow-heif, or convert it to PNG or JPEG"
        ) from None
    return plugin.HeifImageFile


def _jxl(name: str) -> Opener:
    if "JXL" not in Image.OPEN:
        try:
            importlib.import_module("pillow_jxl")
        except ImportError:
            raise PictureError(
                f"{name} is JPEG XL, for which Pillow needs a plugin: pip install pillow-jxl-plugin, or convert it to "
                "PNG or JPEG"
            ) from None
    factory = Image.OPEN["JXL"][0]
    return lambda stream: factory(stream, "")


def jxl_size(stream: BinaryIO) -> tuple[int, int]:
    """The (width, height) that a JPEG XL file claims, before any turn.

    Raises:
        ValueError: it has none.
    """
    stream.seek(0)
    if stream.read(2) == _JXL_CODESTREAM:
        return _size_header(stream.read(_JXL_HEADER))
    place = len(_JXL_BOXES)
    while True:
        stream.seek(place)
        head = stream.read(16)
        size, kind, start = int.from_bytes(head[:4], "big"), head[4:8], 8
        if size == 1:  # it is in the next eight bytes
            size, start = int.from_bytes(head[8:16], "big"), 16
        if kind in (b"jxlc", b"jxlp"):
            stream.seek(place + start + (4 if kind == b"jxlp" else 0))  # a part has its number first
            return _size_header(stream.read(_JXL_HEADER)[2:])
        if size < start or not head:  # 0 reaches to the end
            raise ValueError("no size")
        place += size


def _size_header(data: bytes) -> tuple[int, int]:
    """The SizeHeader that a codestream begins with, after its two bytes of signature: bits from the lowest on."""
    if len(data) < _JXL_HEADER - 2:
        raise ValueError("cut short")
    bits = int.from_bytes(data, "little")

    def take(count: int) -> int:
        nonlocal bits
        value = bits & ((1 << count) - 1)
        bits >>= count
        return value

    small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if small else take((9, 13, 18, 30)[take(2)]) + 1

    height = side()
    ratio = take(3)
    if ratio == 0:
        return side(), height
    across, down = _JXL_RATIOS[ratio]
    return height * across // down, height
