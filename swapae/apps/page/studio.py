"""`Studio`: from the bytes of photographs and the page's settings to a picture."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from PIL import Image
from torch import Tensor

from swapae import editing
from swapae.apps.page.refined import Drawing, RefinedPhotographs
from swapae.apps.page.settings import AXES, Situation, Values, checked, edits_of
from swapae.apps.page.turns import Turns
from swapae.apps.page.uploads import CACHE_BYTES, Upload, UploadCache, upload_size
from swapae.editing.directions import Directions
from swapae.editing.masks import grid_of
from swapae.editing.operations import Regions
from swapae.editing.recipes import ModelId, PhotographId, Recipe
from swapae.editing.state import EditContext, EncodedPhotograph
from swapae.editing.validation import MAX_PHOTOGRAPHS, Mask, number
from swapae.errors import PictureError, UserError
from swapae.model import DEFAULT_NOISE_SEED, Autoencoder, SwapAE
from swapae.pictures.images import to_pil

MAX_DOMAIN = 6  # photographs of each kind in a translation


class Result(NamedTuple):
    """An edited picture.

    Attributes:
        image: with `Recipe.metadata` in its `info`, which PNG writers keep.
        before: the photograph, of the same size.
        recipe: how to make it again.
        seconds: it took.
        outside: mean change beyond the painted regions in 8-bit levels; None without regions.
        faithful: how faithful the photograph is drawn, 0 to 1. Of this the recipe does not know.
    """

    image: Image.Image
    before: Image.Image
    recipe: Recipe
    seconds: float
    outside: float | None
    faithful: float = 0.0


class RecipePhotographs:
    """The photographs of a recipe, taken in as edits ask for them; the structure photograph is the first."""

    def __init__(self, files: Mapping[str, bytes | None], take: Callable[[bytes], Upload]) -> None:
        self.files, self.take = files, take
        self.taken: dict[str, Upload] = {}

    def number(self, role: str) -> int:
        """The place of a role's photograph.

        Raises:
            UserError: a sentence that begins with the role.
        """
        data, name = self.files.get(role), role.capitalize()
        if role not in self.taken:
            if data is None:
                raise UserError(f"{name}: give a photograph")
            try:
                self.taken[role] = self.take(data)
            except PictureError as error:
                raise PictureError(f"{name}: {error}") from error
        return list(self.taken).index(role)

    def domains(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The places of the photographs of both kinds, by the roles "from 1", "to 1" and so on.

        Raises:
            UserError: there are none of one kind, or too many.
        """
        kinds = [[role for role in self.files if role.startswith(kind)] for kind in ("from ", "to ")]
        if not all(1 <= len(roles) <= MAX_DOMAIN for roles in kinds):
            raise UserError(f"give 1 to {MAX_DOMAIN} photographs of the one kind, and of the other")
        source, target = (tuple(self.number(role) for role in roles) for roles in kinds)
        return source, target


