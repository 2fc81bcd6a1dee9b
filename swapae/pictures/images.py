"""Pictures in and out: with `colour`, `decoding`, `inspection` and `grids` the only code that knows PIL.

Whatever comes in (a file, bytes, a PIL image, an array, a tensor) leaves `load_image` as an upright picture
in 8-bit sRGB, or raises a `PictureError` of one line. No setting of Pillow changes; any thread may call it.
"""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from PIL import ExifTags, Image, PngImagePlugin

from swapae.errors import PictureError, UserError
from swapae.files import atomic_path
from swapae.pictures.colour import narrow, quantise, to_srgb
from swapae.pictures.decoding import Header, check_size, decode, read_header

Picture: TypeAlias = str | os.PathLike | bytes | BinaryIO | Image.Image | np.ndarray | torch.Tensor

MAX_PIXELS = 64_000_000
MAX_ONE_TEXT = 64_000  # characters: a segment of a JPEG has 65,533 bytes
# fmt: off
IMAGE_SUFFIXES = frozenset({
    ".apng", ".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo", ".pbm", ".pgm",
    ".png", ".ppm", ".tif", ".tiff", ".webp",
})
# fmt: on

# How `save_image` writes each suffix: without loss where the format can, always with full colour resolution.
_WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True}),
    ".tif": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".bmp": ("BMP", {}),
}


class Fitted(NamedTuple):
    """A picture ready for the encoder, and the size (width, height) it had before it was padded."""

    tensor: torch.Tensor
    size: tuple[int, int]


def load_image(
    source: Picture,
    *,
    background: tuple[int, int, int] = (255, 255, 255),
    max_pixels: int = MAX_PIXELS,
    draft_to: int | None = None,
) -> Image.Image:
    """Read a picture of any kind as an upright 8-bit RGB image in sRGB.

    Rotates by EXIF, converts by the embedded ICC profile (one that cannot be used is taken for sRGB), scales
    16 bits to 8, takes the first frame of an animation, and lays transparency over `background`.

    Args:
        source: A path; an encoded picture as bytes or a binary file object, read from its start; a PIL image;
            an array [H, W] or [H, W, 1, 3 or 4] of uint8, uint16, bool or floats in [0, 1]; or a tensor
            [3, H, W] or [1, 3, H, W] of floats in [-1, 1] or of uint8.
        background: The RGB colour, 0 to 255, behind transparent pixels.
        max_pixels: Larger pictures are refused by their header, before they are decoded.
        draft_to: Decode a JPEG faster and smaller, its sides no shorter than this where they were not before.

    Returns:
        A new RGB image without metadata.

    Raises:
        PictureError: The source is missing, no picture, damaged, empty, out of range or over `max_pixels`.
    """
    name = _name(source)
    try:
        if isinstance(source, torch.Tensor):
            image = _from_tensor(source, name)
        elif isinstance(source, np.ndarray):
            image = _from_array(source, name)
        else:
            image = decode(source, name, max_pixels, draft_to)
        check_size(image.size, name, max_pixels)
        return to_srgb(image, background, name)
    except PictureError:
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        raise PictureError(f"{name} is too large, {_reason(error)}: make it smaller first") from error
    except Exception as error:  # Pillow's decoders raise nearly everything when fed damaged data
        raise PictureError(
            f"{name} is damaged, cut short or of an unknown variety ({_reason(error)}): save it anew as PNG or JPEG"
        ) from error


def header(source: Picture, *, max_pixels: int = MAX_PIXELS) -> Header:
    """Read the size, the mode and the profile of an encoded picture without decoding it.

    Raises:
        PictureError: As of `load_image`, as far as the header shows it.
    """
    name = _name(source)
    try:
        return read_header(source, name, max_pixels)
    except PictureError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly everything when fed damaged data
        raise PictureError(f"{name} is damaged, its header cannot be read ({_reason(error)})") from error


