"""Videos with sound for tests, and what is in one."""

from fractions import Fraction

import av
import numpy as np

from swapae.pictures.video import open_video

EVEN = tuple(range(0, 2000, 100))
UNEVEN = (0, 100, 400, 500, 900, 1500, 1600, 1990)


def make_video(path, *, sound="aac", rate=44100, layout="stereo", video="libx264", times=EVEN, seconds=2):
    """A video whose frames are shown at these milliseconds, with a tone of 440 Hz."""
    with av.open(str(path), "w") as film:
        pictures = film.add_stream(video, rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        pictures.codec_context.time_base = Fraction(1, 1000)
        heard = film.add_stream(sound, rate=rate, layout=layout) if sound else None
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * number % 256, np.uint8), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            film.mux(pictures.encode(frame))
        film.mux(pictures.encode())
        if heard is None:
            return path
        tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(rate * seconds) / rate)).astype(np.int16)
        for start in range(0, len(tone), 1024):
            part = np.repeat(tone[start : start + 1024], 1 if layout == "mono" else 2)[None]
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            film.mux(heard.encode(frame))
        film.mux(heard.encode())
    return path


def packets(path):
    with av.open(str(path)) as film:
        return [bytes(packet) for packet in film.demux(film.streams.audio[0]) if packet.dts is not None]


def shown(path):
    with open_video(path) as video:
        list(video.frames)
        return [round(1000 * time) for time in video.times]
