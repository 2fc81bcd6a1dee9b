"""Frames -> GIF, WebP, MP4 or a folder of PNGs; nothing half-written stays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from swapae.errors import UserError
from swapae.files import atomic_path, new_folder
from swapae.pictures.saving import check_output_file, metadata_options, one_text
from swapae.pictures.sound import Sound
from swapae.pictures.transparency import over_white

ANIMATION_SUFFIXES = (".gif", ".webp", ".mp4")
OPAQUE_FILMS = (".gif", ".mp4")  # GIF has transparency, but none of degrees
# Numbers of ITU-T H.273: BT.601's matrix, its range of 16 to 235, and primaries and transfer.
SMPTE_170M, LIMITED_RANGE, BT_709 = 6, 1, 1


def check_animation_output(path: str | os.PathLike[str]) -> Path:
    """The output of `save_animation`, checked before any work is done for it.

    Raises:
        UserError: an unknown suffix, a missing or unwritable folder, or a folder of frames that is not empty.
    """
    path = Path(path)
    if path.suffix:
        return check_output_file(path, ANIMATION_SUFFIXES)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path} exists already: give the name of a new folder, or of a .gif, .webp or .mp4 file")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{path.absolute().parent} is no folder: create it first")
    return path


def save_animation(
    frames: Iterable[Image.Image],
    path: str | os.PathLike[str],
    *,
    frames_per_second: int,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write RGB or RGBA frames of one size as they come; GIF and MP4 lay transparency over white.

    Args:
        frames: at least one; only one at a time is kept in memory, except by GIF and WebP, whose encoder wants all.
        path: .gif, .webp or .mp4; without a suffix, a new folder that gets 0000.png, 0001.png, ...
        frames_per_second: playing speed, of a GIF at most 50; a folder ignores it.
        metadata: texts for the film, or for each of a folder's PNGs, as of `images.save_image`.
    """
    path = check_animation_output(path)
    suffix = path.suffix.lower()
    if not suffix:
        return save_frames(frames, path, metadata or {})
    if suffix in OPAQUE_FILMS:
        frames = map(over_white, frames)
    with atomic_path(path) as temporary:
        if suffix == ".mp4":
            save_mp4(iter(frames), temporary, frames_per_second, metadata or {})
        else:
            first, *rest = frames
            options: dict[str, Any] = {"lossless": False, "quality": 90, "method": 4} if suffix == ".webp" else {}
            options |= metadata_options(suffix[1:].upper(), metadata or {})
            durations = (
                # GIF counts hundredths of a second; players slow down what claims fewer than two of them.
                [max(20, 10 * one) for one in evenly(1 + len(rest), 100 / frames_per_second)]
                if suffix == ".gif"
                else evenly(1 + len(rest), 1000 / frames_per_second)
            )
            first.save(temporary, save_all=True, append_images=rest, duration=durations, loop=0, **options)
    return path


def evenly(count: int, step: float) -> list[int]:
    """Whole numbers whose sums are nearest to the multiples of `step`."""
    ends = [round(step * number) for number in range(count + 1)]
    return [end - start for start, end in zip(ends, ends[1:], strict=False)]


def save_frames(frames: Iterable[Image.Image], folder: Path, metadata: Mapping[str, str]) -> Path:
    """Numbered PNGs in a folder that appears when all are there."""
    options = metadata_options("PNG", metadata)
    with new_folder(folder) as temporary:
        for index, frame in enumerate(frames):
            frame.save(temporary / f"{index:04d}.png", **options)
    return folder


def save_mp4(frames: Iterator[Image.Image], path: Path, frames_per_second: int, metadata: Mapping[str, str]) -> None:
    """Frames as they come to `mp4_writer`."""
    with mp4_writer(path, Fraction(frames_per_second), metadata) as write:
        for image in frames:
            write(image)


@contextmanager
def mp4_writer(
    path: Path,
    frames_per_second: Fraction,
    metadata: Mapping[str, str] | None = None,
    *,
    time_base: Fraction | None = None,
    sound: Sound | None = None,
) -> Iterator[Callable[..., None]]:
    """Yield a function that appends a frame, all of one size, to a new film that is complete at the end.

    H.264 in 4:2:0, which every player takes; sides that are odd lose their last pixel for it. Its comment is
    `images.one_text` of `metadata`.

    Args:
        path: of the film.
        frames_per_second: on average.
        metadata: texts.
        time_base: seconds, of which the frames' times are multiples: the second argument of the function. If not given
            the frames are evenly spaced, and the function takes a frame alone.
        sound: of the film, as long as it is.
    """
    import av

    with av.open(str(path), "w", format="mp4") as container:
        if metadata:
            container.metadata["comment"] = one_text(metadata)
        stream = container.add_stream("libx264", rate=frames_per_second, options={"crf": "17"})
        stream.pix_fmt = "yuv420p"
        # What the conversion from RGB makes. Untagged, players guess by the height, and show other colours from 720 on.
        context = stream.codec_context
        context.colorspace, context.color_range = SMPTE_170M, LIMITED_RANGE
        context.color_primaries = context.color_trc = BT_709  # as near as there is to sRGB
        base = time_base or 1 / frames_per_second
        stream.codec_context.time_base = stream.time_base = base
        write_sound = sound.writer(container) if sound else None
        ticks: list[int] = []  # of each frame

        def write(image: Image.Image, time: Fraction | None = None) -> None:
            width, height = (side // 2 * 2 for side in image.size)
            if not stream.codec_context.is_open:
                stream.width, stream.height = width, height
            pixels = np.ascontiguousarray(np.asarray(image)[:height, :width])
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            tick = len(ticks) if time is None else round(time / base)
            ticks.append(max(tick, ticks[-1] + 1) if ticks else tick)
            frame.pts, frame.time_base = ticks[-1], base
            container.mux(stream.encode(frame))
            if write_sound:
                write_sound(ticks[-1] * base)

        yield write
        container.mux(stream.encode())
        if write_sound:
            write_sound(None)
