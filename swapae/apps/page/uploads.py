"""Uploaded photographs, each decoded and encoded once, and kept for the visits that have them."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image

from swapae.editing.recipes import encode_loaded
from swapae.editing.state import EncodedPhotograph
from swapae.errors import PictureError
from swapae.model import Autoencoder
from swapae.pictures.images import header, load_image

# The short side is always the model's, so the aspect bounds the work and memory that one upload can ask for.
MAX_ASPECT = 4
PREVIEW_SIDE = 768
CACHE_BYTES = 256 * 1024**2
# What nobody asked for again within this many seconds is no longer kept, whoever had uploaded it.
KEEP_SECONDS = 3600.0
# Visits that left last, for whom work that was under way must not keep anything any more.
LEFT = 1000


class Upload(NamedTuple):
    """What is kept of an upload.

    Attributes:
        encoded: codes and pixels as the model sees them, of a batch of one, on the model's device.
        preview: the picture as the visitor sees it, no side over PREVIEW_SIDE.
        sha256: of the file.
        size: (width, height) of the photograph, upright.
    """

    encoded: EncodedPhotograph
    preview: Image.Image
    sha256: str
    size: tuple[int, int]

    @property
    def nbytes(self) -> int:
        """Memory held by codes and pixels."""
        opacity = self.encoded.opacity
        tensors = (*self.encoded.codes, self.encoded.image, *([] if opacity is None else [opacity]))
        pixels = len(self.preview.mode) * self.preview.width * self.preview.height
        return pixels + sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@dataclass
class CacheEntry:
    """An upload that is kept, and when it was last asked for (`time.monotonic`), in all and by each visit.

    The visits are in that order.
    """

    upload: Upload
    visits: OrderedDict[str, float]
    asked: float


class UploadCache:
    """The uploads of one model's visitors; threads may share it.

    Args:
        model: that encodes them.
        most_bytes: bound on what is kept; the upload used longest ago goes first.
    """

    def __init__(self, model: Autoencoder, most_bytes: int = CACHE_BYTES) -> None:
        self.model, self.most_bytes = model, most_bytes
        self._entries: OrderedDict[str, CacheEntry] = OrderedDict()
        self._held = 0
        self._left: OrderedDict[str, None] = OrderedDict()
        # Also held while encoding: two threads with the same new photograph must not both do the work.
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def visits(self) -> set[str]:
        """For which something is kept."""
        with self._lock:
            return {visit for entry in self._entries.values() for visit in entry.visits}

    @property
    def nbytes(self) -> int:
        """Memory held by all of them."""
        return self._held

    def get(self, data: bytes, visit: str = "") -> Upload:
        """Decode and encode an upload, or find what was kept of the same bytes.

        Args:
            data: a file in any format of `swapae.pictures.images.load_image`.
            visit: for which it is kept, until `leave`; "" if for none.

        Raises:
            PictureError: a sentence for the visitor, without paths.
        """
        key = hashlib.sha256(data).hexdigest()
        with self._lock:
            now, gone = time.monotonic(), visit in self._left
            self._drop(lambda entry: now - entry.asked > KEEP_SECONDS)
            if key not in self._entries:
                encoded, preview, size = encode_upload(self.model, data)
                upload = Upload(encoded, preview, key, size)
                if upload.nbytes > self.most_bytes or gone:
                    return upload
                self._entries[key] = CacheEntry(upload, OrderedDict(), now)
                self._held += upload.nbytes
            entry = self._entries[key]
            self._entries.move_to_end(key)
            if visit and not gone:
                entry.visits[visit] = now
                entry.visits.move_to_end(visit)
            # A program that calls without a session is a new visit each time, and never leaves.
            while entry.visits and now - next(iter(entry.visits.values())) > KEEP_SECONDS:
                entry.visits.popitem(last=False)
            entry.asked = now
            while self._held > self.most_bytes:
                self._forget(next(iter(self._entries)))
            return entry.upload

    def leave(self, visit: str) -> None:
        """Forget the photographs that only this visit had."""
        with self._lock:
            if visit:
                self._left[visit] = None
                if len(self._left) > LEFT:
                    self._left.popitem(last=False)
            for entry in self._entries.values():
                entry.visits.pop(visit, None)
            self._drop(lambda entry: not entry.visits)

    def came_back(self, visit: str) -> None:
        """Keep photographs for a visit again that had left: its connection was lost for a while, and it asks anew."""
        # Without the lock, for which it might wait as long as it takes to encode.
        self._left.pop(visit, None)

    def _drop(self, wanted: Callable[[CacheEntry], bool]) -> None:
        for key in [key for key, entry in self._entries.items() if wanted(entry)]:
            self._forget(key)

    def _forget(self, key: str) -> None:
        self._held -= self._entries.pop(key).upload.nbytes


def upload_size(data: bytes) -> tuple[int, int]:
    """(width, height) of an uploaded file, of which nothing but the header is read.

    Raises:
        PictureError: no picture that can be read, or one of an extreme shape.
    """
    size = width, height = header(data).size
    if max(size) > MAX_ASPECT * min(size):
        raise PictureError(
            f"the picture is {width}x{height}, over {MAX_ASPECT} times as long as wide: crop it to a less extreme shape"
        )
    return size


def encode_upload(model: Autoencoder, data: bytes) -> tuple[EncodedPhotograph, Image.Image, tuple[int, int]]:
    """An uploaded file as the model sees it, its preview, and its size.

    Raises:
        PictureError: no picture that can be read, or one of an extreme shape.
    """
    size = upload_size(data)
    image = load_image(data, background=None)
    encoded = encode_loaded(model, image)
    # In place, and only ever smaller; nobody else needs the large one.
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
    return encoded, image, size
