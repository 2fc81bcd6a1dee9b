"""Frames of video files, whole, broken and hostile."""

import struct
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from swapae.errors import UserError
from swapae.pictures import video
from swapae.pictures.animation import mp4_writer
from swapae.pictures.video import open_video

RATE = Fraction(30000, 1001)


def write(path, frames, rate=RATE):
    with mp4_writer(path, rate) as append:
        for frame in frames:
            append(Image.fromarray(frame))


def shades(count, size=(64, 48)):
    for index in range(count):
        yield np.full((size[1], size[0], 3), 20 * index % 256, np.uint8)


@pytest.fixture
def film(tmp_path):
    write(tmp_path / "film.mp4", shades(6))
    return tmp_path / "film.mp4"


def read(path, **options):
    with open_video(path, **options) as video:
        return list(video.frames)


def test_frames_and_rate_come_back(film):
    with open_video(film) as video:
        frames = list(video.frames)
        assert (video.rate, video.count, len(frames)) == (RATE, 6, 6)
    assert all(frame.shape == (48, 64, 3) and frame.dtype == np.uint8 for frame in frames)
    assert [round(frame.mean() / 20) for frame in frames] == list(range(6))


def test_an_animation_is_a_video_too(tmp_path):
    first, *rest = (Image.fromarray(frame) for frame in shades(4))
    first.save(tmp_path / "film.gif", save_all=True, append_images=rest, duration=100)
    with open_video(tmp_path / "film.gif") as video:
        assert video.rate == 10 and len(list(video.frames)) == 4


def test_a_telephones_rotation_is_undone(tmp_path):
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:24, :32] = 255  # the top left corner
    write(tmp_path / "film.mp4", [frame])
    upright = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    turned = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)  # a quarter, clockwise
    film, track, rest = (tmp_path / "film.mp4").read_bytes().split(upright)  # the film's and the track's matrix
    (tmp_path / "turned.mp4").write_bytes(film + upright + track + turned + rest)
    (shown,) = read(tmp_path / "turned.mp4")
    assert shown.shape == (64, 48, 3)
    assert shown[:32, 24:].mean() > 250 and shown[:32, :24].mean() < 5 and shown[32:].mean() < 5


@pytest.mark.parametrize(
    ("ratio", "shape"), [((4, 3), (48, 85)), ((3, 4), (64, 64)), ((1, 1), (48, 64)), ((99, 1), (48, 64))]
)
def test_oblong_pixels_become_square(tmp_path, ratio, shape):
    """As of DVDs, and of cameras that store 1440 pixels for 1920."""
    with av.open(str(tmp_path / "film.mp4"), "w") as film:
        stream = film.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(*ratio)
        for pixels in shades(3):
            film.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        film.mux(stream.encode())
    frames = read(tmp_path / "film.mp4")
    assert [frame.shape for frame in frames] == [(*shape, 3)] * 3
    with pytest.raises(UserError, match=f"{shape[1]}x{shape[0]}"):
        read(tmp_path / "film.mp4", max_pixels=shape[0] * shape[1] - 1)


def test_a_long_video_takes_no_more_memory(tmp_path):
    write(tmp_path / "long.mp4", shades(150, (128, 128)))
    tracemalloc.start()
    with open_video(tmp_path / "long.mp4") as video:
        assert sum(1 for _ in video.frames) == 150
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20 * 128 * 128 * 3


def broken(name, film):
    whole = film.read_bytes()
    start, end = whole.index(b"mdat") + 4, whole.index(b"moov") - 4
    noise = np.random.default_rng(0).bytes(len(whole))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{film}\n#EXT-X-ENDLIST\n".encode()
    return {
        "empty": b"",
        "text": b"not a video",
        "noise": noise,
        "cut": whole[: len(whole) // 2],
        "scribbled": whole[:start] + noise[: end - start] + whole[end:],
        "playlist": playlist,
        "concat": f"ffconcat version 1.0\nfile {film}\n".encode(),
    }[name]


@pytest.mark.parametrize("name", ["empty", "text", "noise", "cut", "scribbled", "playlist", "concat"])
def test_what_is_broken_or_points_elsewhere_is_one_sentence(film, name):
    Path(film.parent, name).write_bytes(broken(name, film))
    with pytest.raises(UserError) as error:
        read(film.parent / name)
    assert "\n" not in str(error.value) and name in str(error.value)


def test_a_frame_that_is_larger_than_the_file_claims_is_not_converted(tmp_path, monkeypatch):
    for name, size in (("small.ts", (64, 48)), ("large.ts", (640, 480))):
        with av.open(str(tmp_path / name), "w") as film:
            stream = film.add_stream("mpeg2video", rate=25, options={"g": "1"})
            stream.width, stream.height = size
            for image in shades(4, size):
                film.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
            film.mux(stream.encode())
    both = (tmp_path / "small.ts").read_bytes() + (tmp_path / "large.ts").read_bytes()
    (tmp_path / "both.ts").write_bytes(both)
    converted, upright = [], video.upright

    def recorded(frame, shown):
        converted.append((frame.width, frame.height))
        return upright(frame, shown)

    monkeypatch.setattr(video, "upright", recorded)
    with pytest.raises(UserError, match="changes its size after frame [34]: convert it to one size"):
        read(tmp_path / "both.ts")
    assert set(converted) == {(64, 48)}


def test_other_refusals(film, tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        read(tmp_path / "missing.mp4")
    with pytest.raises(UserError, match="there is no file"):
        read(tmp_path)
    with pytest.raises(UserError, match="64x48, over the limit of 3000"):
        read(film, max_pixels=3000)
    Image.new("RGB", (20, 20)).save(tmp_path / "still.png")
    with pytest.raises(UserError, match="no video of a known format"):
        read(tmp_path / "still.png")
