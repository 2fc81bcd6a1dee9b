"""`swapae interpolate`, `journey` and `sweep`: films of one photograph on its way through textures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import tyro
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from swapae.apps.cli.checks import check_film, check_strength
from swapae.apps.cli.directions import Directory
from swapae.apps.cli.session import (
    DEFAULT_OPTIONS,
    Common,
    Frame,
    OutputPath,
    PhotographPath,
    Session,
    StructurePath,
    TexturePath,
    expand,
)
from swapae.codes import Codes
from swapae.editing import eased_amounts, interpolate, interpolate_spherical
from swapae.editing import journey as travel
from swapae.errors import UserError
from swapae.pictures.animation import check_animation_output


def interpolate_textures(
    structure: StructurePath,
    texture: TexturePath,
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    frames: int = 24,
    fps: int = 12,
    spherical: bool = False,
    ease: bool = False,
    closed: bool = False,
) -> None:
    """Film from the structure photograph's own texture to the other's.

    Args:
        structure: photograph that gives shapes and layout.
        texture: photograph whose texture is reached in the last frame.
        output: .gif, .mp4 or .webp, or a new folder for numbered PNGs.
        frames: how many, 2 or more.
        fps: frames per second.
        spherical: go between the textures along the sphere they lie on, rather than straight.
        ease: start and arrive slowly.
        closed: there and back with ease, for films that repeat.
    """
    check_animation_output(output)
    check_film(fps, "frames", frames, 2)
    session = Session(common)
    own, frame = session.encode(structure)
    other = session.texture(texture)
    between = interpolate_spherical if spherical else interpolate
    amounts = eased_amounts(frames, closed=closed) if ease or closed else [n / (frames - 1) for n in range(frames)]
    textures = (between(own.texture, other, amount) for amount in amounts)
    session.save_film(film(session, own, textures, frame, frames), output, fps)


def journey(
    textures: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="IMAGE_OR_DIR ...")],
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    structure: Annotated[Path | None, tyro.conf.arg(metavar="IMAGE")] = None,
    steps: int = 24,
    fps: int = 12,
    closed: bool = False,
) -> None:
    """Film of one photograph on a journey through the textures of several, along the sphere, resting at each.

    Args:
        textures: two photographs or more, or folders of them, in the order of the journey.
        output: .gif, .mp4 or .webp, or a new folder for numbered PNGs.
        structure: photograph that gives shapes and layout; the first of the journey if not given.
        steps: frames from one photograph to the next.
        fps: frames per second.
        closed: return to the first texture, for films that repeat.
    """
    check_animation_output(output)
    paths = expand(textures)
    if len(paths) < 2:
        raise UserError(f"a journey goes through two photographs or more, got {len(paths)}")
    legs = len(paths) if closed else len(paths) - 1
    check_film(fps, "steps", steps, 1)
    check_film(fps, "steps times the photographs", legs * steps + 1, 2)
    session = Session(common)
    own, frame = session.encode(structure or paths[0])
    stops = [session.texture(path) for path in tqdm(paths, desc="encode", unit="picture")]
    frames = legs * steps + (not closed)
    session.save_film(film(session, own, travel(stops, steps, closed=closed), frame, frames), output, fps)


def sweep(
    image: PhotographPath,
    direction: Annotated[str, tyro.conf.arg(metavar="NAME")],
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    directions: Directory = None,
    start: Annotated[float, tyro.conf.arg(name="from", metavar="GAIN")] = -1.0,
    end: Annotated[float, tyro.conf.arg(name="to", metavar="GAIN")] = 1.0,
    frames: int = 24,
    fps: int = 12,
    closed: bool = False,
) -> None:
    """Film of a photograph moved along a direction, from one gain to another, with ease.

    Args:
        image: photograph.
        direction: its name, see `swapae direction list`.
        output: .gif, .mp4 or .webp, or a new folder for numbered PNGs.
        directions: file that `swapae direction make` wrote; the model's own if not given.
        start: gain in the first frame; 0 changes nothing, 1 is a clear edit.
        end: gain in the last frame.
        frames: how many, 2 or more.
        fps: frames per second.
        closed: there and back, for films that repeat.
    """
    check_animation_output(output)
    check_film(fps, "frames", frames, 2)
    check_strength("from and --to", start, end)
    session = Session(common)
    known = session.directions(directions)
    own, frame = session.encode(image)
    gains = (start + (end - start) * amount for amount in eased_amounts(frames, closed=closed))
    moved = (known.apply(own, {direction: gain}) for gain in gains)
    pictures = (session.decode(codes, frame) for codes in tqdm(moved, total=frames, unit="frame"))
    session.save_film(pictures, output, fps)


def film(session: Session, own: Codes, textures: Iterable[Tensor], frame: Frame, frames: int) -> Iterator[Image.Image]:
    """One structure in texture after texture, with a progress bar."""
    for texture in tqdm(textures, total=frames, unit="frame"):
        yield session.decode(Codes(own.structure, texture), frame)
