"""What a recipe's edits work on: the state of a picture on its way, and the context that edits take from.

A state holds the codes of the picture, and what is still to be done to its pixels once they are decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from swapae.codes import Codes
from swapae.editing.directions import Directions
from swapae.errors import UserError
from swapae.inputs import Noise
from swapae.model import Autoencoder

# A state has at most this many times the cells of a square photograph: it bounds the work a recipe can ask for.
MAX_GROWTH = 32


class EncodedPhotograph(NamedTuple):
    """A photograph as the model sees it.

    Attributes:
        codes: of a batch of one.
        image: [1, 3, H, W] in [-1, 1], padded to the model's stride.
        size: (width, height) without the padding.
        opacity: [1, 1, H, W] in [0, 1]; None where all of it is opaque.
    """

    codes: Codes
    image: Tensor
    size: tuple[int, int]
    opacity: Tensor | None = None


class EditContext(NamedTuple):
    """What edits may use: the model, the recipe's photographs, and the model's directions if it has any."""

    model: Autoencoder
    photographs: Sequence[EncodedPhotograph]
    directions: Directions | None

    def photograph(self, number: int) -> EncodedPhotograph:
        """A photograph by its place in the recipe.

        Raises:
            UserError: there are not so many.
        """
        if number >= len(self.photographs):
            raise UserError(f"there is no photograph {number}, only {len(self.photographs)} (counted from 0)")
        return self.photographs[number]


class EditState(NamedTuple):
    """A picture on its way.

    Attributes:
        structure: [1, K, h, w].
        textures: one for all layers or one per block, each [1, T] or a map.
        size: (width, height) to crop the decoded picture to.
        original: [1, 3, H, W], the photograph it began as; None once the grid is another.
        finishes: what to do to the decoded picture, in order.
        opacity: [1, 1, H, W] in [0, 1] at the pixels of the structure's grid; None where all of it is opaque.
    """

    structure: Tensor
    textures: tuple[Tensor, ...]
    size: tuple[int, int]
    original: Tensor | None
    finishes: tuple[Callable[[Tensor], Tensor], ...] = ()
    opacity: Tensor | None = None

    def edit_textures(self, edit: Callable[[Tensor], Tensor]) -> EditState:
        """With every texture edited alike."""
        return self._replace(textures=tuple(edit(texture) for texture in self.textures))

    def along_directions(self, known: Directions, gains: Mapping[str, float], *, orthogonal: bool = False) -> EditState:
        """Moved along directions, every texture alike; arguments and errors are those of `Directions.apply`."""
        moved = [known.apply(Codes(self.structure, own), gains, orthogonal=orthogonal) for own in self.textures]
        return self._replace(structure=moved[0].structure, textures=tuple(codes.texture for codes in moved))

    def with_grid(
        self, grow: Callable[[Codes], Codes], opacity: Callable[[], Tensor | None], model: Autoencoder
    ) -> EditState:
        """With codes on another grid and the opacity that goes with them, shown whole.

        Raises:
            UserError: it would be too large, or pixels are to be kept that it no longer has.
        """
        if self.finishes:
            raise UserError("what changes the size must come before what keeps pixels of the photograph")
        grown = [grow(Codes(self.structure, texture)) for texture in self.textures]
        rows, columns = grown[0].structure.shape[2:]
        if rows * columns > MAX_GROWTH * (model.config.image_size // model.config.stride) ** 2:
            raise UserError(f"the picture would have {rows} x {columns} cells, which is too large")
        stride = model.config.stride
        textures = tuple(codes.texture for codes in grown)
        return EditState(grown[0].structure, textures, (columns * stride, rows * stride), None, (), opacity())

    def original_pixels(self) -> Tensor:
        """The pixels it began as.

        Raises:
            UserError: the picture has another size since.
        """
        if self.original is None:
            raise UserError("pixels of the photograph cannot be kept once the picture has another size")
        return self.original

    def decode(self, model: Autoencoder, noise: Noise) -> Tensor:
        """[1, 3, H, W], finished, clamped to [-1, 1] and cropped; with opacity as a fourth channel where it has one."""
        codes = Codes(self.structure, self.textures[0])
        several = self.textures if len(self.textures) > 1 else None
        picture = model.decode(codes, noise=noise, block_textures=several).clamp(-1, 1)
        for finish in self.finishes:
            picture = finish(picture)
        if self.opacity is not None:
            # In float32, which holds every level of both.
            picture = torch.cat([picture.float(), 2 * self.opacity.to(picture.device) - 1], 1)
        width, height = self.size
        return picture[..., :height, :width]


def initial_state(photograph: EncodedPhotograph) -> EditState:
    """The state on which nothing was done yet."""
    structure, texture = photograph.codes
    return EditState(structure, (texture,), photograph.size, photograph.image, (), photograph.opacity)
