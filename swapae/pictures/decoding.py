"""From a file, bytes or an unread Pillow image to a decoded, upright one, within limits."""

import io
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

from PIL import ExifTags, GifImagePlugin, Image

from swapae.errors import PictureError
from swapae.pictures.plugins import PREFIX, jxl_size, plugin_for

# The formats photographs come in. Left out: EPS and WMF, which run other programs; ICO and ICNS, which Pillow
# decodes while opening, before their true size can be checked; and those too rare or too loosely recognised.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM")
_KNOWN = ", ".join([*_FORMATS, "HEIC", "JPEG XL"])  # the last two by plugins


class _Quiet:
    """Pillow's warnings ignored as long as any thread is inside.

    `warnings.catch_warnings` swaps a list of the whole process: the first thread in does it, and the last one out
    swaps it back, so that threads can decode at the same time.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._caught = threading.Lock(), 0, warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                # Broken metadata warns, which a host may have turned into errors; only Pillow's modules are hushed.
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._caught.__exit__(None, None, None)


_QUIET = _Quiet()

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# From the transparent colour as a PNG states it to the levels of the pixels as Pillow widens or narrows them.
_KEY_SCALES = {"L;2": 85, "L;4": 17, "RGB;16B": 1 / 256}


class Header(NamedTuple):
    """What a picture says of itself before it is decoded.

    `raw_mode` is how its pixels are stored, which tells 16 bits where `mode` does not; `profile` is the
    embedded ICC profile.
    """

    size: tuple[int, int]  # (width, height), not yet turned upright
    mode: str
    raw_mode: str
    profile: bytes | None


def read_header(source: Any, name: str, max_pixels: int) -> Header:
    """Read what `decode` would know before it decodes, for some thousandths of the cost.

    Raises:
        PictureError: As of `decode`.
        Exception: Nearly any, of damaged data.
    """
    with unread(source, name, max_pixels) as image:
        profile = image.info.get("icc_profile")
        return Header(image.size, image.mode, _raw_mode(image), profile if isinstance(profile, bytes) else None)


def decode(source: Any, name: str, max_pixels: int, draft_to: int | None = None) -> Image.Image:
    """Decode a path, bytes, a binary file object or a Pillow image, and turn it upright by its EXIF data.

    Args:
        source: What to decode; a file object is read from its start, a Pillow image is copied.
        name: What to call the picture in a message.
        max_pixels: Larger pictures are refused before any of their pixels are decoded.
        draft_to: If given, a JPEG may be decoded at a half, a quarter or an eighth of its size, as long as
            both sides keep this many pixels; its unneeded frequencies are then never computed.

    Returns:
        The first frame in its own mode; a transparent colour in its info is in the levels of its pixels.

    Raises:
        PictureError: There is no such file, or it is no picture, too large or empty.
        Exception: Nearly any, of damaged data.
    """
    with unread(source, name, max_pixels) as image:
        raw_mode = _raw_mode(image)
        if draft_to is not None and image is not source and image.format in ("JPEG", "MPO"):
            image.draft(None, (draft_to, draft_to))  # None keeps the mode
        image.load()
        turn = _TURNS.get(_orientation(image))
        upright = image.copy() if turn is None else image.transpose(turn)
    key = upright.info.get("transparency")
    if raw_mode in _KEY_SCALES:
        scale = _KEY_SCALES[raw_mode]
        if isinstance(key, int):
            upright.info["transparency"] = int(key * scale)
        elif isinstance(key, tuple):
            upright.info["transparency"] = tuple(int(level * scale) for level in key)
    return upright


@contextmanager
def unread(source: Any, name: str, max_pixels: int) -> Iterator[Image.Image]:
    """A picture of which the header is read, and none of the pixels.

    Raises:
        PictureError, Exception: as of `decode`.
    """
    with _stream(source, name, max_pixels) as stream, _QUIET:
        image = stream if isinstance(stream, Image.Image) else _open(stream, name, max_pixels)
        check_size(image.size, name, max_pixels)
        yield image


def _raw_mode(image: Image.Image) -> str:
    """How the pixels of an image that is not yet decoded are stored; empty if its decoder does not say so."""
    if (bits := image.info.get("bit_depth", 8)) != 8:  # of HEIF
        return f"{image.mode};{bits}"
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else None
    raw_mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return raw_mode if isinstance(raw_mode, str) else ""


def check_size(size: tuple[int, ...], name: str, max_pixels: int) -> None:
    """Raise PictureError if `size`, (width, height), is empty or holds more than `max_pixels`."""
    width, height = size
    if width < 1 or height < 1:
        raise PictureError(f"{name} is empty, {width}x{height} pixels: give a picture with some pixels")
    if width * height > max_pixels:
        raise PictureError(f"{name} has {width}x{height} pixels, over the limit of {max_pixels}: make it smaller first")


@contextmanager
def _stream(source: Any, name: str, max_pixels: int) -> Iterator[BinaryIO | Image.Image]:
    """The source as something to open, refusing what cannot be a picture of at most `max_pixels`."""
    limit = 16 * max_pixels + 2**26  # bytes: four channels of 32 bits, and room for metadata
    too_long = PictureError(f"{name} is longer than {limit} bytes: make the picture smaller first")
    if isinstance(source, Image.Image):
        yield source
        return
    if isinstance(source, str | os.PathLike):
        with _open_file(source, name) as stream:
            if os.fstat(stream.fileno()).st_size > limit:
                raise too_long
            yield stream
        return
    if hasattr(source, "read"):
        if source.seekable():
            source.seek(0)
        source = source.read(limit + 1)
    if not isinstance(source, bytes | bytearray):
        raise PictureError(
            f"{name}: expected a path, bytes, a binary file, a PIL image, an array or a tensor, "
            f"got {type(source).__name__}"
        )
    if len(source) > limit:
        raise too_long
    yield io.BytesIO(source)


def _open_file(path: str | os.PathLike, name: str) -> BinaryIO:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):  # to open a pipe or a device could block, and to read it never end
            return open(path, "rb")
    except FileNotFoundError as error:
        raise PictureError(f"there is no file {name}: check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"cannot open {name}, {reason}: check the path and its permissions") from error
    kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
    raise PictureError(f"{name} is {kind}: give the path of one picture")


class _FirstFrameGif(GifImagePlugin.GifImageFile):
    """A GIF of which only the first frame is wanted.

    Where that frame is to be disposed of before the next, Pillow fills an image of its size while opening.
    """

    disposal_method = property(lambda self: 0, lambda self, value: None)


def _open(stream: BinaryIO, name: str, max_pixels: int) -> Image.Image:
    """Read a picture's header.

    As `Image.open` does, but that holds every picture to `Image.MAX_IMAGE_PIXELS`, which is the host
    program's to set; here each call has its own limit.
    """
    Image.init()
    prefix = stream.read(PREFIX)
    if not prefix:
        raise PictureError(f"{name} is an empty file: give a picture")
    if canvas := _webp_canvas(prefix):
        check_size(canvas, name, max_pixels)
    if plugin := plugin_for(prefix, name):
        format, opener = plugin
        if format == "JXL":  # which decodes while it opens
            check_size(jxl_size(stream), name, max_pixels)
        stream.seek(0)
        return opener(stream)
    for format in _FORMATS:
        factory, accept = Image.OPEN.get(format, (None, None))  # none, if Pillow was built without it
        if factory is None or accept is None or accept(prefix[:16]) is not True:
            continue
        stream.seek(0)
        return _FirstFrameGif(stream) if format == "GIF" else factory(stream, "")
    raise PictureError(f"{name} is not a picture of a known format ({_KNOWN}): convert it to PNG or JPEG")


def _webp_canvas(header: bytes) -> tuple[int, int] | None:
    """The size an extended WebP claims, for which libwebp makes room while opening; None for all else."""
    if header[:4] != b"RIFF" or header[8:16] != b"WEBPVP8X" or len(header) < 30:
        return None
    return 1 + int.from_bytes(header[24:27], "little"), 1 + int.from_bytes(header[27:30], "little")


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 where it is absent, unreadable, or not for us.

    HEIF and JPEG XL say themselves how they are turned, their decoders turn them, and EXIF repeats it. The plugin of
    HEIF makes that a 1; that of JPEG XL leaves it, and turns all but what it decodes as the JPEG it was made of.
    """
    if image.format == "JXL" and not getattr(image, "jpeg", False):
        return 1
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken metadata is no reason to refuse a good picture
        return 1
