"""`Studio`: from the bytes of two photographs and a number to a hybrid, each photograph encoded only once."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from typing import NamedTuple

import torch
from PIL import Image

from swapae.codes import Codes
from swapae.errors import PictureError, UserError
from swapae.images import fit, load_image, to_pil
from swapae.model import SwapAE

# The short side is always the model's, so the aspect bounds the work and memory that one upload can ask for.
MAX_ASPECT = 4
PREVIEW_SIDE = 768
CACHE_BYTES = 256 * 1024**2


class Photograph(NamedTuple):
    """What is kept of an upload.

    Attributes:
        codes: of a batch of one, on the model's device.
        fitted: the picture as the model sees it, its short side `config.image_size`.
        preview: the picture as the visitor sees it, no side over PREVIEW_SIDE.
    """

    codes: Codes
    fitted: Image.Image
    preview: Image.Image

    @property
    def nbytes(self) -> int:
        """Memory held by codes and pixels."""
        pixels = sum(3 * image.width * image.height for image in (self.fitted, self.preview))
        return pixels + sum(code.numel() * code.element_size() for code in self.codes)


class Hybrid(NamedTuple):
    """A result, the structure photograph at the same size, and the seconds that it took."""

    image: Image.Image
    structure: Image.Image
    seconds: float


class Studio:
    """The handlers of one model; threads may share it.

    Args:
        model: in evaluation mode.
        cache_bytes: bound on what is kept of photographs; the one used longest ago goes first.
    """

    def __init__(self, model: SwapAE, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.model = model
        self.cache_bytes = cache_bytes
        self._kept: OrderedDict[bytes, Photograph] = OrderedDict()
        self._held = 0
        # Also held while encoding: two threads with the same new photograph must not both do the work.
        self._lock = threading.Lock()

    def photograph(self, data: bytes) -> Photograph:
        """Decode and encode an upload, or find what was kept of the same bytes.

        Args:
            data: a file in any format of `swapae.images.load_image`.

        Raises:
            PictureError: a sentence for the visitor, without paths.
        """
        key = hashlib.blake2b(data, digest_size=16).digest()
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            photograph = self._encode(data)
            if photograph.nbytes <= self.cache_bytes:
                self._kept[key] = photograph
                self._held += photograph.nbytes
            while self._held > self.cache_bytes:
                self._held -= self._kept.popitem(last=False)[1].nbytes
            return photograph

    def swap(self, structure: bytes, texture: bytes, alpha: float = 1.0) -> Hybrid:
        """The structure of one photograph in the texture of another, as `SwapAE.swap` makes it.

        Args:
            structure, texture: files as `photograph` takes them.
            alpha: from 0, the structure's own texture, to 1, the other's.

        Returns:
            Images with the structure's aspect and the model's short side.

        Raises:
            UserError: a sentence that begins with the input it is about.
        """
        # Put so that NaN fails too; True is an int, but no strength.
        if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 <= alpha <= 1:
            raise UserError(f"Texture strength must be a number from 0 to 1, got {str(alpha)[:20]!r}.")
        chosen = []
        for role, data in (("Structure", structure), ("Texture", texture)):
            try:
                chosen.append(self.photograph(data))
            except PictureError as error:
                raise PictureError(f"{role}: {error}") from error
        start = time.perf_counter()
        own, other = chosen
        with torch.inference_mode():
            blend = torch.lerp(own.codes.texture, other.codes.texture, float(alpha))
            image = to_pil(self.model.decode(Codes(own.codes.structure, blend)), own.fitted.size)
        return Hybrid(image, own.fitted, time.perf_counter() - start)

    def _encode(self, data: bytes) -> Photograph:
        image = load_image(data)
        short, long = sorted(image.size)
        if long > MAX_ASPECT * short:
            raise PictureError(
                f"the picture is {image.width}x{image.height}, over {MAX_ASPECT} times as long as wide: "
                "crop it to a less extreme shape"
            )
        config = self.model.config
        tensor, size = fit(image, config.image_size, config.stride, config.minimum_side)
        weight = next(self.model.parameters())
        with torch.inference_mode():
            codes = self.model.encode(tensor.to(weight.device, weight.dtype))
        fitted = to_pil(tensor, size)
        # In place, and only ever smaller; `fitted` no longer needs the large one.
        image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
        return Photograph(codes, fitted, image)
