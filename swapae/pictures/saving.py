"""Pictures written: the formats, what a file says of itself, and whether it can be written at all."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

from swapae.errors import UserError, first_line
from swapae.files import atomic_path
from swapae.pictures.transparency import over_white

OPAQUE_SUFFIXES = (".jpg", ".jpeg", ".bmp")  # formats without transparency, or whose readers pass over it
MAX_JPEG_XMP = 65_504  # bytes, beside its name in a segment of a JPEG
XMP_TAG = 700  # of a TIFF
MAX_ONE_TEXT = 64_000  # characters: a segment of a JPEG has 65,533 bytes

# How `save_image` writes each suffix: without loss where the format can, always with full colour resolution.
_WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"lossless": True, "exact": True}),  # exact: colours under transparency as well
    ".tif": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".bmp": ("BMP", {}),
}


PICTURE_SUFFIXES = tuple(_WRITERS)


def check_output_file(path: str | os.PathLike, suffixes: Collection[str] = PICTURE_SUFFIXES) -> Path:
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
        raise UserError(f"{refused}: {error.strerror or first_line(error)}; give another name") from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UserError(f"{refused}: its folder is not writable; give another folder")
    return path


def save_image(
    image: Image.Image,
    path: str | os.PathLike,
    metadata: Mapping[str, str] | None = None,
    *,
    dpi: tuple[float, float] | None = None,
    exif: Image.Exif | None = None,
    xmp: bytes | None = None,
) -> Path:
    """Write an RGB or RGBA image in the format its suffix names, replacing an older file only once complete.

    PNG, WebP, TIFF and BMP are written without loss, JPEG at quality 95 with full colour resolution. JPEG and BMP have
    no transparency: there it is laid over white. What becomes of `metadata` is said at `metadata_options`. Every format
    has `dpi`, dots per inch across and down, and all but BMP have `exif` and `xmp`, a JPEG one of up to `MAX_JPEG_XMP`.

    Raises:
        UserError: As of `check_output_file`, or the format cannot hold the picture.
    """
    path = check_output_file(path)
    format, options = _WRITERS[path.suffix.lower()]
    options = options | metadata_options(format, metadata or {}, dpi=dpi, exif=exif, xmp=xmp)
    if format == "TIFF" and exif is not None:
        del options["compression"]  # libtiff, which compresses, does not take EXIF's own directories from Pillow
    if path.suffix.lower() in OPAQUE_SUFFIXES:
        image = over_white(image)
    with atomic_path(path) as temporary:
        try:
            image.save(temporary, format, **options)
        except ValueError as error:
            raise UserError(f"cannot write {str(path)!r}: {first_line(error)}; try a .png") from error
    return path


def png_texts(metadata: Mapping[str, str]) -> PngImagePlugin.PngInfo:
    """Texts for the `pnginfo` of a PNG, one tEXt chunk each."""
    texts = PngImagePlugin.PngInfo()
    for key, value in metadata.items():
        texts.add_text(key, value)
    return texts


def metadata_options(
    format: str,
    metadata: Mapping[str, str],
    *,
    dpi: tuple[float, float] | None = None,
    exif: Image.Exif | None = None,
    xmp: bytes | None = None,
) -> dict[str, Any]:
    """Options for `PIL.Image.Image.save` that put texts, a resolution, an EXIF and an XMP into a file.

    A PNG has them as texts of their names (tEXt). JPEG, WebP and TIFF have EXIF: "Software" of the texts, and as image
    description `one_text` of all, which is a JPEG's and a GIF's comment too. BMP has no place for any. An `exif` is
    written as it is, but for these two; a description that it has is then another text, "Description".
    """
    options: dict[str, Any] = {} if dpi is None else {"dpi": dpi}
    if format == "BMP":
        return options
    written = copied(exif)
    if metadata and (description := written.get(ExifTags.Base.ImageDescription)):
        metadata = {**metadata, "Description": str(description)}
    if format == "PNG":
        texts = png_texts(metadata)
        if xmp:
            texts.add_itxt("XML:com.adobe.xmp", xmp.decode())
        return options | ({"pnginfo": texts} if texts.chunks else {}) | ({"exif": written} if exif else {})
    text = one_text(metadata)
    if format == "GIF":
        return {"comment": text} if metadata else {}
    if metadata:
        written[ExifTags.Base.ImageDescription] = text
    if "Software" in metadata:
        written[ExifTags.Base.Software] = metadata["Software"]
    if format == "WEBP" and dpi is not None:  # it has no other place
        written[ExifTags.Base.XResolution], written[ExifTags.Base.YResolution] = dpi
        written[ExifTags.Base.ResolutionUnit] = 2
    if xmp and format == "TIFF":
        written[XMP_TAG] = xmp
    elif xmp and (format == "WEBP" or len(xmp) <= MAX_JPEG_XMP):
        options["xmp"] = xmp
    options |= {"exif": written} if len(written) else {}
    return options | ({"comment": text} if format == "JPEG" and metadata else {})


def copied(exif: Image.Exif | None) -> Image.Exif:
    """A copy to change."""
    copy = Image.Exif()
    if exif is not None:
        copy.load(exif.tobytes())
    return copy


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
