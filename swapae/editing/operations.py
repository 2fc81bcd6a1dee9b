"""What a recipe is made of: edits with plain parameters, each a step from one canvas to the next.

A canvas holds the codes of a picture on their way, and what is still to be done to the pixels once it is decoded.
Every edit is a small frozen dataclass whose fields are what a recipe stores; `PARAMETERS` says what each may be.
The work itself is done by `swapae.editing`.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from swapae import editing
from swapae.codes import Codes
from swapae.editing import Box
from swapae.editing.directions import Directions
from swapae.editing.masks import feather, fit_mask
from swapae.editing.structure import map_of
from swapae.editing.validation import (
    MAX_CELLS,
    MAX_PHOTOGRAPHS,
    Check,
    Mask,
    amount,
    box,
    choice,
    gains,
    index,
    indices,
    mask,
    members,
    number,
    optional,
    radius,
    several,
    shown,
    switch,
    whole,
)
from swapae.errors import UserError, first_line
from swapae.model import SwapAE

# A canvas has at most this many times the cells of a square photograph: it bounds the work a recipe can ask for.
MAX_GROWTH = 32


class Input(NamedTuple):
    """A photograph as the model sees it.

    Attributes:
        codes: of a batch of one.
        image: [1, 3, H, W] in [-1, 1], padded to the model's stride.
        size: (width, height) without the padding.
    """

    codes: Codes
    image: Tensor
    size: tuple[int, int]


class Desk(NamedTuple):
    """What edits may use: the model, the recipe's photographs, and the model's directions if it has any."""

    model: SwapAE
    inputs: Sequence[Input]
    directions: Directions | None

    def input(self, number: int) -> Input:
        """A photograph by its place in the recipe.

        Raises:
            UserError: there are not so many.
        """
        if number >= len(self.inputs):
            raise UserError(f"there is no photograph {number}, only {len(self.inputs)} (counted from 0)")
        return self.inputs[number]


class Canvas(NamedTuple):
    """A picture on its way.

    Attributes:
        structure: [1, K, h, w].
        textures: one for all layers or one per block, each [1, T] or a map.
        size: (width, height) to crop the decoded picture to.
        original: [1, 3, H, W], the photograph it began as; None once the grid is another.
        finishes: what to do to the decoded picture, in order.
    """

    structure: Tensor
    textures: tuple[Tensor, ...]
    size: tuple[int, int]
    original: Tensor | None
    finishes: tuple[Callable[[Tensor], Tensor], ...] = ()

    def retextured(self, edit: Callable[[Tensor], Tensor]) -> Canvas:
        """With every texture edited alike."""
        return self._replace(textures=tuple(edit(texture) for texture in self.textures))

    def directed(self, known: Directions, gains: Mapping[str, float], *, orthogonal: bool = False) -> Canvas:
        """Moved along directions, every texture alike; arguments and errors are those of `Directions.apply`."""
        moved = [known.apply(Codes(self.structure, own), gains, orthogonal=orthogonal) for own in self.textures]
        return self._replace(structure=moved[0].structure, textures=tuple(codes.texture for codes in moved))

    def regrown(self, grow: Callable[[Codes], Codes], model: SwapAE) -> Canvas:
        """With codes on another grid, shown whole.

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
        return Canvas(grown[0].structure, textures, (columns * stride, rows * stride), None)

    def photograph(self) -> Tensor:
        """The pixels it began as.

        Raises:
            UserError: the picture has another size since.
        """
        if self.original is None:
            raise UserError("pixels of the photograph cannot be kept once the picture has another size")
        return self.original

    def decode(self, model: SwapAE, noise: int) -> Tensor:
        """[1, 3, H, W], finished, clamped to [-1, 1] and cropped."""
        codes = Codes(self.structure, self.textures[0])
        several = self.textures if len(self.textures) > 1 else None
        picture = model.decode(codes, noise=noise, block_textures=several).clamp(-1, 1)
        for finish in self.finishes:
            picture = finish(picture)
        width, height = self.size
        return picture[..., :height, :width]


