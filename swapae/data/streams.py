"""Photographs for training from a streamed dataset, which has no random access."""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from swapae.config import DataHandling
from swapae.data.crops import check_failures, check_sizes, crop, is_validation, resized
from swapae.data.sources import StreamSource, encoded
from swapae.errors import PictureError, UserError
from swapae.pictures.images import Picture

# Pictures at the beginning of a stream that are looked at before training: headers, and for some to show.
HEADERS, CANDIDATES = 50, 200

logger = logging.getLogger(__name__)


class StreamedPhotographs(IterableDataset[Tensor]):
    """Items `start` to `length` of a stream of random crops from a source without random access.

    As with `Photographs`, item i depends on (seed, i) alone and not on `start` or the number of workers, but

    - the order is only as random as the source's shuffle buffer, and holds as long as the source stays as it is;
    - every worker reads the whole stream and decodes its share, and to begin at `start` is to read up to there,
      through one pass to count it and then a part of another at the most;
    - the 5 % for validation are told by their content, so the split is another than with random access.

    Args:
        source: a stream.
        handling, length, seed: as of `Photographs`.
        start: the first item.
        batch_size: that of the DataLoader, whose workers take turns by batches.

    Raises:
        UserError: As of `Photographs`.
    """

    def __init__(
        self, source: StreamSource, handling: DataHandling, length: int, seed: int, start: int, batch_size: int
    ) -> None:
        self.source, self.handling, self.length, self.seed = source, handling, length, seed
        self.start, self.batch_size = start, batch_size
        check_sizes(
            (encoded_or_none(cell, source.label) for cell in islice(source.walk(None), HEADERS)),
            handling.crop_size,
            source.label,
        )
        self._counts = torch.zeros(2, dtype=torch.int64).share_memory_()  # read and unreadable, in all workers
        self._reported: set[str] = set()

    @property
    def unreadable(self) -> int:
        """How many times a picture could not be read so far, in all workers."""
        return int(self._counts[1])

    def __iter__(self) -> Iterator[Tensor]:
        """Crops [3, crop_size, crop_size] in [-1, 1]; in a worker of a DataLoader, those of its batches."""
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        waiting: deque[int] = deque()  # items of this worker that have no readable picture yet
        for position, cell in self._cells():
            if position < self.length and (position - self.start) // self.batch_size % workers == worker:
                waiting.append(position)
            if not waiting:
                if position >= self.length:
                    return
                continue
            picture = self._photograph(cell, position)
            while waiting and picture is not None:
                yield crop(picture, self.handling, self.seed, waiting.popleft())

    def _cells(self) -> Iterator[tuple[int, Any]]:
        """The positions from `start` on with their undecoded pictures, pass after pass without end."""
        position = epoch = 0
        while True:
            before = position
            for cell in self.source.walk(self.seed * 1_000_003 + epoch):
                if is_validation(content_key(cell)):
                    continue
                if position >= self.start:
                    yield position, cell
                position += 1
            count = position - before
            if not count:
                raise UserError(f"{self.source.label}: found no photographs to train on")
            passes = max(0, self.start - position) // count
            epoch += 1 + passes
            position += passes * count

    def _photograph(self, cell: Any, position: int) -> Tensor | None:
        self._counts[0] += 1
        try:
            return resized(encoded(cell, f"{self.source.label}, picture {position} of the stream"), self.handling)
        except PictureError as error:
            self._counts[1] += 1
            key = content_key(cell)
            if key not in self._reported:
                self._reported.add(key)
                logger.warning("skipping an unreadable picture: %s", error)
            check_failures(self.unreadable, int(self._counts[0]), self.source.label)
            return None


def first_validation(source: StreamSource, count: int) -> list[Picture | None]:
    """The first pictures that are not trained on, or just the first where they are fewer than `count`."""
    first = list(islice(source.walk(None), CANDIDATES))
    kept = [cell for cell in first if is_validation(content_key(cell))]
    return [encoded_or_none(cell, source.label) for cell in (kept if len(kept) >= count else first)]


def content_key(cell: Any) -> str:
    """What tells a picture of a stream from others: a digest of its bytes, or else its path."""
    content = cell.get("bytes") if isinstance(cell, dict) else None
    if content is not None:
        return hashlib.blake2b(content, digest_size=16).hexdigest()
    return str(cell.get("path") if isinstance(cell, dict) else cell)


def encoded_or_none(cell: Any, name: str) -> Picture | None:
    """As `encoded`, but None for what cannot be read."""
    try:
        return encoded(cell, name)
    except PictureError:
        return None
