"""Opacity of pictures, which goes where their structure goes.

An opacity is [1, 1, H, W] in [0, 1] at the pixels of a padded picture, or None where all of it is opaque. What is done
to structures is done to their opacities alike, but at the pixels, of which a cell has `stride` to a side.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from swapae.editing.dragging import Points, drag
from swapae.editing.masks import grid_of
from swapae.editing.structure import Box, join_columns, mirror, move, paste
from swapae.model import Autoencoder

Layer = tuple[Tensor, Tensor | None]  # a structure [1, K, h, w] and its opacity


class Placement(NamedTuple):
    """Where a region goes, in cells: arguments of `structure.paste`."""

    box: Box
    place: Box
    flip: bool
    radius: int

    def in_pixels(self, stride: int) -> dict[str, Any]:
        """The same arguments, at pixels."""
        box, place = (Box(*(edge * stride for edge in one)) for one in (self.box, self.place))
        return {"box": box, "place": place, "flip": self.flip, "radius": self.radius * stride}


def edit_opacity(layers: Sequence[Layer], model: Autoencoder, edit: Callable[..., Tensor]) -> Tensor | None:
    """What `edit` makes of the layers' opacities, of which those that are None are ones; None if all are."""
    if all(opacity is None for _, opacity in layers):
        return None
    filled = []
    for structure, opacity in layers:
        sides = [side * model.config.stride for side in grid_of(structure)]
        ones = torch.ones(1, 1, *sides, device=structure.device)
        filled.append(ones if opacity is None else opacity.to(structure.device))
    return edit(*filled).clamp(0, 1)


def paste_opacity(layers: tuple[Layer, Layer], model: Autoencoder, where: Placement) -> Tensor | None:
    """As `structure.paste` into the first layer from the second."""
    return edit_opacity(layers, model, lambda own, other: paste(own, other, **where.in_pixels(model.config.stride)))


def move_opacity(layer: Layer, model: Autoencoder, where: Placement) -> Tensor | None:
    """As `structure.move`."""
    return edit_opacity([layer], model, lambda own: move(own, **where.in_pixels(model.config.stride)))


def drag_opacity(
    layer: Layer, model: Autoencoder, points: tuple[Points, Points], mask: Tensor | None, radius: int
) -> Tensor | None:
    """As `dragging.drag` of handles and targets."""
    wide = radius * model.config.stride
    return edit_opacity([layer], model, lambda own: drag(own, *points, stride=1, mask=mask, radius=wide))


def outpaint_opacity(layer: Layer, model: Autoencoder, rows: int, columns: int) -> Tensor | None:
    """As `structure.outpaint`."""
    down, right = rows * model.config.stride, columns * model.config.stride
    return edit_opacity([layer], model, lambda own: mirror(mirror(own, 2, down, down), 3, right, right))


def join_opacity(layers: Sequence[Layer], model: Autoencoder, seam: int) -> Tensor | None:
    """As `structure.join`."""
    return edit_opacity(layers, model, lambda *all: join_columns(all, seam * model.config.stride))
