"""Results larger than the model's size, computed in tiles, each in a turn of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from swapae.apps.page.long_work import Progress
from swapae.apps.page.settings import SETTINGS, Values
from swapae.apps.page.studio import Studio
from swapae.apps.page.uploads import Upload
from swapae.codes import Codes
from swapae.editing.state import EncodedPhotograph
from swapae.errors import UserError
from swapae.inference import tiling
from swapae.model import DEFAULT_NOISE_SEED, Autoencoder, Noise
from swapae.pictures.images import fit, load_image, to_pil

MAX_LARGE = 16_000_000  # pixels of a result
TILE = 512


def enlarge(
    studio: Studio, files: Mapping[str, bytes | None], values: Values, times: float, progress: Progress
) -> Image.Image:
    """An edited picture at a multiple of the model's size, as `swapae --size` makes it.

    Args:
        studio: with the model.
        files, values: as in `Studio.edit`.
        times: the model's size.
        progress: is given the tiles.

    Raises:
        UserError: as of `Studio.edit`, it would be too large, or it is to be faithful.
    """
    if values.get("fidelity"):
        raise UserError(f'set "{SETTINGS["fidelity"].label}" to 0 for a larger picture: it works at this size only')
    tiled = Tiled(studio, progress)
    side = round(times * studio.model.config.image_size)
    recipe, context = studio.plan(files, values, take=lambda data: tiled.taken_in(data, side))
    with torch.inference_mode():
        state = recipe.final_state(context)
        if state.size[0] * state.size[1] > MAX_LARGE:
            raise UserError(f"the picture would have over {MAX_LARGE // 10**6} million pixels: choose a smaller size")
        image = to_pil(state.decode(tiled, recipe.noise_with(context.model)))  # type: ignore[arg-type]
    image.info.update(recipe.model.metadata())
    return image


class Tiled:
    """What encodes and decodes in tiles with the model of `studio`."""

    def __init__(self, studio: Studio, progress: Progress) -> None:
        self.studio, self.progress = studio, progress
        self.model: Autoencoder = studio.model
        self.tile = max(TILE, 4 * self.model.config.stride)

    def track(self, tiles: Sequence[Any]) -> Iterable[Any]:
        """Tiles, told and in turns."""
        for tile in self.progress(iter(tiles), len(tiles)):
            with self.studio.turns.one_of_many():
                yield tile

    def taken_in(self, data: bytes, side: int) -> Upload:
        """A photograph with its short side so many pixels."""
        known, config = self.studio.taken_in(data), self.model.config
        width, height = known.size
        if width * height * (side / min(width, height)) ** 2 > MAX_LARGE:
            raise UserError(f"a photograph would have over {MAX_LARGE // 10**6} million pixels: choose a smaller size")
        with torch.inference_mode():
            fitted = fit(load_image(data, background=None), side, config.stride, config.minimum_side)
            weight = self.model.encoder.to_texture.weight
            image = fitted.tensor.to(weight.device, weight.dtype)
            codes = tiling.encode(self.model, image, self.tile, self.track, opacity=fitted.opacity)
        return known._replace(encoded=EncodedPhotograph(codes, image, fitted.size, fitted.opacity))

    def decode(
        self, codes: Codes, *, noise: Noise = DEFAULT_NOISE_SEED, block_textures: Sequence[Tensor] | None = None
    ) -> Tensor:
        """As of `Autoencoder.decode`."""
        return tiling.decode(self.model, codes, self.tile, self.track, noise=noise, block_textures=block_textures)
