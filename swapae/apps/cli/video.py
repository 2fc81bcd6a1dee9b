"""`swapae restyle`: the frames of a video in another texture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from itertools import tee
from pathlib import Path
from typing import Annotated

import tyro
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from swapae.apps.cli.checks import check_alpha
from swapae.apps.cli.session import DEFAULT_OPTIONS, Common, OutputPath, Session
from swapae.editing import flicker, restyle
from swapae.editing.recipes import ModelId
from swapae.files import atomic_path
from swapae.pictures.animation import mp4_writer
from swapae.pictures.images import to_pil
from swapae.pictures.saving import check_output_file
from swapae.pictures.sound import open_sound
from swapae.pictures.video import open_video

LEFT = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} frames, {remaining_s:.0f} s left"
VideoFile = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="VIDEO")]
TextureOption = Annotated[Path, tyro.conf.arg(metavar="IMAGE")]


def restyle_video(
    video: VideoFile,
    texture: TextureOption,
    output: OutputPath,
    common: Common = DEFAULT_OPTIONS,
    alpha: float = 1.0,
    sound: bool = True,
) -> None:
    """Video in the texture of a photograph, frame by frame with the same noise in all, at its own times.

    Prints how much the result flickers: how far a pixel moves from frame to frame, in levels of 255, where the
    video itself stands still.

    Args:
        video: .mp4, .mov, .mkv, .webm, .avi or .gif; of any length, one frame at a time is kept in memory.
        texture: photograph that gives colours and materials.
        output: .mp4 to write.
        alpha: 0 keeps each frame's own texture, 1 takes the photograph's.
        sound: copy the video's, as it is where MP4 takes it, else as AAC.
    """
    check_output_file(output, (".mp4",))
    check_alpha(alpha)
    session = Session(common)
    other = session.texture(texture)
    with (
        open_video(video, max_pixels=common.limit) as opened,
        open_sound(video, opened.origin) if sound else nullcontext() as track,
        atomic_path(output) as temporary,
        mp4_writer(
            temporary,
            opened.rate,
            ModelId.of(session.model).metadata(),
            time_base=opened.time_base,
            sound=track,
        ) as write,
    ):
        known = {"total": opened.expected, "bar_format": LEFT} if opened.expected else {}
        bar = tqdm(opened.frames, unit="frame", **known)
        # `flicker` draws from all of them by turns, so that `tee` holds one frame.
        shown, encoded, sizes = tee((session.fit(Image.fromarray(pixels)) for pixels in bar), 3)
        tensors = (fitted.tensor.to(session.dtype) for fitted in encoded)
        restyled = restyle(session.model, tensors, other, amount=alpha, noise=common.seed)

        def written() -> Iterator[Tensor]:
            # The list of times grows as frames are read.
            for image, fitted, time in zip(restyled, sizes, opened.times, strict=True):
                write(to_pil(image, fitted.size), time)
                yield image

        figure = flicker((fitted.tensor for fitted in shown), written())
    told = "nothing in the video stands still" if figure is None else f"{figure:.2f} levels"
    print(f"{bar.n} frames, {float(opened.rate):g} per second; flicker: {told}")
