"""Films that are written: their times, colours and names."""

import av
import numpy as np
import pytest
from PIL import Image

from swapae.pictures.animation import evenly, save_animation


def greys(count, size=(32, 32)):
    return [Image.new("RGB", size, (20 * number, 60, 40)) for number in range(count)]


@pytest.mark.parametrize(
    ("name", "rate", "milliseconds"),
    [
        ("film.gif", 40, [20, 30, 30, 20, 20, 30, 30, 20]),  # hundredths of a second, 200 ms in all
        ("film.gif", 60, [20] * 8),  # as fast as players show one
        ("film.webp", 24, [42, 41, 42, 42, 41, 42, 42, 41]),
        ("film.GIF", 10, [100] * 8),
    ],
)
def test_frames_last_as_long_as_the_rate_says(tmp_path, name, rate, milliseconds):
    with Image.open(save_animation(greys(8), tmp_path / name, frames_per_second=rate)) as film:
        found = []
        for number in range(film.n_frames):
            film.seek(number)
            film.load()
            found.append(film.info["duration"])
    assert found == milliseconds


def test_sums_are_nearest_to_the_multiples():
    assert evenly(5, 2.5) == [2, 3, 3, 2, 2]
    assert sum(evenly(100, 100 / 24)) == 417


@pytest.mark.parametrize("name", ["film.mp4", "FILM.MP4"])
def test_a_film_says_which_colours_its_numbers_are(tmp_path, name):
    """Untagged, players take those of 720 lines and more for BT.709's: 200, 60, 40 would be 213, 73, 37."""
    colour = (200, 60, 40)
    save_animation([Image.new("RGB", (1280, 720), colour)] * 2, tmp_path / name, frames_per_second=5)
    with av.open(str(tmp_path / name)) as film:
        frame = next(film.decode(video=0))
        context = film.streams.video[0].codec_context
        assert (frame.colorspace, frame.color_range) == (6, 1)  # SMPTE 170M, limited
        assert (context.color_primaries, context.color_trc) == (1, 1)
        luma = 16 + 219 / 255 * np.dot((0.299, 0.587, 0.114), colour)
        assert abs(float(frame.to_ndarray()[:720].mean()) - luma) < 1
        assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - colour).max() <= 2