def fit(
    image: Image.Image,
    size: int | Literal["full"],
    stride: int,
    minimum: int,
    *,
    max_pixels: int = MAX_PIXELS,
) -> Fitted:
    """Resize and pad an RGB image for an encoder that shrinks it by `stride`.

    With a number, the short side becomes `size` (Lanczos, the aspect kept); with "full" every pixel is kept.
    Both sides are then padded at the right and the bottom by mirroring, up to multiples of `stride`.

    Returns:
        float32 [1, 3, H, W] in [-1, 1], and the (width, height) before padding, for `to_pil` to crop back to.

    Raises:
        PictureError: The short side would be under `minimum`, or the result over `max_pixels`.
    """
    width, height = image.size
    if size == "full":
        if min(width, height) < minimum:
            raise PictureError(
                f"the picture is {width}x{height} and the model needs at least {minimum} pixels a side: "
                f"use --size {minimum} or more to enlarge it"
            )
        fitted = image.size
    else:
        if size < minimum:
            raise PictureError(f"size {size} is too small: the model needs --size {minimum} or more")
        fitted = scaled_size(image.size, size)
    right, below = (-side % stride for side in fitted)
    if (fitted[0] + right) * (fitted[1] + below) > max_pixels:
        raise PictureError(
            f"the picture of {width}x{height} would become {fitted[0]}x{fitted[1]}, over the limit of "
            f"{max_pixels} pixels: use a smaller --size, or crop it to a less extreme shape"
        )
    if fitted != image.size:
        image = image.resize(fitted, Image.Resampling.LANCZOS)
    # "symmetric" and not "reflect": it holds where the padding is longer than the side, down to one pixel.
    pixels = np.pad(np.asarray(image), ((0, below), (0, right), (0, 0)), mode="symmetric")
    # By numpy, on one thread: after torch has computed in a second thread of Python, OpenMP's threads sleep rather than
    # spin wherever they wait, which costs the networks a tenth of their speed.
    values = pixels.transpose(2, 0, 1)[None].astype(np.float32, order="C")
    values /= 127.5
    values -= 1
    return Fitted(torch.from_numpy(values), fitted)


def scaled_size(size: tuple[int, int], short: int) -> tuple[int, int]:
    """The (width, height) that has `size`'s aspect, to the nearest pixel, and a short side of `short` pixels."""
    width, height = size
    now, long = min(size), max(size)
    scaled = (2 * long * short + now) // (2 * now)
    return (short, scaled) if width <= height else (scaled, short)


def resize_short(image: Image.Image, short: int) -> Image.Image:
    """Resize an RGB image by Lanczos, its short side to `short` pixels, its aspect kept.

    Raises:
        PictureError: The result would be over `MAX_PIXELS`.
    """
    size = scaled_size(image.size, short)
    check_size(size, "the resized picture", MAX_PIXELS)
    return image.resize(size, Image.Resampling.LANCZOS)


def levels(image: Image.Image, size: tuple[int, int]) -> torch.Tensor:
    """Resize an RGB image to `size`, (width, height), by Lanczos: uint8 [3, H, W].

    Raises:
        PictureError: The result would be over `MAX_PIXELS`.
    """
    check_size(size, "the resized picture", MAX_PIXELS)
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()


def to_pil(images: torch.Tensor, size: tuple[int, int] | None = None) -> Image.Image:
    """Turn one picture [3, H, W] or [1, 3, H, W] of floats in [-1, 1] into an 8-bit RGB image.

    Values beyond the range are clamped, the rest rounded to the nearest level. The result is cropped at the
    right and the bottom to `size`, (width, height), which undoes the padding of `fit`.

    Raises:
        ValueError: The shape is another, `size` is larger than the picture, or a value is NaN.
    """
    picture = images.detach()
    if picture.ndim == 4 and picture.shape[0] == 1:
        picture = picture[0]
    if picture.ndim != 3 or picture.shape[0] != 3 or not picture.is_floating_point():
        raise ValueError(f"expected floats [3, H, W] or [1, 3, H, W], got {images.dtype} {list(images.shape)}")
    height, width = picture.shape[1:]
    if size is not None:
        if size[0] > width or size[1] > height:
            raise ValueError(f"cannot crop a picture of {width}x{height} to {size[0]}x{size[1]}")
        width, height = size
    picture = picture[:, :height, :width].to("cpu", torch.float32)
    if picture.isnan().any():
        raise ValueError("the picture holds NaN: run the model in float32 rather than a lower precision")
    levels = picture.clamp(-1, 1).add(1).mul(127.5).add(0.5).to(torch.uint8)  # the cast rounds down
    return Image.fromarray(levels.permute(1, 2, 0).contiguous().numpy())


def check_output(path: str | os.PathLike, suffixes: Collection[str] = tuple(_WRITERS)) -> Path:
    """Return `path` if a file with one of `suffixes` can be written there; to be called before costly work.

    Raises:
        UserError: The suffix is another, the folder is missing or not writable, or `path` is no plain file.
    """
    path = Path(path)
    refused = f"cannot write {str(path)!r}"
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{refused}: the name must end in {', '.join(sorted(suffixes))}")
    try:
        if not path.parent.is_dir():
            raise UserError(f"{refused}: there is no folder {str(path.parent)!r}; create it first")
        if path.exists() and not path.is_file():
            raise UserError(f"{refused}: it is not a file; give another name")
    except OSError as error:
        raise UserError(f"{refused}: {_reason(error)}; give another name") from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UserError(f"{refused}: its folder is not writable; give another folder")
    return path


