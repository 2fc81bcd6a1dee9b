"""What can be said of one picture before it is trained on: its size, odd modes and profiles, greyness, fingerprints."""

from __future__ import annotations

import hashlib
import io
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms

from swapae.pictures.images import Picture, header, load_image

# A pixel of a 64x64 miniature is coloured if its channels differ by more than this: JPEG tints greys a little.
GREY_SPREAD = 8
# A miniature of 9x8 whose levels span less has nothing that a perceptual hash could tell it by.
LEAST_CONTRAST = 12


class Facts(NamedTuple):
    """What `inspect` finds.

    `size` is (width, height) upright; `odd` says how the picture is stored other than as 8-bit RGB or grey in
    sRGB; `digest` is the same for equal pixels; `likeness` is a 64-bit difference hash, of which similar
    pictures share most bits, and None for a picture that is nearly flat.
    """

    size: tuple[int, int]
    odd: tuple[str, ...]
    grey: bool
    digest: bytes
    likeness: int | None


def inspect(picture: Picture) -> Facts:
    """Decode a picture and say what it is like.

    Raises:
        PictureError: As of `load_image`.
    """
    stored = header(picture)
    odd = []
    if stored.mode not in ("RGB", "L"):
        odd.append(f"mode {stored.mode}")
    for bits in ("10", "12", "16"):
        if bits in stored.raw_mode and bits not in stored.mode:
            odd.append(f"{bits} bits")
    if stored.profile and (profile := profile_name(stored.profile)):
        odd.append(f"profile {profile}")
    image = load_image(picture)
    small = np.asarray(image.resize((64, 64), Image.Resampling.BOX)).astype(int)
    grey = int((small.max(axis=2) - small.min(axis=2)).max()) <= GREY_SPREAD
    digest = hashlib.blake2b(repr(image.size).encode() + image.tobytes(), digest_size=16).digest()
    return Facts(image.size, tuple(odd), grey, digest, difference_hash(image))


def difference_hash(image: Image.Image) -> int | None:
    """Whether each of 8x8 cells is darker than its right neighbour, as 64 bits; None if all are much the same."""
    cells = np.asarray(image.resize((9, 8), Image.Resampling.BOX).convert("L")).astype(int)
    if cells.max() - cells.min() < LEAST_CONTRAST:
        return None
    return int.from_bytes(np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes(), "big")


def profile_name(profile: bytes) -> str:
    """The description of an ICC profile, empty for sRGB and for grey, which change nothing."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = " ".join(ImageCms.getProfileDescription(opened).split())
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return "that is broken"
    if "sRGB" in name.replace(" ", "") or opened.profile.xcolor_space.strip() == "GRAY":
        return ""
    return repr(name[:60])
