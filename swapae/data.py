"""Photographs for training: a folder -> crops in [-1, 1], in an order that only the seed decides."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from swapae.errors import PictureError, UserError
from swapae.images import fit, list_images, load_image

VALIDATION_SHARE = 0.05
CACHE_BYTES = 2 * 1024**3


def is_validation(path: str | os.PathLike[str]) -> bool:
    """Whether a photograph is kept out of training: 5 % by a hash of the file name, the same on every machine."""
    digest = hashlib.sha256(Path(path).name.encode()).digest()
    return int.from_bytes(digest[:8], "big") < VALIDATION_SHARE * 2**64


class Photographs(Dataset):
    """A stream of `length` random crops from a folder of photographs.

    Item i is decided by (seed, i) alone, through a new permutation of the folder for each pass, so that a run
    may stop and go on anywhere, and any number of worker processes gives the same items.

    Args:
        folder: searched recursively; the photographs of `is_validation` are left out.
        image_size: the short side is brought to this many pixels (Lanczos).
        crop_size: side of the random square crop; half of the crops are mirrored.
        length: items in the stream.
        seed: of order, crops and mirroring.

    Raises:
        UserError: no photograph to train on, or a crop larger than the image.
    """

    def __init__(self, folder: str | os.PathLike[str], image_size: int, crop_size: int, length: int, seed: int) -> None:
        if crop_size > image_size:
            raise UserError(f"crops of {crop_size} pixels do not fit in images of {image_size}")
        self.paths = [path for path in list_images(folder) if not is_validation(path)]
        if len(self.paths) < 2:
            raise UserError(f"{folder}: found {len(self.paths)} photographs to train on; at least 2 are needed")
        self.image_size, self.crop_size, self.length, self.seed = image_size, crop_size, length, seed
        self._order: tuple[int, list[int]] = (-1, [])
        self._cache: dict[int, Tensor] = {}
        self._cache_limit = CACHE_BYTES // (image_size * image_size * 4)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, position: int) -> Tensor:
        """Crop [3, crop_size, crop_size] in [-1, 1]."""
        epoch, place = divmod(position, len(self.paths))
        if self._order[0] != epoch:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            self._order = (epoch, torch.randperm(len(self.paths), generator=generator).tolist())
        image = self._photograph(self._order[1][place])
        generator = torch.Generator().manual_seed(self.seed * 2_000_003 + position)
        draws = torch.rand(3, generator=generator).tolist()
        top, left = (
            int(draw * (side - self.crop_size + 1)) for draw, side in zip(draws[:2], image.shape[1:], strict=True)
        )
        crop = image[:, top : top + self.crop_size, left : left + self.crop_size]
        if draws[2] < 0.5:
            crop = crop.flip(2)
        return crop / 127.5 - 1

    def _photograph(self, index: int) -> Tensor:
        """Photograph [3, H, W] in 0..255 with its short side at `image_size`; decoded once where memory allows."""
        if index in self._cache:
            return self._cache[index]
        try:
            fitted = fit(load_image(self.paths[index]), self.image_size, stride=1, minimum=1)
        except PictureError as error:
            raise UserError(f"{error}; remove it from the training folder") from None
        image = ((fitted.tensor[0] + 1) * 127.5).round().to(torch.uint8)
        if len(self._cache) < self._cache_limit:
            self._cache[index] = image
        return image
