"""Pictures of any size in bounded memory: encode and decode in tiles, exactly.

The result is that of the whole picture, without seams. Every tile is computed with a halo as wide as convolutions carry
anything, which is then cut off, and the texture's mean is taken over all tiles together. Where a tile ends at the
picture's border so does its halo, and is padded as the whole picture would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from swapae.codes import Codes
from swapae.config import MINIMUM_CELLS, TEXTURE_DOWNSAMPLINGS
from swapae.encoder import texture_weights
from swapae.generator import per_block
from swapae.model import DEFAULT_NOISE_SEED, Autoencoder, Noise
from swapae.precision import float64
from swapae.rounding import ceil_div

# Each residual block of the encoder reaches three of its own pixels far; all together, under three cells.
ENCODER_HALO = 3
# Each up-sampling block of the generator reaches three of its output's pixels beyond what is asked of it.
GENERATOR_REACH = 3
# The texture branch has an output for every fourth cell, which looks at seven.
TEXTURE_STEP = 2**TEXTURE_DOWNSAMPLINGS
# So the last output of a tile looks at three cells of the next one.
TEXTURE_REACH = MINIMUM_CELLS - TEXTURE_STEP
# Bytes that decoding may take beside its result: of a whole picture before it is tiled, and of a tile.
WHOLE_BYTES, TILE_BYTES = 2 * 1024**3, 768 * 1024**2

Track = Callable[[Sequence["Tile"]], Iterable["Tile"]]  # such as tqdm


class Span(NamedTuple):
    """Cells of one dimension that a tile gives, and those that it is computed from: all half open."""

    start: int
    stop: int
    first: int
    last: int

    def own(self, scale: int = 1) -> slice:
        """What the tile gives, at so many pixels a cell."""
        return slice(scale * self.start, scale * self.stop)

    def seen(self, scale: int = 1) -> slice:
        """What it is computed from."""
        return slice(scale * self.first, scale * self.last)

    def kept(self, scale: int = 1) -> slice:
        """Of what is computed, what the tile gives."""
        return self.narrowed(0).within(self, scale)

    def narrowed(self, halo: int) -> Span:
        """Computed from at most so many cells around."""
        return Span(self.start, self.stop, max(self.first, self.start - halo), min(self.last, self.stop + halo))

    def within(self, wider: Span, scale: int = 1) -> slice:
        """What it is computed from, of what a wider one is computed from."""
        return slice(scale * (self.first - wider.first), scale * (self.last - wider.first))


class Tile(NamedTuple):
    """A tile's rows and columns, in cells of the structure grid."""

    rows: Span
    columns: Span

    def cut(self, whole: Tensor, grid: Sequence[int]) -> Tensor:
        """What it is computed from, of a map of the whole grid at any number of pixels a cell; or the only pixel."""
        if whole.shape[2:] == (1, 1):
            return whole
        scale = whole.shape[2] // grid[0]
        return whole[..., self.rows.seen(scale), self.columns.seen(scale)]

    def narrowed(self, halo: int) -> Tile:
        """As of `Span`."""
        return Tile(self.rows.narrowed(halo), self.columns.narrowed(halo))


