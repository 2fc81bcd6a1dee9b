"""From an encoded picture to a random crop, and when a source of pictures is no good."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from swapae.config import DataHandling
from swapae.errors import PictureError, UserError
from swapae.pictures.images import Picture, header, levels, load_image, scaled_size

VALIDATION_SHARE = 0.05
# A JPEG is decoded at a fraction of its size, but never under this multiple of the size it is wanted at: the
# Lanczos filter then still has enough to average over, and the result differs by a level or two.
DRAFT_MARGIN = 2
ZOOMED_SHARE = 0.5  # of the crops, where any are
# A source is given up when more of its pictures fail than both of these.
TOLERATED_FAILURES, TOLERATED_SHARE = 9, 0.1


def is_validation(path: str | os.PathLike[str]) -> bool:
    """Whether a photograph is for validation: 5 % are, by a hash of the file name, the same on every machine."""
    digest = hashlib.sha256(os.path.basename(path).encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") < VALIDATION_SHARE * 2**64


def resized(picture: Picture, handling: DataHandling) -> Tensor:
    """Picture uint8 [3, H, W], both sides at `handling.size`, or the short one.

    Raises:
        PictureError: it cannot be read, or is so long that it would be too large.
    """
    image = load_image(picture, draft_to=DRAFT_MARGIN * handling.size)
    exact = handling.resize == "exact"
    return levels(image, (handling.size, handling.size) if exact else scaled_size(image.size, handling.size))


def crop(picture: Tensor, handling: DataHandling, seed: int, position: int) -> Tensor:
    """The crop of item `position`, [3, crop_size, crop_size] in [-1, 1], of a picture uint8 [3, H, W]."""
    generator = torch.Generator().manual_seed(seed * 2_000_003 + position)
    draws = torch.rand(3, generator=generator).tolist()
    side = handling.crop_size
    if handling.zoom:
        whether, how_much = torch.rand(2, generator=generator).tolist()
        side += int((whether < ZOOMED_SHARE) * how_much * (min(picture.shape[1:]) - side + 1))
    top, left = (int(draw * (free - side + 1)) for draw, free in zip(draws[:2], picture.shape[1:], strict=True))
    cut = picture[:, top : top + side, left : left + side]
    if handling.flip and draws[2] < 0.5:
        cut = cut.flip(2)
    cut = cut / 127.5 - 1
    if side == handling.crop_size:
        return cut
    sides = (handling.crop_size,) * 2
    return F.interpolate(cut[None], size=sides, mode="bilinear", antialias=True, align_corners=False)[0].clamp(-1, 1)


def check_sizes(candidates: Iterable[Picture | None], crop_size: int, label: str) -> None:
    """Look at headers until a picture is as large as a crop.

    Raises:
        UserError: none is, or none can be read.
    """
    largest, looked_at = (0, 0), 0
    for picture in candidates:
        looked_at += 1
        try:
            size = header(picture).size if picture is not None else (0, 0)
        except PictureError:
            continue
        if min(size) >= crop_size:
            return
        largest = max(largest, size, key=min)
    if not min(largest):
        raise UserError(f"{label}: none of the {looked_at} pictures looked at can be read; try swapae data check")
    raise UserError(
        f"{label}: all of the {looked_at} pictures looked at are smaller than the crop of {crop_size} pixels, "
        f"the largest is {largest[0]}x{largest[1]}: choose a smaller preset or larger pictures"
    )


def check_failures(failed: int, tried: int, label: str) -> None:
    """Raise UserError if `failed` of `tried` pictures are too many to go on without."""
    if failed > TOLERATED_FAILURES and failed > TOLERATED_SHARE * tried:
        raise UserError(f"{label}: {failed} of the {tried} pictures read so far are unreadable; try swapae data check")