class Studio:
    """The handlers of one model; threads may share it.

    Args:
        model: in evaluation mode.
        directions: the model's, if it has any.
        turns: shared by all studios of a page.
        trained: gives the model's trained form, if it is in another.
        cache_bytes: of its `UploadCache`.
    """

    def __init__(
        self,
        model: Autoencoder,
        directions: Directions | None = None,
        *,
        turns: Turns | None = None,
        trained: Callable[[], SwapAE] | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.model, self.directions = model, directions
        self.turns = turns or Turns()
        self.id = ModelId.of(model)
        self.uploads = UploadCache(model, cache_bytes)
        self.refined = RefinedPhotographs(model, trained or (lambda: cast(SwapAE, model)), self.turns)

    @property
    def gain_names(self) -> list[str]:
        """The model's named directions, in the order of their sliders."""
        return [] if self.directions is None else list(self.directions.named)

    @property
    def direction_names(self) -> list[str]:
        """The model's named directions, then the principal axes among `settings.AXES` that it has."""
        if self.directions is None:
            return []
        there = self.directions.axis_names()
        return [*self.directions.named, *(name for name in AXES if name in there)]

    def edit(self, files: Mapping[str, bytes | None], values: Values, visit: str = "") -> Result:
        """The picture that photographs and settings make.

        Args:
            files: by role (`settings.ROLES`; "from 1", "to 1" and so on for kinds), as `UploadCache.get` takes them.
            values: of `settings.SETTINGS`, the defaults for those that are not given.
            visit: as of `UploadCache.get`.

        Raises:
            UserError: a sentence that begins with the input or the setting it is about.
        """
        with self.turns.edit():
            recipe, context = self.plan(files, values, visit)
            start = time.perf_counter()
            with torch.inference_mode():
                picture = recipe.render(context)
            seconds = time.perf_counter() - start
            outside = change_outside(recipe, context, picture)
        image = to_pil(picture)
        drawing = self.drawing(recipe, values)
        drawn_by_it = drawing is not None and context.photographs[0].codes is drawing.codes
        faithful = values.get("fidelity", 0.0) if drawn_by_it else 0.0
        # A recipe that would make another picture is not carried.
        image.info.update((recipe.model if faithful else recipe).metadata().items())
        before = before_edits(context.photographs[0], image, recipe)
        return Result(image, before, recipe, seconds, outside, faithful)

    def glimpse(self, files: Mapping[str, bytes | None], values: Values, visit: str = "") -> Image.Image | None:
        """As `edit`, the picture alone; None where it cannot be."""
        try:
            with self.turns.one_of_many(), torch.inference_mode():
                recipe, context = self.plan(files, values, visit)
                return to_pil(recipe.render(context))
        except UserError:
            return None

    def taken_in(self, data: bytes, visit: str = "") -> Upload:
        """An upload, as `UploadCache.get`, but encoded in turn."""
        with self.turns.edit():
            return self.uploads.get(data, visit)

    def plan(
        self,
        files: Mapping[str, bytes | None],
        values: Values,
        visit: str = "",
        take: Callable[[bytes], Upload] | None = None,
    ) -> tuple[Recipe, EditContext]:
        """The recipe of photographs and settings, and what it needs to be rendered.

        Args:
            files, values, visit: as in `edit`.
            take: how photographs are taken in; at the model's size if not given.

        Raises:
            UserError: as of `edit`.
        """
        settings, photographs = (
            checked(values),
            RecipePhotographs(files, take or partial(self.uploads.get, visit=visit)),
        )
        photographs.number("structure")
        own = photographs.taken["structure"].encoded
        situation = Situation(
            photographs.number, grid_of(own.codes.structure), own.size, self.directions, photographs.domains
        )
        edits = edits_of(settings, situation)
        inputs = tuple(PhotographId(role, upload.sha256) for role, upload in photographs.taken.items())
        if len(inputs) > MAX_PHOTOGRAPHS:
            raise UserError(f"at most {MAX_PHOTOGRAPHS} photographs make a picture, got {len(inputs)}")
        recipe = Recipe(self.id, inputs, tuple(edits), DEFAULT_NOISE_SEED)
        model, encoded = self.model, [upload.encoded for upload in photographs.taken.values()]
        drawing = None if take else self.drawing(recipe, settings, visit)
        if drawing is not None:
            model, encoded[0] = drawing.model, encoded[0]._replace(codes=drawing.codes)
        return recipe, EditContext(model, encoded, self.directions)

    def drawing(self, recipe: Recipe, values: Values, visit: str = "") -> Drawing | None:
        """What draws a recipe's structure photograph faithfully, if checked settings wish that and it is made."""
        wish = self.refined.wish(recipe.inputs[0].sha256, values.get("fidelity", 0.0))
        return self.refined.find(wish, visit)

    def replay(self, text: str | bytes, files: Sequence[bytes]) -> Result:
        """The picture of a recipe from elsewhere.

        Args:
            text: the recipe's JSON.
            files: its photographs, in any order.

        Raises:
            UserError: as of `Recipe.replay`, or one of the recipe's photographs has an extreme shape.
        """
        recipe = Recipe.from_json(text)
        named = {photograph.sha256 for photograph in recipe.inputs}
        for data in files:
            if hashlib.sha256(data).hexdigest() in named:
                upload_size(data)
        start = time.perf_counter()
        with self.turns.edit():
            picture = recipe.replay(self.model, files, directions=self.directions)
        image = to_pil(picture)
        image.info.update(recipe.metadata().items())
        return Result(image, image, recipe, time.perf_counter() - start, None)

    def similar(self, data: bytes, across: Any, along: Any, likeness: Any, visit: str = "") -> Mask:
        """The region of a photograph that is like one point of it.

        Args:
            data: the photograph's file.
            across, along: the point, from 0 at the left or the top to 1.
            likeness: cosine from which a place belongs to it, -1 to 1.
            visit: as of `UploadCache.get`.

        Raises:
            UserError: a sentence about what is wrong.
        """
        structure = self.taken_in(data, visit).encoded.codes.structure
        down, right = number(0, 1)("The point's height", along), number(0, 1)("The point's place across", across)
        rows, columns = grid_of(structure)
        cell = (min(int(down * rows), rows - 1), min(int(right * columns), columns - 1))
        threshold = number(-1, 1)("Likeness", likeness)
        return Mask.from_tensor(editing.select_similar(structure, cell, threshold=threshold))


def before_edits(photograph: EncodedPhotograph, image: Image.Image, recipe: Recipe) -> Image.Image:
    """The photograph in the size of an edited `image`: grey where the edits went beyond it."""
    fitted = to_pil(photograph.image, photograph.size, photograph.opacity)
    if fitted.size == image.size:
        return fitted
    room = Image.new("RGB", image.size, (127, 127, 127))
    joined = any(edit.name == "join" for edit in recipe.edits)
    left = 0 if joined else (image.width - fitted.width) // 2
    room.paste(fitted, (left, (image.height - fitted.height) // 2))
    return room


def change_outside(recipe: Recipe, context: EditContext, picture: Tensor) -> float | None:
    """Mean change of a picture beyond its painted regions, in 8-bit levels; None without regions on its own size."""
    painted = next((edit for edit in recipe.edits if isinstance(edit, Regions)), None)
    resized = any(edit.name in ("outpaint", "join") for edit in recipe.edits)
    if painted is None or resized:
        return None
    rest = tuple(edit for edit in recipe.edits if edit is not painted)
    masks = [editing.feather(one.to_tensor(), painted.radius) for one in painted.masks]
    mask = torch.stack(masks).amax(0)
    if mask.all():
        return None
    with torch.inference_mode():
        state = Recipe(recipe.model, recipe.inputs, rest, recipe.noise).final_state(context)
        plain = state.decode(context.model, recipe.noise)  # the picture's, though no edit may be left
        return editing.change(plain[:, :3], picture[:, :3], mask).outside_mean
