"""`swapae interpolate` with ease, `journey`, `sweep` and `restyle`."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from command_line import assert_one_line, files, pixels
from films import UNEVEN, make_video, packets, shown
from PIL import Image

from swapae.pictures.animation import mp4_writer
from swapae.pictures.images import to_pil
from swapae.pictures.video import open_video

RATE = Fraction(24000, 1001)


@pytest.fixture
def frames(run):
    """Run a command that writes a folder of frames, and return them."""

    def make(*arguments):
        folder = Path(f"frames{len(list(Path().glob('frames*')))}")
        status, _, error = run(*arguments, "-o", folder)
        assert status == 0, error
        return [pixels(path) for path in sorted(folder.iterdir())]

    return make


def same(first, second):
    return np.array_equal(first, second)


def test_ease_rests_at_both_ends(run, made, frames):
    shared = ["interpolate", "a.png", "b.jpg", "--frames", 5]
    plain, eased, round_trip = frames(*shared), frames(*shared, "--ease"), frames(*shared[:-1], 6, "--closed")
    own, full = made("reconstruct", "a.png"), made("swap", "a.png", "b.jpg")
    for film in (plain, eased):
        assert len(film) == 5 and same(film[0], own) and same(film[4], full)
    assert same(plain[2], eased[2]) and not same(plain[1], eased[1])
    assert np.abs(eased[1] - eased[0]).mean() < np.abs(plain[1] - plain[0]).mean()
    assert len(round_trip) == 6 and same(round_trip[0], own) and same(round_trip[3], full)
    assert same(round_trip[1], round_trip[5])
    halfway = made("swap", "a.png", "b.jpg", "--alpha", 0.25, "--spherical")
    assert same(frames(*shared, "--spherical")[1], halfway)


def test_a_journey_rests_at_every_photograph(run, made, frames):
    stops = [made("swap", "a.png", name) for name in ("b.jpg", "a.png")]
    shared = ["journey", "b.jpg", "a.png", "--structure", "a.png", "--steps", 3]
    there, back = frames(*shared), frames(*shared, "--closed")
    assert len(there) == 4 and len(back) == 6
    for film in (there, back):
        for frame, stop in ((film[0], stops[0]), (film[3], stops[1])):
            assert np.abs(frame - stop).max() <= 1  # unit length, once more
    assert frames("journey", "b.jpg", "a.png", "--steps", 1)[0].shape == (64, 64, 3)  # the first one's structure
    assert run(*shared, "-o", "film.gif")[0] == 0 and Image.open("film.gif").n_frames == 4


def test_a_sweep_goes_from_gain_to_gain(run, made, frames, photographs):
    make = ["direction", "add", "new", "--having", "many", "--lacking", "other", "-o", "mine.safetensors"]
    Path("other").mkdir()
    for path in sorted(Path("many").glob("rose*")):
        path.rename(Path("other", path.name))
    assert run(*make)[0] == 0
    shared = ["sweep", "a.png", "--directions", "mine.safetensors", "--direction"]
    film = frames(*shared, "new", "--from", -2, "--to", 1.5, "--frames", 5)
    apply = ["direction", "apply", "a.png", "--directions", "mine.safetensors", "--gains"]
    assert len(film) == 5
    assert same(film[0], made(*apply, "new=-2")) and same(film[4], made(*apply, "new=1.5"))
    closed = frames(*shared, "texture1", "--frames", 4, "--closed")
    assert same(closed[0], made(*apply, "texture1=-1")) and same(closed[2], made(*apply, "texture1=1"))
    assert_one_line(run(*shared, "old", "-o", "film.gif"), "there is no direction 'old'; there are new")


@pytest.fixture
def video(run):
    """Eight frames in which a square moves over a still ground."""
    generator = np.random.default_rng(2)
    ground = np.asarray(Image.open("a.png").resize((96, 64)))
    with mp4_writer(Path("video.mp4"), RATE) as write:
        for index in range(8):
            frame = ground.copy()
            frame[20:40, 6 * index : 6 * index + 20] = generator.integers(0, 256, 3)
            write(Image.fromarray(frame))
    return "video.mp4"


def test_a_restyled_video_keeps_its_frames_and_its_rate(run, video):
    status, out, error = run("restyle", video, "--texture", "b.jpg", "-o", "styled.mp4")
    assert status == 0 and "8/8" in error, error
    assert out.startswith("8 frames, 23.976 per second; flicker: ")
    with open_video("styled.mp4") as opened, open_video(video) as source:
        assert opened.rate == source.rate == RATE
        styled, original = list(opened.frames), list(source.frames)
    assert len(styled) == len(original) == 8 and styled[0].shape == (64, 96, 3)
    # Each is the swap of its frame, but for what the film's compression loses.
    Image.fromarray(original[3]).save("frame.png")
    assert run("swap", "frame.png", "b.jpg", "-o", "swapped.png")[0] == 0
    lost = np.abs(styled[3] - pixels("swapped.png")).mean()
    assert lost < 12 and np.abs(styled[3] - original[3].astype(int)).mean() > 2 * lost


def test_a_restyled_video_keeps_its_sound_and_its_times(run):
    make_video("uneven.mp4", times=UNEVEN)
    status, _, error = run("restyle", "uneven.mp4", "--texture", "b.jpg", "-o", "styled.mp4")
    assert status == 0 and "8/8 frames, 0 s left" in error, error
    assert shown("styled.mp4") == list(UNEVEN) and packets("styled.mp4") == packets("uneven.mp4")
    assert run("restyle", "uneven.mp4", "--texture", "b.jpg", "-o", "mute.mp4", "--no-sound")[0] == 0
    assert shown("mute.mp4") == list(UNEVEN)
    with av.open("mute.mp4") as film:
        assert not film.streams.audio


def test_what_stands_still_does_not_flicker(run):
    with mp4_writer(Path("still.mp4"), Fraction(10)) as write:
        for _ in range(4):
            write(Image.open("b.jpg"))
    assert run("restyle", "still.mp4", "--texture", "a.png", "-o", "out.mp4")[1].startswith("4 frames, 10 per second")
    status, out, _ = run("restyle", "still.mp4", "--texture", "a.png", "-o", "out.mp4", "--alpha", 0.5, "--size", 80)
    assert status == 0 and float(out.split()[-2]) < 2
    with open_video("out.mp4") as opened:
        assert {frame.shape for frame in opened.frames} == {(80, 80, 3)}


def test_an_interrupted_film_leaves_nothing(run, video, monkeypatch):
    seen = []

    def interrupted(image, size):
        seen.append(image)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return to_pil(image, size)

    monkeypatch.setattr("swapae.apps.cli.video.to_pil", interrupted)
    before = files()
    assert_one_line(run("restyle", video, "--texture", "b.jpg", "-o", "x.mp4"), "interrupted; nothing was written", 130)
    assert files() == before and len(seen) == 3


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["interpolate", "a.png", "b.jpg", "-o", "x.gif", "--fps", "0"], "--fps must be 1 to 60"),
        (["journey", "a.png", "-o", "x.gif"], "two photographs or more, got 1"),
        (["journey", "a.png", "b.jpg", "-o", "x.gif", "--steps", "0"], "--steps must be 1 to 10000"),
        (["journey", "a.png", "b.jpg", "a.png", "-o", "x.gif", "--steps", "9999"], "10000"),
        (["journey", "a.png", "missing.png", "-o", "x.mp4"], "missing.png"),
        (["sweep", "a.png", "--direction", "warm", "-o", "x.gif"], "has no directions.safetensors"),
        (["sweep", "a.png", "--direction", "warm", "-o", "x.gif", "--to", "nan"], "must be a number"),
        (["sweep", "a.png", "--direction", "warm", "-o", "x.gif", "--frames", "1"], "--frames must be 2"),
        (["restyle", "video.mp4", "--texture", "b.jpg", "-o", "x.gif"], ".mp4"),
        (["restyle", "missing.mp4", "--texture", "b.jpg", "-o", "x.mp4"], "there is no file 'missing.mp4'"),
        (["restyle", "a.png", "--texture", "b.jpg", "-o", "x.mp4"], "'a.png' is no video of a known format"),
        (["restyle", "cut.mp4", "--texture", "b.jpg", "-o", "x.mp4"], "'cut.mp4' is damaged after frame"),
        (["restyle", "video.mp4", "--texture", "missing.jpg", "-o", "x.mp4"], "missing.jpg"),
        (["restyle", "video.mp4", "--texture", "b.jpg", "-o", "x.mp4", "--alpha", "inf"], "--alpha must be"),
        (["restyle", "video.mp4", "--texture", "b.jpg", "-o", "x.mp4", "--max-pixels", "5500"], "limit of 5500"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(run, video, arguments, part):
    whole = Path(video).read_bytes()
    start, end = whole.index(b"mdat") + 4, whole.index(b"moov") - 4
    Path("cut.mp4").write_bytes(whole[: (start + end) // 2] + bytes((end - start) // 2) + whole[end:])
    before = files()
    assert_one_line(run(*arguments), part)
    assert files() == before