def suggested_tile(model: Autoencoder, height: int, width: int) -> int | None:
    """Side in pixels of the tiles that a picture of `height` x `width` pixels should be decoded in; None for whole.

    By what the model's form takes in float32.
    """
    bytes_per_pixel = model.generator.bytes_per_pixel
    if height * width * bytes_per_pixel <= WHOLE_BYTES:
        return None
    stride = model.config.stride
    cells = int((TILE_BYTES / bytes_per_pixel) ** 0.5) // stride - 2 * generator_halos(model.config.downsamplings)[0]
    return max(1, cells // TEXTURE_STEP) * TEXTURE_STEP * stride


@torch.no_grad()
def encode(model: Autoencoder, images: Tensor, tile: int, track: Track = iter, opacity: Tensor | None = None) -> Codes:
    """As `model.encode`, in tiles.

    Args:
        model: in evaluation mode; nothing here has a gradient.
        images: [B, 3, H, W] in [-1, 1], sides as `model.encode` wants them.
        tile: side of the tiles in pixels; rounded up to whole steps of the texture branch.
        track: is given the tiles and gives them back, to show progress.
        opacity: as in `model.encode`.

    Raises:
        ValueError: images of another shape.
    """
    model.check_images(images)
    encoder, stride = model.encoder, model.config.stride
    height, width = (side // stride for side in images.shape[2:])
    structure = images.new_empty(len(images), model.config.structure_channels, height, width)
    total = torch.zeros((), dtype=torch.float64)
    count: Tensor | int = 0
    weights = None if opacity is None else float64(texture_weights(opacity.to(images.device), (height, width)))
    for rows, columns in track(
        tiles(height, width, tile_cells(tile, stride), ENCODER_HALO, beyond=TEXTURE_REACH, step=TEXTURE_STEP)
    ):
        part = images[..., rows.seen(stride), columns.seen(stride)]
        features = encoder.features(part.contiguous(memory_format=torch.channels_last))
        structure[..., rows.own(), columns.own()] = encoder.to_structure(features[..., rows.kept(), columns.kept()])
        down, right = (slice(span.kept().start, span.kept().stop + TEXTURE_REACH) for span in (rows, columns))
        seen = features[..., down, right]
        if min(seen.shape[2:]) >= MINIMUM_CELLS:
            pooled = encoder.texture_convs(seen)
            if weights is None:
                total = total + float64(pooled).sum((2, 3))
                count += pooled.shape[2] * pooled.shape[3]
            else:
                top, left = rows.start // TEXTURE_STEP, columns.start // TEXTURE_STEP
                own = weights[..., top : top + pooled.shape[2], left : left + pooled.shape[3]]
                total = total + (float64(pooled) * own).sum((2, 3))
                count = count + own.sum((2, 3))
    return Codes(*encoder.codes(structure, (total / count).to(images)))


@torch.no_grad()
def decode(
    model: Autoencoder,
    codes: Codes,
    tile: int,
    track: Track = iter,
    *,
    noise: Noise = DEFAULT_NOISE_SEED,
    block_textures: Sequence[Tensor] | None = None,
) -> Tensor:
    """As `model.decode`, in tiles.

    The two blocks at the structure's own resolution are computed whole: they take about as much as the result does.
    After each block of a tile, what only that one needed around is cut off.

    Args:
        model: in evaluation mode; nothing here has a gradient.
        codes: as `model.decode` takes them; a map of textures must have the structure's grid.
        tile: side of the tiles in pixels, rounded up to whole cells.
        track: is given the tiles and gives them back, to show progress.
        noise, block_textures: as in `model.decode`.

    Raises:
        ValueError: codes, textures or noise of another shape, or a map of textures on another grid.
    """
    structure, textures, noises = model.prepare(codes, noise, block_textures)
    grid = structure.shape[2:]
    each = per_block(textures, len(model.generator.blocks))
    if any(one.shape[2:] not in ((1, 1), grid) for one in each):
        raise ValueError(f"in tiles, maps of textures must have the structure's grid of {list(grid)} cells")
    generator, stride, heads = model.generator, model.config.stride, model.config.head_blocks
    head_noises = None if noises is None else noises[: 2 * heads]
    head = generator.run(range(heads), structure, each[:heads], head_noises)
    images = structure.new_empty(len(structure), 3, *(side * stride for side in grid))
    first, *others = generator_halos(model.config.downsamplings)
    for part in track(tiles(grid[0], grid[1], tile_cells(tile, stride), first)):
        made = part.cut(head, grid).clone(memory_format=torch.channels_last)  # blocks may overwrite it
        for number, halo in enumerate([*others, 0], heads):
            own_noises = None if noises is None else [part.cut(one, grid) for one in noises[2 * number :][:2]]
            made = generator.run(range(number, number + 1), made, part.cut(each[number], grid), own_noises)
            scale = 2 ** (number - heads + 1)
            narrower = part.narrowed(halo)
            made = made[..., narrower.rows.within(part.rows, scale), narrower.columns.within(part.columns, scale)]
            part = narrower
        images[..., part.rows.own(stride), part.columns.own(stride)] = made
    return images


def generator_halos(count: int) -> list[int]:
    """Cells around a tile that each of `count` up-sampling blocks needs of its input.

    Those that it is computed from, and half a cell where a map of textures, cut off there, is interpolated.
    """
    halos, pixels = [], 0
    for level in reversed(range(count)):
        scale = 2**level
        pixels = ceil_div(pixels + GENERATOR_REACH, 2)
        halos.append(ceil_div(pixels + scale // 2, scale))
    return halos[::-1]


def tile_cells(tile: int, stride: int) -> int:
    """A side in pixels as cells, rounded up to whole steps of the texture branch."""
    return max(1, ceil_div(tile, TEXTURE_STEP * stride)) * TEXTURE_STEP


def tiles(height: int, width: int, side: int, halo: int, *, beyond: int = 0, step: int = 1) -> list[Tile]:
    """Tiles that cover a grid, of nearly one size rather than some whole ones and a rest.

    Args:
        height, width: of the grid, in cells.
        side: of a tile at most.
        halo: cells around a tile that it is computed from.
        beyond: such cells after it, besides.
        step: tiles begin at multiples of it; at most `side`.
    """
    rows, columns = (
        [
            Span(start, min(start + own, length), max(0, start - halo), min(start + own + halo + beyond, length))
            for start in range(0, length, own)
        ]
        for length, own in ((length, even_side(length, side, step)) for length in (height, width))
    )
    return [Tile(row, column) for row in rows for column in columns]


def even_side(length: int, side: int, step: int) -> int:
    """The smallest multiple of `step` that needs no more tiles than `side` for a length."""
    count = ceil_div(length, side)
    return ceil_div(length, count * step) * step
