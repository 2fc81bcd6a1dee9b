"""Videos in: frames of a file one at a time, so that a long one needs no more memory than a short one.

What is opened may come from anyone: only formats that hold all of their frames are read, none that names other
files or addresses to fetch (as playlists do), and whatever is broken is a `UserError` of one line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from swapae.errors import UserError, first_line
from swapae.pictures.images import MAX_PIXELS

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,ogg,gif"
FASTEST = 1000  # frames per second
MOST_OBLONG = 4  # of pixels that are not square


@dataclass(frozen=True)
class Video:
    """An open video.

    Attributes:
        rate: frames per second, on average.
        count: of frames, as the file claims; 0 if it does not.
        expected: of frames, `count` or by the length; 0 if neither is known.
        time_base: seconds, of which all times are multiples.
        origin: seconds at which pictures and sound begin, by the file's own clock.
        times: seconds from there at which each frame is shown that has been read; it grows as they are.
        frames: each [H, W, 3] of uint8, upright and all of one size; to be read once, while the video is open.
    """

    rate: Fraction
    count: int
    expected: int
    time_base: Fraction
    origin: Fraction
    times: list[Fraction]
    frames: Iterator[np.ndarray]


@contextmanager
def open_video(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Iterator[Video]:
    """Open the first picture track of a video file.

    Args:
        path: of the file: .mp4, .mov, .mkv, .webm, .avi, .gif and others.
        max_pixels: frames of more are refused.

    Raises:
        UserError: missing, no video, of another format, damaged or too large; also while reading frames.
    """
    import av

    name = repr(os.fspath(path))
    if not Path(path).is_file():  # and no pipe or device, which might never end
        raise UserError(f"there is no file {name}: check the path")
    with open(path, "rb") as file:
        try:
            container = av.open(file, "r", options={"format_whitelist": FORMATS})
        except Exception as error:  # FFmpeg's, and PyAV's own for what is no file of frames
            raise UserError(
                f"{name} is no video of a known format, or damaged ({first_line(error)}): convert it to .mp4"
            ) from None
        with container:
            if not container.streams.video:
                raise UserError(f"{name} holds no pictures: give a video")
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            if not 0 < rate <= FASTEST:
                raise UserError(f"{name} claims {float(rate):g} frames per second: convert it to {FASTEST} at most")
            size = (stream.codec_context.width, stream.codec_context.height)
            shown = with_square_pixels(size, stream.sample_aspect_ratio)
            if not 0 < shown[0] * shown[1] <= max_pixels:
                raise UserError(f"{name} has frames of {shown[0]}x{shown[1]}, over the limit of {max_pixels} pixels")
            rate, times = rate.limit_denominator(60_000), list[Fraction]()
            base = stream.time_base or 1 / rate
            length = stream.duration * base if stream.duration else Fraction(container.duration or 0, av.time_base)
            origin = Fraction(container.start_time or 0, av.time_base)
            frames = timed(read_frames(container, name, size, shown), times, origin, 1 / rate)
            yield Video(rate, stream.frames, stream.frames or round(length * rate), base, origin, times, frames)


def timed(
    frames: Iterator[tuple[np.ndarray, Fraction | None]], times: list[Fraction], origin: Fraction, step: Fraction
) -> Iterator[np.ndarray]:
    """Frames without their times, which go to a list: each after the one before, `step` later if it is not known."""
    for pixels, time in frames:
        least = times[-1] + step if times else Fraction(0)
        time = least if time is None else max(time - origin, Fraction(0))
        times.append(least if times and time <= times[-1] else time)
        yield pixels


def read_frames(
    container: InputContainer, name: str, size: tuple[int, int], shown: tuple[int, int]
) -> Iterator[tuple[np.ndarray, Fraction | None]]:
    """The frames of the first picture track and their times.

    Args:
        container: of the video.
        name: of the file, for messages.
        size: (width, height) of the frames as they are stored.
        shown: as they are to be shown, before they are turned.

    Raises:
        UserError: damaged, without any frame, or with frames of several sizes.
    """
    decoded = container.decode(video=0)
    count = 0
    while True:
        try:
            frame = next(decoded, None)
            # One that is larger than the file claims is not even converted.
            pixels = upright(frame, shown) if frame is not None and (frame.width, frame.height) == size else None
        except Exception as error:  # the decoders raise much when fed damaged data
            raise UserError(f"{name} is damaged after frame {count} ({first_line(error)}): convert it anew") from None
        if frame is None:
            break
        if pixels is None:
            raise UserError(f"{name} changes its size after frame {count}: convert it to one size")
        count += 1
        yield pixels, None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base
    if not count:
        raise UserError(f"{name} holds no frames: give a video")


def with_square_pixels(size: tuple[int, int], ratio: Fraction | None) -> tuple[int, int]:
    """(width, height) in square pixels of frames whose pixels are `ratio` times as wide as high, as of DVDs."""
    if not ratio or not 1 / MOST_OBLONG <= ratio <= MOST_OBLONG:  # not known, or nonsense
        return size
    width, height = size
    return (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))


def upright(frame: VideoFrame, shown: tuple[int, int]) -> np.ndarray:
    """Pixels [H, W, 3] of a frame, of the size and turned as the file says that it is to be shown."""
    pixels = frame.reformat(*shown, format="rgb24").to_ndarray()
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
