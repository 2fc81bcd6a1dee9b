"""What a photograph's file says beside its pixels, and a picture of it may say too: resolution, EXIF and XMP."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from PIL import ExifTags, Image

from swapae.errors import PictureError
from swapae.pictures.decoding import unread
from swapae.pictures.images import MAX_PIXELS, Picture, name_of
from swapae.pictures.xmp import kept_xmp

# Of the main directory, what is about the photograph: all else is about how its file is laid out, or no longer true.
ABOUT = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.HostComputer,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
    ExifTags.Base.Rating,
    ExifTags.Base.XPTitle,
    ExifTags.Base.XPComment,
    ExifTags.Base.XPAuthor,
    ExifTags.Base.XPKeywords,
    ExifTags.Base.XPSubject,
)
# Of the directory on how it was taken, what is not kept: makers' own notes, which break when they are moved and may say
# where it was; and the size of another picture.
NOT_KEPT = (
    ExifTags.Base.MakerNote,
    ExifTags.Base.ExifImageWidth,
    ExifTags.Base.ExifImageHeight,
    ExifTags.Base.ExifInteroperabilityOffset,
)
SRGB = 1
LARGEST_DPI = 30_000


@dataclass(frozen=True)
class Notes:
    """What a written picture says of the photograph it was made of.

    Attributes:
        dpi: dots per inch across and down; None if the file does not say.
        exif: without orientation, thumbnail and maker's notes; None if there is nothing to keep.
        xmp: as of `kept_xmp`; None if there is nothing to keep.
        left_out: a sentence on what could not be kept; empty if nothing was.
    """

    dpi: tuple[float, float] | None = None
    exif: Image.Exif | None = None
    xmp: bytes | None = None
    left_out: str = ""


def notes_of(source: Picture, *, exif: bool = False, gps: bool = False, max_pixels: int = MAX_PIXELS) -> Notes:
    """The notes of a picture, from its header.

    Args:
        source: as of `load_image`.
        exif: keep what EXIF and XMP say of how it was taken.
        gps: and where.
        max_pixels: as of `load_image`.

    Returns:
        Empty for what cannot be read: broken metadata are no reason to refuse a picture.
    """
    try:
        with unread(source, name_of(source), max_pixels) as image:
            own = image.getexif()
            notes = Notes(_dpi(image, own), _kept(own, gps) if exif else None)
            packet = image.info.get("xmp") if exif else None
    except Exception:
        return Notes()
    if not packet:
        return notes
    try:
        return replace(notes, xmp=kept_xmp(packet.encode() if isinstance(packet, str) else bytes(packet), gps))
    except PictureError as error:
        return replace(notes, left_out=str(error))


def _dpi(image: Image.Image, exif: Image.Exif) -> tuple[float, float] | None:
    given: Any = image.info.get("dpi")
    if image.format in ("JPEG", "MPO") and image.info.get("jfif_unit") not in (1, 2):
        given = None  # then Pillow makes up 72 where EXIF does not say either
    if given is None:  # HEIF and WebP have it in EXIF alone
        per_centimetre = exif.get(ExifTags.Base.ResolutionUnit, 2) == 3
        given = [exif.get(tag, 0) for tag in (ExifTags.Base.XResolution, ExifTags.Base.YResolution)]
        given = [float(value) * (2.54 if per_centimetre else 1) for value in given]
    across, down = map(float, given)
    return (across, down) if all(math.isfinite(one) and 1 <= one <= LARGEST_DPI for one in (across, down)) else None


def _kept(exif: Image.Exif, gps: bool) -> Image.Exif | None:
    """A new EXIF with what is kept of another."""
    kept = Image.Exif()
    for tag in ABOUT:
        if tag in exif:
            kept[tag] = exif[tag]
    taken = {tag: value for tag, value in exif.get_ifd(ExifTags.IFD.Exif).items() if tag not in NOT_KEPT}
    if taken:
        taken[ExifTags.Base.ColorSpace] = SRGB
        kept[ExifTags.IFD.Exif] = taken
    place = exif.get_ifd(ExifTags.IFD.GPSInfo) if gps else {}
    if place:
        kept[ExifTags.IFD.GPSInfo] = dict(place)
    if not len(kept):
        return None
    kept.tobytes()  # what cannot be written is better known now
    return kept