def save_image(image: Image.Image, path: str | os.PathLike, metadata: Mapping[str, str] | None = None) -> Path:
    """Write an RGB image in the format its suffix names, replacing an older file only once complete.

    PNG, WebP, TIFF and BMP are written without loss, JPEG at quality 95 with full colour resolution. What becomes of
    `metadata` is said at `metadata_options`.

    Raises:
        UserError: As of `check_output`, or the format cannot hold the picture.
    """
    path = check_output(path)
    format, options = _WRITERS[path.suffix.lower()]
    options = options | metadata_options(format, metadata or {})
    with atomic_path(path) as temporary:
        try:
            image.save(temporary, format, **options)
        except ValueError as error:
            raise UserError(f"cannot write {str(path)!r}: {_reason(error)}; try a .png") from error
    return path


def png_texts(metadata: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    """Texts for the `pnginfo` of a PNG, one tEXt chunk each."""
    texts = PngImagePlugin.PngInfo()
    for key, value in metadata.items():
        texts.add_text(key, value)
    return texts


def metadata_options(format: str, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Options for `PIL.Image.Image.save` that put texts into a file.

    A PNG has them as texts of their names (tEXt). JPEG, WebP and TIFF have EXIF: "Software" of the texts, and as image
    description `one_text` of all, which is a JPEG's and a GIF's comment too. BMP has no place for any.
    """
    if not metadata or format == "BMP":
        return {}
    if format == "PNG":
        return {"pnginfo": png_texts(metadata)}
    text = one_text(metadata)
    if format == "GIF":
        return {"comment": text}
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = text
    if "Software" in metadata:
        exif[ExifTags.Base.Software] = metadata["Software"]
    return {"exif": exif} | ({"comment": text} if format == "JPEG" else {})


def one_text(metadata: Mapping[str, str]) -> str:
    """Texts as lines of one, "Comment" first and the others by name.

    For files with room for a short text, in ASCII: those that it cannot take, of over 64 kB in all, are left out.
    """
    lines, room = [], MAX_ONE_TEXT
    for key, value in sorted(metadata.items(), key=lambda item: item[0] != "Comment"):
        line = (value if key == "Comment" else f"{key}: {value}").encode("ascii", "replace").decode()
        if len(line) < room:
            lines.append(line)
            room -= len(line) + 1
    return "\n".join(lines)


def list_images(folder: str | os.PathLike, *, recursive: bool = True) -> list[Path]:
    """List the pictures of a folder by their suffixes, sorted; names that begin with a dot are skipped.

    Raises:
        PictureError: The folder is missing, or holds no pictures.
    """
    return [Path(folder, name) for name in picture_names(folder, recursive=recursive)]


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


def _name(source: Picture) -> str:
    """What to call the source in a message; quoted, so that no line break gets in."""
    if isinstance(source, str | os.PathLike):
        return repr(os.fspath(source))
    if not isinstance(source, np.ndarray | torch.Tensor):
        for name in (getattr(source, "filename", None), getattr(source, "name", None)):
            if isinstance(name, str) and name:
                return repr(name)
    return "the picture"


def _reason(error: Exception) -> str:
    """An exception as a part of one line."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split())[:200] or type(error).__name__


def _from_array(array: np.ndarray, name: str) -> Image.Image:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise PictureError(f"{name}: expected an array [H, W] or [H, W, 1, 3 or 4], got {list(array.shape)}")
    if array.size == 0:
        raise PictureError(f"{name} is an empty array, {list(array.shape)}: give a picture with some pixels")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype == np.bool_:
        array = array * np.uint8(255)
    elif array.dtype == np.uint16:
        array = narrow(array)
    elif array.dtype.kind == "f":
        array = quantise(array, name)
    elif array.dtype != np.uint8:
        raise PictureError(f"{name}: expected uint8, uint16, bool or floats in [0, 1], got {array.dtype}: convert it")
    return Image.fromarray(np.ascontiguousarray(array))


def _from_tensor(tensor: torch.Tensor, name: str) -> Image.Image:
    picture = tensor[0] if tensor.ndim == 4 and tensor.shape[0] == 1 else tensor
    if picture.ndim != 3 or picture.shape[0] != 3 or picture.numel() == 0:
        raise PictureError(f"{name}: expected a tensor [3, H, W] or [1, 3, H, W], got {list(tensor.shape)}")
    if picture.dtype == torch.uint8:
        return Image.fromarray(picture.permute(1, 2, 0).contiguous().cpu().numpy())
    if not picture.is_floating_point():
        raise PictureError(f"{name}: expected a tensor of floats in [-1, 1] or uint8, got {tensor.dtype}: convert it")
    low, high = (value.item() for value in picture.detach().aminmax())
    if not (low >= -1 and high <= 1):  # put so that NaN fails too
        raise PictureError(f"{name}: expected a tensor in [-1, 1], got {low:g} to {high:g}: scale or clamp it")
    return to_pil(picture)
