"""A visitor's video in the texture of a photograph, with the same noise in every frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import tee
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from swapae.apps.page.long_work import Progress
from swapae.apps.page.settings import SETTINGS
from swapae.apps.page.studio import Studio
from swapae.apps.page.uploads import MAX_ASPECT
from swapae.editing import flicker, restyle
from swapae.errors import UserError
from swapae.files import atomic_path
from swapae.pictures.animation import mp4_writer
from swapae.pictures.images import Fitted, fit, to_pil
from swapae.pictures.sound import open_sound
from swapae.pictures.video import Video, open_video

MAX_VIDEO_FRAMES = 300
MAX_FRAME_PIXELS = 4096 * 2304


class Restyled(NamedTuple):
    """How many frames there are, and how much they flicker where the video stands still (None: nowhere)."""

    frames: int
    flicker: float | None


def restyle_video(
    studio: Studio,
    video: str,
    texture: bytes,
    output: Path,
    amount: Any,
    progress: Progress = lambda frames, total: frames,
) -> Restyled:
    """Write a video's frames in the texture of a photograph, at their own times and with its sound.

    Args:
        studio: with the model.
        video: path of a file that `swapae.pictures.video.open_video` reads, of at most MAX_VIDEO_FRAMES frames.
        texture: the photograph's file.
        output: .mp4 to write.
        amount: 0 keeps each frame's own texture, 1 takes the photograph's.
        progress: is given the frames and how many there may be, and passes them on.

    Raises:
        UserError: a sentence about what is wrong, without paths.
    """
    strength = SETTINGS["amount"].check(SETTINGS["amount"].label, amount)
    with studio.turns.one_of_many():
        other = studio.uploads.get(texture).encoded.codes.texture
    try:
        with (
            open_video(video, max_pixels=MAX_FRAME_PIXELS) as opened,
            open_sound(video, opened.origin) as sound,
            atomic_path(output) as temporary,
            mp4_writer(temporary, opened.rate, studio.id.metadata(), time_base=opened.time_base, sound=sound) as write,
        ):
            times = iter(opened.times)  # which grow as frames are read
            return write_frames(
                studio,
                progress(few(opened), opened.count),
                other,
                strength,
                lambda picture: write(picture, next(times)),
            )
    except UserError as error:
        raise UserError(str(error).replace(repr(video), "the video").replace(str(output), "the film")) from None


def write_frames(
    studio: Studio,
    frames: Iterator[np.ndarray],
    texture: Tensor,
    amount: float,
    write: Callable[[Image.Image], None],
) -> Restyled:
    """Restyle frames as they come, one at a time in memory."""
    config, weight = studio.model.config, studio.model.encoder.to_texture.weight

    def fitted() -> Iterator[Fitted]:
        for pixels in frames:
            height, width = pixels.shape[:2]
            if max(height, width) > MAX_ASPECT * min(height, width):
                raise UserError(f"the video is over {MAX_ASPECT} times as long as wide: crop it")
            frame = fit(Image.fromarray(pixels), config.image_size, config.stride, config.minimum_side)
            yield Fitted(frame.tensor.to(weight.device, weight.dtype), frame.size)

    # `flicker` draws from all of them by turns, so that `tee` holds one frame.
    shown, encoded, sizes = tee(fitted(), 3)
    restyled = restyle(studio.model, (frame.tensor for frame in encoded), texture, amount=amount)
    count = 0

    def written() -> Iterator[Tensor]:
        nonlocal count
        for image, frame in zip(in_turns(studio, restyled), sizes, strict=True):
            write(to_pil(image, frame.size))
            count += 1
            yield image

    with torch.inference_mode():
        figure = flicker((frame.tensor for frame in shown), written())
    return Restyled(count, figure)


def in_turns(studio: Studio, images: Iterator[Tensor]) -> Iterator[Tensor]:
    """Images, each computed in a turn of its own."""
    while True:
        with studio.turns.one_of_many():
            image = next(images, None)
        if image is None:
            return
        yield image


def few(video: Video) -> Iterator[np.ndarray]:
    """A video's frames.

    Raises:
        UserError: there are too many, as the file claims or as they come.
    """
    too_long = f"the video has over {MAX_VIDEO_FRAMES} frames: cut it shorter"
    if video.count > MAX_VIDEO_FRAMES:
        raise UserError(too_long)
    for number, frame in enumerate(video.frames):
        if number == MAX_VIDEO_FRAMES:
            raise UserError(too_long)
        yield frame
