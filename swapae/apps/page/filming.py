"""Films of an edit: it comes about, its texture travels through all photographs, or it moves along a direction."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image

from swapae import editing
from swapae.apps.page.long_work import Progress
from swapae.apps.page.settings import Values
from swapae.apps.page.studio import Studio
from swapae.editing.motion import ease
from swapae.editing.operations import Drag
from swapae.editing.recipes import Recipe
from swapae.editing.state import EditContext, EditState
from swapae.editing.validation import choice, number, switch, whole
from swapae.errors import UserError
from swapae.model import Autoencoder
from swapae.pictures.animation import save_animation
from swapae.pictures.images import to_pil

MAX_FRAMES = 96
FORMATS = ("gif", "webp", "mp4")
FILMS = ("edit", "textures", "direction")
# What the buttons say, and what while a film is made.
BUTTONS = {
    "make": ("Make the film", "Making the film ..."),
    "restyle": ("Restyle the video", "Restyling the video ..."),
}


class FilmSettings(NamedTuple):
    """What film it is; `make_film` checks all of it.

    Attributes:
        kind: one of FILMS.
        direction: of the model, for a film along it: to `reach` of it, back, and as far the other way.
        reach: gain, 0 to 3.
        frames: from one stop to the next; all in all at most MAX_FRAMES.
        rate: frames per second.
        back: return to the beginning, for films that repeat.
    """

    kind: str = "edit"
    direction: str = ""
    reach: float = 1.0
    frames: int = 24
    rate: int = 12
    back: bool = True


def make_film(
    studio: Studio,
    files: Mapping[str, bytes | None],
    values: Values,
    path: Path,
    settings: FilmSettings,
    progress: Progress = lambda pictures, total: pictures,
) -> Path:
    """Write a film of an edit.

    Args:
        studio: with the model.
        files, values: as in `Studio.edit`.
        path: to write, ending in one of FORMATS.
        settings: of the film.
        progress: is given the frames and how many there are, and passes them on.

    Raises:
        UserError: a sentence about what is wrong.
    """
    choice(*FORMATS)("Format", path.suffix[1:])
    choice(*FILMS)("Film", settings.kind)
    closed = switch("There and back", settings.back)
    steps = whole(2, MAX_FRAMES)("Frames", settings.frames)
    rate = whole(1, 30)("Frames per second", settings.rate)
    with studio.turns.one_of_many(), torch.inference_mode():
        recipe, context = studio.plan(files, values)
        state = recipe.final_state(context)
        if settings.kind == "edit":
            stops = [unedited(state, context), state]
        elif settings.kind == "textures":
            stops = through_textures(studio, files, state, context)
        else:
            reach = number(0, 3)("As far as", settings.reach)
            stops = along_direction(context, settings.direction, reach, state, closed)
    total = len(stops) * steps if closed else (len(stops) - 1) * steps + 1
    if total > MAX_FRAMES:
        raise UserError(f"the film would have {total} frames, over {MAX_FRAMES}: take fewer frames")
    states = travelled(stops, steps, closed)
    if settings.kind == "edit" and any(isinstance(edit, Drag) for edit in recipe.edits):
        states = dragged_along(recipe, context, stops[0], steps, closed)
    frames = progress(film_frames(studio, context.model, states, recipe.noise), total)
    return save_animation(frames, path, frames_per_second=rate, metadata=studio.id.metadata())


def steps_of(kind: str, photographs: int, frames: object, back: object) -> int:
    """Frames from one stop to the next, for a film of about so many frames in all and never over MAX_FRAMES.

    Raises:
        UserError: no number of frames.
    """
    most = whole(2, MAX_FRAMES)("Frames", frames)
    stops = {"edit": 2, "textures": max(2, photographs)}.get(kind, 4 if back else 3)
    return max(2, most // stops if back else (most - 1) // (stops - 1))


def unedited(state: EditState, context: EditContext) -> EditState:
    """The photograph before its edits, finished as they are; of another size, only its texture before them."""
    structure, texture = context.photographs[0].codes
    if structure.shape != state.structure.shape:
        structure = state.structure
    return state._replace(structure=structure, textures=(texture,))


def travelled(stops: Sequence[EditState], steps: int, closed: bool) -> Iterator[EditState]:
    """The states on the straight way of codes from stop to stop."""
    layers = max(len(stop.textures) for stop in stops)
    ways = [
        editing.journey([stop.textures[layer % len(stop.textures)] for stop in stops], steps, closed=closed)
        for layer in range(layers)
    ]
    for structure in editing.journey([stop.structure for stop in stops], steps, closed=closed):
        yield stops[-1]._replace(structure=structure, textures=tuple(next(way) for way in ways))


def dragged_along(
    recipe: Recipe, context: EditContext, before: EditState, steps: int, closed: bool
) -> Iterator[EditState]:
    """The states while edits come about and points move; by `travelled` they would fade from one place to the other."""
    there = range(steps + 1)
    for step in [*there, *there[-2:0:-1]] if closed else there:
        yield part_way(recipe, context, before, ease(step / steps))


def part_way(recipe: Recipe, context: EditContext, before: EditState, share: float) -> EditState:
    """The state at which points are dragged a share of their way, and all else has come about by that share."""

    def dragged(edit: Drag) -> Drag:
        pairs = zip(edit.handles, edit.targets, strict=True)
        targets = tuple((x + share * (to_x - x), y + share * (to_y - y)) for (x, y), (to_x, to_y) in pairs)
        return dataclasses.replace(edit, targets=targets)

    edits = tuple(dragged(edit) if isinstance(edit, Drag) else edit for edit in recipe.edits)
    state = dataclasses.replace(recipe, edits=edits).final_state(context)
    alone = dataclasses.replace(recipe, edits=tuple(edit for edit in edits if isinstance(edit, Drag)))
    structure = alone.final_state(context).structure
    if structure.shape == state.structure.shape:
        state = state._replace(structure=editing.interpolate_spherical(structure, state.structure, share))
    return state.edit_textures(lambda texture: editing.interpolate_spherical(before.textures[0], texture, share))


def through_textures(
    studio: Studio, files: Mapping[str, bytes | None], state: EditState, context: EditContext
) -> list[EditState]:
    """The stops of a film through the textures of all photographs; UserError with fewer than two."""
    given = {role: data for role, data in files.items() if data is not None and " " not in role}
    if len(given) < 2:
        raise UserError("give two photographs or more to travel between")
    # The first photograph's as it is drawn, which may be more faithfully than it was encoded.
    textures = [
        (context.photographs[0] if role == "structure" else studio.uploads.get(data).encoded).codes.texture
        for role, data in given.items()
    ]
    return [state._replace(textures=(texture,)) for texture in textures]


def along_direction(
    context: EditContext, direction: str, reach: float, state: EditState, closed: bool
) -> list[EditState]:
    """The stops of a film along a direction, both ways; UserError if the model has none, or none of this name."""
    if context.directions is None:
        raise UserError("this model has no directions: choose another film")
    less, more = (state.along_directions(context.directions, {direction: gain}) for gain in (-reach, reach))
    return [state, more, state, less] if closed else [less, state, more]


def film_frames(studio: Studio, model: Autoencoder, states: Iterator[EditState], noise: int) -> Iterator[Image.Image]:
    """The pictures of states, one at a time in memory; others' edits go between them."""
    while True:
        with studio.turns.one_of_many(), torch.inference_mode():
            state = next(states, None)
            if state is None:
                return
            picture = to_pil(state.decode(model, noise))
        yield picture
