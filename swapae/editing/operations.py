"""What a recipe is made of: edits with plain parameters, each a step from one state to the next.

Every edit is a small frozen dataclass whose fields are what a recipe stores; `swapae.editing.parsing` says what each
may be. The work itself is done by `swapae.editing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from swapae import editing
from swapae.codes import Codes
from swapae.editing import Box
from swapae.editing.directions import directions_digest
from swapae.editing.dragging import Points, check_within
from swapae.editing.edit import Edit
from swapae.editing.masks import feather, fit_mask, grid_of
from swapae.editing.opacity import (
    Placement,
    drag_opacity,
    edit_opacity,
    join_opacity,
    move_opacity,
    outpaint_opacity,
    paste_opacity,
)
from swapae.editing.state import EditContext, EditState
from swapae.editing.structure import map_of
from swapae.editing.validation import Mask
from swapae.errors import UserError


@dataclass(frozen=True)
class SwapTexture(Edit):
    """The texture of another photograph, by degrees."""

    name: ClassVar[str] = "texture"
    photograph: int
    amount: float
    path: str

    def _apply(self, state: EditState, context: EditContext) -> EditState:
        other = context.photograph(self.photograph).codes.texture
        between = {"linear": editing.interpolate, "spherical": editing.interpolate_spherical}[self.path]
        return state.edit_textures(lambda own: between(own, other, self.amount))


@dataclass(frozen=True)
class Mix(Edit):
    """The mean of the texture so far, weighing `own`, and of those of other photographs."""

    name: ClassVar[str] = "mix"
    own: float
    photographs: tuple[int, ...]
    weights: tuple[float, ...]

    def _apply(self, state: EditState, context: EditContext) -> EditState:
        others = [context.photograph(number).codes.texture for number in self.photographs]
        return state.edit_textures(lambda own: editing.mix_textures([own, *others], [self.own, *self.weights]))


@dataclass(frozen=True)
class Layers(Edit):
    """The texture of another photograph, by another degree in each group of layers."""

    name: ClassVar[str] = "layers"
    photograph: int
    coarse: float
    middle: float
    fine: float

    def _apply(self, state: EditState, context: EditContext) -> EditState:
        if len(state.textures) > 1:
            raise UserError("the layers have textures of their own already")
        other, groups = context.photograph(self.photograph).codes.texture, context.model.generator.block_groups
        strengths = {"coarse": self.coarse, "middle": self.middle, "fine": self.fine}
        textures = editing.textures_per_block(state.textures[0], other, groups, strengths)
        return state._replace(textures=tuple(textures))


@dataclass(frozen=True)
class Regions(Edit):
    """The textures of photographs, each where its mask says."""

    name: ClassVar[str] = "regions"
    photographs: tuple[int, ...]
    masks: tuple[Mask, ...]
    radius: int

    def _apply(self, state: EditState, context: EditContext) -> EditState:
        references = [context.photograph(number).codes.texture for number in self.photographs]
        masks = [mask.to_tensor() for mask in self.masks]

        def edit(own: Tensor) -> Tensor:
            grid = grid_of(own if own.dim() == 4 else state.structure)
            return editing.texture_map(own, references, masks, grid, radius=self.radius)

        return state.edit_textures(edit)


@dataclass(frozen=True)
class Directed(Edit):
    """Moved along directions of the model, named ones and principal axes, all over or inside a mask.

    Attributes:
        gains: by name, as `Directions.apply` takes them.
        orthogonal: each does only what those before it do not (`Directions.vectors`).
        digest: of the directions' numbers, so that others of the same names are not taken for them.
    """

    name: ClassVar[str] = "directions"
    gains: Mapping[str, float]
    orthogonal: bool
    mask: Mask | None
    radius: int
    digest: str

    def _apply(self, state: EditState, context: EditContext) -> EditState:
        known = context.directions
        if known is None:
            raise UserError("the model has no directions; `swapae direction make` makes them")
        if directions_digest(known, self.gains, orthogonal=self.orthogonal) != self.digest:
            raise UserError("the model's directions are not those that the recipe was made with")
        moved = state.along_directions(known, self.gains, orthogonal=self.orthogonal)
        if self.mask is None:
            return moved
        own = state.structure
        weight = feather(fit_mask(self.mask.to_tensor(), 1, grid_of(own), own.device), self.radius).to(own)
        # Outside the mask both codes stay as they are, bit for bit.
        pairs = zip(state.textures, moved.textures, strict=True)
        maps = [[map_of(Codes(own, texture)) for texture in pair] for pair in pairs]
        textures = tuple(torch.lerp(before, after, weight) for before, after in maps)
        return state._replace(structure=torch.lerp(own, moved.structure, weight), textures=textures)


@dataclass(frozen=True)
class Translate(Edit):
    """From the domain of some photographs to that of others, by the difference of their mean textures."""

    name: ClassVar[str] = "translate"
    source: tuple[int, ...]
    target: tuple[int, ...]
    gain: float

    def _apply(self, state: EditState, context: EditContext) -> EditState:
        source, target = (
            torch.cat([context.photograph(number).codes.texture for number in numbers])
            for numbers in (self.source, self.target)
        )
        return state.edit_textures(lambda own: editing.translate(own, source, target, gain=self.gain))


@dataclass(frozen=True)
class BlendStructure(Edit):
    """The structure of another photograph of the same shape, by degrees."""

    name: ClassVar[str] = "shape"
    photograph: int
    amount: float

    def _apply(self, state: EditState, context: EditContext) -> EditState:
        other = context.photograph(self.photograph).codes.structure
        if other.shape != state.structure.shape:
            raise UserError("shapes blend only between photographs of the same width and height: crop them alike")
        pairs = (state.structure, state.opacity), (other, context.photograph(self.photograph).opacity)
        opacity = edit_opacity(pairs, context.model, lambda own, there: torch.lerp(own, there, self.amount))
        return state._replace(structure=editing.interpolate(state.structure, other, self.amount), opacity=opacity)


@dataclass(frozen=True)
class Paste(Edit):
    """A region of a photograph, or of the picture so far (`photograph` none), copied to a place."""

    name: ClassVar[str] = "paste"
    photograph: int | None
    box: Box
    place: Box
    flip: bool
    radius: int

    def _apply(self, state: EditState, context: EditContext) -> EditState:
        own = other = state.structure, state.opacity
        if self.photograph is not None:
            photograph = context.photograph(self.photograph)
            other = photograph.codes.structure, photograph.opacity
        pasted = editing.paste(own[0], other[0], self.box, self.place, flip=self.flip, radius=self.radius)
        where = Placement(self.box, self.place, self.flip, self.radius)
        return state._replace(structure=pasted, opacity=paste_opacity((own, other), context.model, where))


@dataclass(frozen=True)
class Move(Edit):
    """A region moved elsewhere, its hole filled from around it."""

    name: ClassVar[str] = "move"
    box: Box
    place: Box
    flip: bool
    radius: int

    def _apply(self, state: EditState, context: EditContext) -> EditState:
        moved = editing.move(state.structure, self.box, self.place, flip=self.flip, radius=self.radius)
        where = Placement(self.box, self.place, self.flip, self.radius)
        opacity = move_opacity((state.structure, state.opacity), context.model, where)
        return state._replace(structure=moved, opacity=opacity)


@dataclass(frozen=True)
class Drag(Edit):
    """Points moved elsewhere, and the shapes around them with them.

    Attributes:
        handles, targets: (x, y) in pixels, as `editing.drag` takes them.
        mask: 1 where nothing moves; none lets everything move.
        radius: cells outside the mask over which half of the fade goes.
    """

    name: ClassVar[str] = "drag"
    handles: Points
    targets: Points
    mask: Mask | None
    radius: int

    def _apply(self, state: EditState, context: EditContext) -> EditState:
        check_within([*self.handles, *self.targets], state.size)
        points = self.handles, self.targets
        mask = None if self.mask is None else self.mask.to_tensor()
        stride = context.model.config.stride
        dragged = editing.drag(state.structure, *points, stride=stride, mask=mask, radius=self.radius)
        opacity = drag_opacity((state.structure, state.opacity), context.model, points, mask, self.radius)
        return state._replace(structure=dragged, opacity=opacity)


@dataclass(frozen=True)
class Outpaint(Edit):
    """More picture beyond the border: cells above and below, and to both sides."""

    name: ClassVar[str] = "outpaint"
    rows: int
    columns: int

    def _apply(self, state: EditState, context: EditContext) -> EditState:
        return state.with_grid(
            lambda codes: editing.outpaint(codes, rows=self.rows, columns=self.columns),
            lambda: outpaint_opacity((state.structure, state.opacity), context.model, self.rows, self.columns),
            context.model,
        )


@dataclass(frozen=True)
class Join(Edit):
    """Other photographs to the right, with a soft seam.

    Attributes:
        shared: 0 leaves them their own textures, 1 gives them that of the picture so far.
    """

    name: ClassVar[str] = "join"
    photographs: tuple[int, ...]
    seam: int
    shared: float

    def _apply(self, state: EditState, context: EditContext) -> EditState:
        photographs = [context.photograph(number) for number in self.photographs]
        others = [photograph.codes for photograph in photographs]
        if {codes.structure.shape[2] for codes in others} != {state.structure.shape[2]}:
            raise UserError("only photographs of the same height can be joined: crop them to one shape")

        def grow(codes: Codes) -> Codes:
            # A map is of the first photograph's places; of it the others get the mean.
            texture = codes.texture if codes.texture.dim() == 2 else codes.texture.mean((2, 3))
            dressed = [
                Codes(other.structure, editing.interpolate(other.texture, texture, self.shared)) for other in others
            ]
            return editing.join([codes, *dressed], seam=self.seam)

        pairs = [(state.structure, state.opacity), *((one.codes.structure, one.opacity) for one in photographs)]
        return state.with_grid(grow, lambda: join_opacity(pairs, context.model, self.seam), context.model)


@dataclass(frozen=True)
class Keep(Edit):
    """The photograph's own luminance, or its own colours, beneath what was decoded."""

    name: ClassVar[str] = "keep"
    what: str

    def _apply(self, state: EditState, context: EditContext) -> EditState:
        original = state.original_pixels()

        def finish(picture: Tensor) -> Tensor:
            pair = (original, picture) if self.what == "luminance" else (picture, original)
            return editing.combine_luminance_and_colour(*pair)

        return state._replace(finishes=(*state.finishes, finish))


@dataclass(frozen=True)
class Protect(Edit):
    """The photograph's own pixels inside a mask, bit for bit; the edge fades outside it over `radius` pixels."""

    name: ClassVar[str] = "protect"
    mask: Mask
    radius: int

    def _apply(self, state: EditState, context: EditContext) -> EditState:
        original, kept = state.original_pixels(), self.mask.to_tensor()

        def finish(picture: Tensor) -> Tensor:
            return editing.protect(original, picture, kept, radius=self.radius)

        return state._replace(finishes=(*state.finishes, finish))


# By the names that recipes have for them.
EDITS: dict[str, type[Edit]] = {
    kind.name: kind
    for kind in (
        SwapTexture,
        Mix,
        Layers,
        Regions,
        Directed,
        Translate,
        BlendStructure,
        Paste,
        Move,
        Drag,
        Outpaint,
        Join,
        Keep,
        Protect,
    )
}