def begin(photograph: Input) -> Canvas:
    """The canvas on which nothing was done yet."""
    structure, texture = photograph.codes
    return Canvas(structure, (texture,), photograph.size, photograph.image)


@dataclass(frozen=True)
class Edit:
    """A step of a recipe; `name` is what the recipe calls it."""

    name: ClassVar[str]

    def apply(self, canvas: Canvas, desk: Desk) -> Canvas:
        """The canvas after it.

        Raises:
            UserError: it does not fit the canvas or the photographs.
        """
        try:
            return self._apply(canvas, desk)
        except UserError:
            raise
        except ValueError as error:  # from `swapae.editing`
            raise UserError(f"{self.name}: {first_line(error)}") from error

    def _apply(self, canvas: Canvas, desk: Desk) -> Canvas:
        raise NotImplementedError

    def to_plain(self) -> dict[str, Any]:
        """For JSON."""
        fields = {field.name: plain(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return {"edit": self.name, **fields}


@dataclass(frozen=True)
class Texture(Edit):
    """The texture of another photograph, by degrees."""

    name: ClassVar[str] = "texture"
    photograph: int
    amount: float
    path: str

    def _apply(self, canvas: Canvas, desk: Desk) -> Canvas:
        other = desk.input(self.photograph).codes.texture
        between = {"linear": editing.interpolate, "spherical": editing.interpolate_spherical}[self.path]
        return canvas.retextured(lambda own: between(own, other, self.amount))


@dataclass(frozen=True)
class Mix(Edit):
    """The mean of the texture so far, weighing `own`, and of those of other photographs."""

    name: ClassVar[str] = "mix"
    own: float
    photographs: tuple[int, ...]
    weights: tuple[float, ...]

    def _apply(self, canvas: Canvas, desk: Desk) -> Canvas:
        others = [desk.input(number).codes.texture for number in self.photographs]
        return canvas.retextured(lambda own: editing.mix_textures([own, *others], [self.own, *self.weights]))


@dataclass(frozen=True)
class Layers(Edit):
    """The texture of another photograph, by another degree in each group of layers."""

    name: ClassVar[str] = "layers"
    photograph: int
    coarse: float
    middle: float
    fine: float

    def _apply(self, canvas: Canvas, desk: Desk) -> Canvas:
        if len(canvas.textures) > 1:
            raise UserError("the layers have textures of their own already")
        other, groups = desk.input(self.photograph).codes.texture, desk.model.generator.block_groups
        strengths = {"coarse": self.coarse, "middle": self.middle, "fine": self.fine}
        textures = editing.textures_per_block(canvas.textures[0], other, groups, strengths)
        return canvas._replace(textures=tuple(textures))


@dataclass(frozen=True)
class Regions(Edit):
    """The textures of photographs, each where its mask says."""

    name: ClassVar[str] = "regions"
    photographs: tuple[int, ...]
    masks: tuple[Mask, ...]
    radius: int

    def _apply(self, canvas: Canvas, desk: Desk) -> Canvas:
        references = [desk.input(number).codes.texture for number in self.photographs]
        masks = [mask.to_tensor() for mask in self.masks]

        def edit(own: Tensor) -> Tensor:
            grid = tuple(own.shape[2:]) if own.dim() == 4 else tuple(canvas.structure.shape[2:])
            return editing.texture_map(own, references, masks, grid, radius=self.radius)

        return canvas.retextured(edit)


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

    def _apply(self, canvas: Canvas, desk: Desk) -> Canvas:
        known = desk.directions
        if known is None:
            raise UserError("the model has no directions; `swapae direction make` makes them")
        if digest_of(known, self.gains, orthogonal=self.orthogonal) != self.digest:
            raise UserError("the model's directions are not those that the recipe was made with")
        moved = canvas.directed(known, self.gains, orthogonal=self.orthogonal)
        if self.mask is None:
            return moved
        own = canvas.structure
        weight = feather(fit_mask(self.mask.to_tensor(), 1, tuple(own.shape[2:]), own.device), self.radius).to(own)
        # Outside the mask both codes stay as they are, bit for bit.
        pairs = zip(canvas.textures, moved.textures, strict=True)
        maps = [[map_of(Codes(own, texture)) for texture in pair] for pair in pairs]
        textures = tuple(torch.lerp(before, after, weight) for before, after in maps)
        return canvas._replace(structure=torch.lerp(own, moved.structure, weight), textures=textures)


@dataclass(frozen=True)
class Translate(Edit):
    """From the domain of some photographs to that of others, by the difference of their mean textures."""

    name: ClassVar[str] = "translate"
    source: tuple[int, ...]
    target: tuple[int, ...]
    gain: float

    def _apply(self, canvas: Canvas, desk: Desk) -> Canvas:
        source, target = (
            torch.cat([desk.input(number).codes.texture for number in numbers])
            for numbers in (self.source, self.target)
        )
        return canvas.retextured(lambda own: editing.translate(own, source, target, gain=self.gain))


@dataclass(frozen=True)
class Shape(Edit):
    """The structure of another photograph of the same shape, by degrees."""

    name: ClassVar[str] = "shape"
    photograph: int
    amount: float

    def _apply(self, canvas: Canvas, desk: Desk) -> Canvas:
        other = desk.input(self.photograph).codes.structure
        if other.shape != canvas.structure.shape:
            raise UserError("shapes blend only between photographs of the same width and height: crop them alike")
        return canvas._replace(structure=editing.interpolate(canvas.structure, other, self.amount))


@dataclass(frozen=True)
class Paste(Edit):
    """A region of a photograph, or of the picture so far (`photograph` none), copied to a place."""

    name: ClassVar[str] = "paste"
    photograph: int | None
    box: Box
    place: Box
    flip: bool
    radius: int

    def _apply(self, canvas: Canvas, desk: Desk) -> Canvas:
        source = canvas.structure if self.photograph is None else desk.input(self.photograph).codes.structure
        pasted = editing.paste(canvas.structure, source, self.box, self.place, flip=self.flip, radius=self.radius)
        return canvas._replace(structure=pasted)


@dataclass(frozen=True)
class Move(Edit):
    """A region moved elsewhere, its hole filled from around it."""

    name: ClassVar[str] = "move"
    box: Box
    place: Box
    flip: bool
    radius: int

    def _apply(self, canvas: Canvas, desk: Desk) -> Canvas:
        moved = editing.move(canvas.structure, self.box, self.place, flip=self.flip, radius=self.radius)
        return canvas._replace(structure=moved)


@dataclass(frozen=True)
class Outpaint(Edit):
    """More picture beyond the border: cells above and below, and to both sides."""

    name: ClassVar[str] = "outpaint"
    rows: int
    columns: int

    def _apply(self, canvas: Canvas, desk: Desk) -> Canvas:
        return canvas.regrown(lambda codes: editing.outpaint(codes, rows=self.rows, columns=self.columns), desk.model)


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

    def _apply(self, canvas: Canvas, desk: Desk) -> Canvas:
        others = [desk.input(number).codes for number in self.photographs]
        if {codes.structure.shape[2] for codes in others} != {canvas.structure.shape[2]}:
            raise UserError("only photographs of the same height can be joined: crop them to one shape")

        def grow(codes: Codes) -> Codes:
            # A map is of the first photograph's places; of it the others get the mean.
            texture = codes.texture if codes.texture.dim() == 2 else codes.texture.mean((2, 3))
            dressed = [
                Codes(other.structure, editing.interpolate(other.texture, texture, self.shared)) for other in others
            ]
            return editing.join([codes, *dressed], seam=self.seam)

        return canvas.regrown(grow, desk.model)


@dataclass(frozen=True)
class Keep(Edit):
    """The photograph's own luminance, or its own colours, beneath what was decoded."""

    name: ClassVar[str] = "keep"
    what: str

    def _apply(self, canvas: Canvas, desk: Desk) -> Canvas:
        original = canvas.photograph()

        def finish(picture: Tensor) -> Tensor:
            pair = (original, picture) if self.what == "luminance" else (picture, original)
            return editing.combine_luminance_and_colour(*pair)

        return canvas._replace(finishes=(*canvas.finishes, finish))


@dataclass(frozen=True)
class Protect(Edit):
    """The photograph's own pixels inside a mask, bit for bit; the edge fades outside it over `radius` pixels."""

    name: ClassVar[str] = "protect"
    mask: Mask
    radius: int

    def _apply(self, canvas: Canvas, desk: Desk) -> Canvas:
        original, kept = canvas.photograph(), self.mask.to_tensor()

        def finish(picture: Tensor) -> Tensor:
            return editing.protect(original, picture, kept, radius=self.radius)

        return canvas._replace(finishes=(*canvas.finishes, finish))


EDITS: dict[str, type[Edit]] = {
    kind.name: kind
    for kind in (
        Texture,
        Mix,
        Layers,
        Regions,
        Directed,
        Translate,
        Shape,
        Paste,
        Move,
        Outpaint,
        Join,
        Keep,
        Protect,
    )
}
# What a field may be, whichever edit it is of; one word means one thing.
PARAMETERS: dict[str, Check] = {
    "amount": amount,
    "box": box,
    "coarse": amount,
    "columns": whole(0, MAX_CELLS),
    "digest": lambda name, value: value if isinstance(value, str) and len(value) <= 64 else "",
    "fine": amount,
    "flip": switch,
    "gain": amount,
    "gains": gains,
    "mask": optional(mask),
    "masks": several(mask, MAX_PHOTOGRAPHS),
    "middle": amount,
    "orthogonal": switch,
    "own": number(0, 10),
    "path": choice("linear", "spherical"),
    "photograph": optional(index),
    "photographs": indices,
    "place": box,
    "radius": radius,
    "rows": whole(0, MAX_CELLS),
    "seam": whole(0, MAX_CELLS),
    "shared": number(0, 1),
    "source": indices,
    "target": indices,
    "weights": several(number(0, 10), MAX_PHOTOGRAPHS),
    "what": choice("luminance", "colour"),
}
# An edit without these has nothing to do; elsewhere the fields of their kind may be empty.
NEEDED = {(Protect, "mask"), (Texture, "photograph"), (Layers, "photograph"), (Shape, "photograph")}


def edit_from_plain(values: Any, where: str) -> Edit:
    """An edit from parsed JSON.

    Args:
        values: an object with "edit", the edit's name, and all of its fields.
        where: begins the message of errors.

    Raises:
        UserError: an unknown edit, unknown or missing fields, or values out of range.
    """
    name = values.get("edit") if isinstance(values, Mapping) else None
    if not isinstance(name, str) or name not in EDITS:
        raise UserError(f'{where} must be an object whose "edit" is one of {", ".join(EDITS)}, got {shown(name)}')
    kind = EDITS[name]
    fields = [field.name for field in dataclasses.fields(kind)]
    given = members(f"{where} ({name})", values, {"edit", *fields})
    checked = {field: PARAMETERS[field](f"{where} ({name}): {field}", given[field]) for field in fields}
    for field, value in checked.items():
        if value is None and (kind, field) in NEEDED:
            raise UserError(f"{where} ({name}): {field} must be given")
    if len(checked.get("weights", checked.get("masks", ()))) != len(checked.get("photographs", ())) and name != "join":
        raise UserError(f"{where} ({name}) must have as many photographs as weights or masks")
    return kind(**checked)


def plain(value: Any) -> Any:
    """A field's value for JSON."""
    if isinstance(value, Mask):
        return value.to_plain()
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    return dict(value) if isinstance(value, Mapping) else value


def digest_of(directions: Directions, gains: Mapping[str, float], *, orthogonal: bool) -> str:
    """Hexadecimal digest of what a gain of 1 adds along each of some directions.

    Raises:
        UserError: an unknown name.
    """
    digest = hashlib.sha256()
    for name, (_, vector) in directions.vectors(gains, orthogonal=orthogonal).items():
        # Rounded, so that adding up in another order keeps it.
        rounded = (vector.detach().cpu().double() * 2**12).round().to(torch.int64)
        digest.update(name.encode() + rounded.numpy().tobytes())
    return digest.hexdigest()[:16]
