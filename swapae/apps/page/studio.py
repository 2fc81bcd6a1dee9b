"""`Studio`: from the bytes of photographs and the page's settings to a picture, each photograph encoded only once."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from swapae import editing
from swapae.apps.page.settings import AXES, Situation, Values, checked, edits_of
from swapae.editing.directions import Directions
from swapae.editing.operations import Regions
from swapae.editing.recipes import ModelId, PhotographId, Recipe, encode_photograph
from swapae.editing.state import EditContext, EditState, EncodedPhotograph
from swapae.editing.validation import MAX_PHOTOGRAPHS, Mask, choice, number, switch, whole
from swapae.errors import PictureError, UserError
from swapae.model import DEFAULT_NOISE_SEED, SwapAE
from swapae.pictures.animation import save_animation
from swapae.pictures.images import load_image, to_pil

# The short side is always the model's, so the aspect bounds the work and memory that one upload can ask for.
MAX_ASPECT = 4
PREVIEW_SIDE = 768
CACHE_BYTES = 256 * 1024**2
MAX_DOMAIN = 6  # photographs of each kind in a translation
MAX_FRAMES = 96
FORMATS = ("gif", "webp", "mp4")
FILMS = ("edit", "textures", "direction")
# What nobody asked for again within this many seconds is no longer kept, whoever had uploaded it.
KEEP_SECONDS = 3600.0


@dataclass
class CacheEntry:
    """A photograph that is kept, for which visits, and when it was last asked for (`time.monotonic`)."""

    photograph: Upload
    visits: set[str]
    asked: float


class Upload(NamedTuple):
    """What is kept of an upload.

    Attributes:
        encoded: codes and pixels as the model sees them, of a batch of one, on the model's device.
        preview: the picture as the visitor sees it, no side over PREVIEW_SIDE.
        sha256: of the file.
    """

    encoded: EncodedPhotograph
    preview: Image.Image
    sha256: str

    @property
    def nbytes(self) -> int:
        """Memory held by codes and pixels."""
        tensors = (*self.encoded.codes, self.encoded.image)
        pixels = 3 * self.preview.width * self.preview.height
        return pixels + sum(tensor.numel() * tensor.element_size() for tensor in tensors)


class Result(NamedTuple):
    """An edited picture.

    Attributes:
        image: with `Recipe.metadata` in its `info`, which PNG writers keep.
        before: the photograph, of the same size.
        recipe: how to make it again.
        seconds: it took.
        outside: mean change beyond the painted regions in 8-bit levels; None without regions.
    """

    image: Image.Image
    before: Image.Image
    recipe: Recipe
    seconds: float
    outside: float | None


class Cast:
    """The photographs of a recipe, taken in as edits ask for them; the structure photograph is the first."""

    def __init__(self, studio: Studio, files: Mapping[str, bytes | None], visit: str) -> None:
        self.studio, self.files, self.visit = studio, files, visit
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
                self.taken[role] = self.studio.photograph(data, self.visit)
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
        cache_bytes: bound on what is kept of photographs; the one used longest ago goes first.
    """

    def __init__(self, model: SwapAE, directions: Directions | None = None, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.model, self.directions = model, directions
        self.id = ModelId.of(model)
        self.cache_bytes = cache_bytes
        self._kept: OrderedDict[str, CacheEntry] = OrderedDict()
        self._held = 0
        # Also held while encoding: two threads with the same new photograph must not both do the work.
        self._lock = threading.Lock()

    def photograph(self, data: bytes, visit: str = "") -> Upload:
        """Decode and encode an upload, or find what was kept of the same bytes.

        Args:
            data: a file in any format of `swapae.pictures.images.load_image`.
            visit: for which it is kept, until `leave`; "" if for none.

        Raises:
            PictureError: a sentence for the visitor, without paths.
        """
        key = hashlib.sha256(data).hexdigest()
        with self._lock:
            now = time.monotonic()
            self._drop(lambda kept: now - kept.asked > KEEP_SECONDS)
            if key not in self._kept:
                photograph = Upload(*self._encode(data), key)
                if photograph.nbytes > self.cache_bytes:
                    return photograph
                self._kept[key] = CacheEntry(photograph, set(), now)
                self._held += photograph.nbytes
            kept = self._kept[key]
            self._kept.move_to_end(key)
            kept.visits |= {visit} if visit else set()
            kept.asked = now
            while self._held > self.cache_bytes:
                self._forget(next(iter(self._kept)))
            return kept.photograph

    @property
    def kept(self) -> int:
        """How many photographs are kept."""
        return len(self._kept)

    @property
    def direction_names(self) -> list[str]:
        """The model's named directions, then the principal axes among `settings.AXES` that it has."""
        if self.directions is None:
            return []
        there = self.directions.axis_names()
        return [*self.directions.named, *(name for name in AXES if name in there)]

    def leave(self, visit: str) -> None:
        """Forget the photographs that only this visit had."""
        with self._lock:
            for kept in self._kept.values():
                kept.visits.discard(visit)
            self._drop(lambda kept: not kept.visits)

    def _drop(self, wanted: Callable[[CacheEntry], bool]) -> None:
        for key in [key for key, kept in self._kept.items() if wanted(kept)]:
            self._forget(key)

    def _forget(self, key: str) -> None:
        self._held -= self._kept.pop(key).photograph.nbytes

    def edit(self, files: Mapping[str, bytes | None], values: Values, visit: str = "") -> Result:
        """The picture that photographs and settings make.

        Args:
            files: by role (`settings.ROLES`; "from 1", "to 1" and so on for kinds), as `photograph` takes them.
            values: of `settings.SETTINGS`, the defaults for those that are not given.
            visit: as of `photograph`.

        Raises:
            UserError: a sentence that begins with the input or the setting it is about.
        """
        recipe, context = self.plan(files, values, visit)
        start = time.perf_counter()
        with torch.inference_mode():
            picture = recipe.render(context)
        seconds = time.perf_counter() - start
        image = to_pil(picture)
        image.info = recipe.metadata()
        before, outside = self._before(context.photographs[0], image, recipe), self._beyond(recipe, context, picture)
        return Result(image, before, recipe, seconds, outside)

    def glimpse(self, files: Mapping[str, bytes | None], values: Values, visit: str = "") -> Image.Image | None:
        """As `edit`, the picture alone; None where it cannot be."""
        try:
            recipe, context = self.plan(files, values, visit)
            with torch.inference_mode():
                return to_pil(recipe.render(context))
        except UserError:
            return None

    def plan(self, files: Mapping[str, bytes | None], values: Values, visit: str = "") -> tuple[Recipe, EditContext]:
        """The recipe of photographs and settings, and what it needs to be rendered.

        Raises:
            UserError: as of `edit`.
        """
        settings, cast = checked(values), Cast(self, files, visit)
        cast.number("structure")
        grid = tuple(cast.taken["structure"].encoded.codes.structure.shape[2:])
        edits = edits_of(settings, Situation(cast.number, grid, self.directions, cast.domains))
        inputs = tuple(PhotographId(role, photograph.sha256) for role, photograph in cast.taken.items())
        if len(inputs) > MAX_PHOTOGRAPHS:
            raise UserError(f"at most {MAX_PHOTOGRAPHS} photographs make a picture, got {len(inputs)}")
        recipe = Recipe(self.id, inputs, tuple(edits), DEFAULT_NOISE_SEED)
        return recipe, EditContext(self.model, [one.encoded for one in cast.taken.values()], self.directions)

    def replay(self, text: str | bytes, files: Sequence[bytes]) -> Result:
        """The picture of a recipe from elsewhere.

        Args:
            text: the recipe's JSON.
            files: its photographs, in any order.

        Raises:
            UserError: as of `Recipe.replay`.
        """
        recipe = Recipe.from_json(text)
        start = time.perf_counter()
        picture = recipe.replay(self.model, files, directions=self.directions)
        image = to_pil(picture)
        image.info = recipe.metadata()
        return Result(image, image, recipe, time.perf_counter() - start, None)

    def similar(self, data: bytes, across: Any, along: Any, likeness: Any, visit: str = "") -> Mask:
        """The region of a photograph that is like one point of it.

        Args:
            data: the photograph's file.
            across, along: the point, from 0 at the left or the top to 1.
            likeness: cosine from which a place belongs to it, -1 to 1.
            visit: as of `photograph`.

        Raises:
            UserError: a sentence about what is wrong.
        """
        structure = self.photograph(data, visit).encoded.codes.structure
        point = (number(0, 1)("The point's height", along), number(0, 1)("The point's place across", across))
        cell = tuple(
            min(int(share * cells), cells - 1) for share, cells in zip(point, structure.shape[2:], strict=True)
        )
        threshold = number(-1, 1)("Likeness", likeness)
        return Mask.from_tensor(editing.select_similar(structure, cell, threshold=threshold))

    def film(
        self,
        files: Mapping[str, bytes | None],
        values: Values,
        path: Path,
        *,
        kind: str = "edit",
        direction: str = "",
        reach: float = 1.0,
        frames: int = 24,
        rate: int = 12,
        back: bool = True,
        progress: Callable[[Iterator[Image.Image], int], Iterator[Image.Image]] = lambda frames, total: frames,
    ) -> Path:
        """A film of an edit coming about, of its texture travelling through all photographs, or along a direction.

        Args:
            files, values: as in `edit`.
            path: to write, ending in one of FORMATS.
            kind: one of FILMS.
            direction: of the model, for a film along it: to `reach` of it, back, and as far the other way.
            reach: gain, 0 to 3.
            frames: from one stop to the next; all in all at most MAX_FRAMES.
            rate: frames per second.
            back: return to the beginning, for films that repeat.
            progress: is given the frames and how many there are, and passes them on.

        Raises:
            UserError: a sentence about what is wrong.
        """
        choice(*FORMATS)("Format", path.suffix[1:])
        choice(*FILMS)("Film", kind)
        closed = switch("There and back", back)
        steps = whole(2, MAX_FRAMES)("Frames", frames)
        whole(1, 30)("Frames per second", rate)
        recipe, context = self.plan(files, values)
        with torch.inference_mode():
            state = recipe.final_state(context)
            stops = {
                "edit": lambda: [undone(state, context), state],
                "textures": lambda: self._through_textures(files, state),
                "direction": lambda: self._along(direction, number(0, 3)("As far as", reach), state, closed),
            }[kind]()
        total = len(stops) * steps if closed else (len(stops) - 1) * steps + 1
        if total > MAX_FRAMES:
            raise UserError(f"the film would have {total} frames, over {MAX_FRAMES}: take fewer frames")
        pictures = self._frames(stops, steps, closed, recipe.noise)
        frames = progress(pictures, total)
        return save_animation(frames, path, frames_per_second=rate, metadata=self.id.metadata())

    def _along(self, direction: str, reach: float, state: EditState, closed: bool) -> list[EditState]:
        if self.directions is None:
            raise UserError("this model has no directions yet; `swapae direction make` makes them")
        less, more = (state.along_directions(self.directions, {direction: gain}) for gain in (-reach, reach))
        return [state, more, state, less] if closed else [less, state, more]

    def _through_textures(self, files: Mapping[str, bytes | None], state: EditState) -> list[EditState]:
        given = [data for role, data in files.items() if data is not None and " " not in role]
        if len(given) < 2:
            raise UserError("give two photographs or more to travel between")
        textures = [self.photograph(data).encoded.codes.texture for data in given]
        return [state._replace(textures=(texture,)) for texture in textures]

    def _frames(self, stops: Sequence[EditState], steps: int, closed: bool, noise: int) -> Iterator[Image.Image]:
        layers = max(len(stop.textures) for stop in stops)
        ways = [
            editing.journey([stop.textures[layer % len(stop.textures)] for stop in stops], steps, closed=closed)
            for layer in range(layers)
        ]
        structures = editing.journey([stop.structure for stop in stops], steps, closed=closed)
        while True:
            with torch.inference_mode():
                structure, textures = next(structures, None), tuple(next(way, None) for way in ways)
                if structure is None:
                    return
                frame = stops[-1]._replace(structure=structure, textures=textures)
                picture = to_pil(frame.decode(self.model, noise))
            yield picture

    def _before(self, photograph: EncodedPhotograph, image: Image.Image, recipe: Recipe) -> Image.Image:
        fitted = to_pil(photograph.image, photograph.size)
        if fitted.size == image.size:
            return fitted
        room = Image.new("RGB", image.size, (127, 127, 127))
        joined = any(edit.name == "join" for edit in recipe.edits)
        left = 0 if joined else (image.width - fitted.width) // 2
        room.paste(fitted, (left, (image.height - fitted.height) // 2))
        return room

    def _beyond(self, recipe: Recipe, context: EditContext, picture: Tensor) -> float | None:
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
            plain = Recipe(recipe.model, recipe.inputs, rest, recipe.noise).render(context)
            return editing.change(plain, picture, mask).outside_mean

    def _encode(self, data: bytes) -> tuple[EncodedPhotograph, Image.Image]:
        image = load_image(data)
        short, long = sorted(image.size)
        if long > MAX_ASPECT * short:
            raise PictureError(
                f"the picture is {image.width}x{image.height}, over {MAX_ASPECT} times as long as wide: "
                "crop it to a less extreme shape"
            )
        encoded = encode_photograph(self.model, image)
        # In place, and only ever smaller; nobody else needs the large one.
        image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
        return encoded, image


def undone(state: EditState, context: EditContext) -> EditState:
    """The photograph before its edits, finished as they are; of another size, only its texture before them."""
    structure, texture = context.photographs[0].codes
    if structure.shape != state.structure.shape:
        structure = state.structure
    return state._replace(structure=structure, textures=(texture,))
