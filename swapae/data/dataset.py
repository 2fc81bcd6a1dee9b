"""Photographs for training: pictures of a source -> crops in [-1, 1], in an order that only the seed decides."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset, get_worker_info

from swapae.config import DataHandling, SwapAEConfig
from swapae.data.crops import DRAFT_MARGIN, check_failures, check_sizes, crop, is_validation, resized
from swapae.data.picture_files import Source
from swapae.data.sources import StreamSource
from swapae.data.streams import StreamedPhotographs, first_validation
from swapae.errors import PictureError, UserError
from swapae.pictures.images import Fitted, Picture, fit, load_image
from swapae.rounding import ceil_div

# Decoded pictures that all workers together may keep, if that is enough for all pictures.
CACHE_BYTES = 2 * 1024**3
# Pictures whose headers are read before training.
LOOKED_AT = 1000

logger = logging.getLogger(__name__)


def training_data(
    source: Source | StreamSource, handling: DataHandling, length: int, seed: int, start: int, batch_size: int
) -> tuple[Dataset[Tensor], Photographs | StreamedPhotographs]:
    """Items `start` to `length` of a source, for a DataLoader of batches of `batch_size` without shuffling.

    Returns:
        The data set to load from, and the one behind it, which counts the unreadable pictures.

    Raises:
        UserError: As of `Photographs` and `StreamedPhotographs`.
    """
    if isinstance(source, StreamSource):
        stream = StreamedPhotographs(source, handling, length, seed, start, batch_size)
        return stream, stream
    photographs = Photographs(source, handling, length, seed)
    return Subset(photographs, range(start, length)), photographs


class Photographs(Dataset[Tensor]):
    """A stream of `length` random crops from a source with random access.

    Item i is decided by (seed, i) alone, through a new permutation of the source for each pass, so that a run
    may stop and go on anywhere, and any number of worker processes gives the same items. In the place of a
    picture that cannot be read comes the next of the pass that can.

    Args:
        source: its pictures of `is_validation` are left out.
        handling: sizes and modes.
        length: items in the stream.
        seed: of order, crops and mirroring.

    Raises:
        UserError: fewer than two pictures to train on, or none as large as a crop. While reading: too many of
            the pictures fail.
    """

    def __init__(self, source: Source, handling: DataHandling, length: int, seed: int) -> None:
        self.source, self.handling, self.length, self.seed = source, handling, length, seed
        training = [index for index, name in enumerate(source.names()) if not is_validation(name)]
        if len(training) < 2:
            raise UserError(f"{source.label}: found {len(training)} photographs to train on; at least 2 are needed")
        self._indices = torch.tensor(training, dtype=torch.int32)
        looked_at = training[:: ceil_div(len(training), LOOKED_AT)]
        check_sizes((read_or_none(source, index) for index in looked_at), handling.crop_size, source.label)
        # One byte for each picture, 0 not yet read, 1 good, 2 unreadable: shared by all workers, and written
        # without locks, since each writes what any other would.
        self._state = torch.zeros(len(source), dtype=torch.uint8).share_memory_()
        self._order: tuple[int, Tensor] = (-1, self._indices)
        self._cache: dict[int, Tensor] = {}
        self._cached_bytes = 0
        self._caches = len(training) * handling.size**2 * 4 <= CACHE_BYTES  # 4: three channels, an aspect of 4 to 3

    def __len__(self) -> int:
        return self.length

    @property
    def unreadable(self) -> int:
        """How many pictures could not be read so far, in all workers."""
        return int((self._state == 2).sum())

    def __getitem__(self, position: int) -> Tensor:
        """Crop [3, crop_size, crop_size] in [-1, 1]."""
        count = len(self._indices)
        epoch, place = divmod(position, count)
        if self._order[0] != epoch:
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            self._order = (epoch, self._indices[torch.randperm(count, generator=generator)])
        for step in range(count):
            picture = self._photograph(int(self._order[1][(place + step) % count]))
            if picture is not None:
                return crop(picture, self.handling, self.seed, position)
        raise UserError(f"{self.source.label}: not one picture can be read; try swapae data check")

    def _photograph(self, index: int) -> Tensor | None:
        """Picture uint8 [3, H, W], resized; None if it cannot be read. Decoded once where memory allows."""
        if index in self._cache:
            return self._cache[index]
        if self._state[index] == 2:
            return None
        try:
            picture = resized(self.source.read(index), self.handling)
        except PictureError as error:
            self._state[index] = 2
            logger.warning("skipping an unreadable picture: %s", error)
            check_failures(self.unreadable, int((self._state > 0).sum()), self.source.label)
            return None
        self._state[index] = 1
        if self._caches:
            worker = get_worker_info()
            if self._cached_bytes + picture.nbytes <= CACHE_BYTES // (worker.num_workers if worker else 1):
                self._cache[index] = picture
                self._cached_bytes += picture.nbytes
        return picture


def validation_pictures(
    source: Source | StreamSource, config: SwapAEConfig, most: int, least: int
) -> tuple[list[Fitted], bool]:
    """Up to `most` pictures at the model's size, and whether training sees none of them.

    Any pictures where fewer than `least` are kept for validation, as of some 80 and fewer photographs.
    """
    candidates: Iterable[Picture | None]
    unseen = True
    if isinstance(source, StreamSource):
        candidates = first_validation(source, least)
    else:
        chosen = [index for index, name in enumerate(source.names()) if is_validation(name)]
        unseen = len(chosen) >= least
        chosen = chosen if unseen else list(range(len(source)))
        # Spread over the source; the others stand in for those that cannot be read.
        spread = [chosen[len(chosen) * place // most] for place in range(most)] if len(chosen) > most else chosen
        candidates = (read_or_none(source, index) for index in dict.fromkeys([*spread, *chosen]))
    pictures: list[Fitted] = []
    for picture in candidates:
        if len(pictures) == most:
            break
        try:
            if picture is not None:
                image = load_image(picture, draft_to=DRAFT_MARGIN * config.image_size)
                pictures.append(fit(image, config.image_size, config.stride, config.minimum_side))
        except PictureError:
            continue  # training reports it, or `swapae data check`
    return pictures, unseen


def read_or_none(source: Source, index: int) -> Picture | None:
    """As `source.read`, but None for what cannot be read."""
    try:
        return source.read(index)
    except PictureError:
        return None
