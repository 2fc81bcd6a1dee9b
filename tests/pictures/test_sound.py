"""A video's sound and the times of its frames in a film made of it."""

from contextlib import nullcontext

import av
import numpy as np
import pytest
from films import UNEVEN, make_video, packets, shown
from PIL import Image

from swapae.errors import UserError
from swapae.pictures.animation import mp4_writer
from swapae.pictures.sound import open_sound
from swapae.pictures.video import open_video


def remake(source, target, sound=True):
    """The same frames, written as a restyled video's are."""
    with (
        open_video(source) as video,
        open_sound(source, video.origin) if sound else nullcontext() as track,
        mp4_writer(target, video.rate, time_base=video.time_base, sound=track) as write,
    ):
        for pixels in video.frames:
            write(Image.fromarray(pixels), video.times[-1])
    return target


def tone(path):
    """Seconds from the first picture to the first sound, those of the sound, and its loudest frequency."""
    with av.open(str(path)) as film:
        first = next(frame.time for frame in film.decode(film.streams.video[0]))
    with av.open(str(path)) as film:
        frames = list(film.decode(film.streams.audio[0]))
    samples = np.concatenate([frame.to_ndarray().reshape(-1, frame.samples)[0].astype(float) for frame in frames])
    if not frames[0].format.is_planar:
        samples = samples[:: len(frames[0].layout.channels)]
    loudest = np.argmax(np.abs(np.fft.rfft(samples))[1:]) + 1
    rate = frames[0].sample_rate
    return frames[0].time - first, sum(frame.samples for frame in frames) / rate, loudest * rate / len(samples)


@pytest.mark.parametrize(
    "name, options",
    [
        ("a.mp4", {}),
        ("a.mkv", {}),
        ("a.mov", {"sound": "alac"}),
        ("a.ts", {}),
        ("b.mp4", {"sound": "libmp3lame"}),
        ("a.webm", {"video": "libvpx", "sound": "libopus", "rate": 48000}),
        ("b.mkv", {"sound": "flac"}),
        ("late.mp4", {"times": (500, 600, 700, 1000)}),
    ],
)
def test_what_mp4_takes_is_copied_packet_by_packet(tmp_path, name, options):
    source = make_video(tmp_path / name, **options)
    made = remake(source, tmp_path / "made.mp4")
    if name != "a.ts":  # there every packet has a header of its own
        assert packets(made) == packets(source)
    for own, others in zip(tone(made), tone(source), strict=True):
        assert own == pytest.approx(others, abs=0.03 if others < 3 else 2)
    assert shown(made) == pytest.approx(shown(source), abs=1)


@pytest.mark.parametrize(
    "name, options",
    [
        ("a.avi", {"video": "mpeg4", "sound": "pcm_s16le"}),
        ("a.mov", {"sound": "pcm_s16le", "layout": "mono", "rate": 16000}),
        ("b.mov", {"sound": "pcm_s16le", "rate": 192_000}),
        ("a.mkv", {"sound": "mp2"}),
    ],
)
def test_what_it_does_not_take_becomes_aac(tmp_path, name, options):
    made = remake(make_video(tmp_path / name, **options), tmp_path / "made.mp4")
    with av.open(str(made)) as film:
        assert film.streams.audio[0].codec_context.codec.canonical_name == "aac"
    late, seconds, frequency = tone(made)
    assert abs(late) < 0.05 and seconds == pytest.approx(2, abs=0.1) and frequency == pytest.approx(440, abs=3)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_frames_keep_their_times(tmp_path, name):
    made = remake(make_video(tmp_path / name, times=UNEVEN), tmp_path / "made.mp4")
    first, *others = shown(made)  # some versions of FFmpeg begin a file with what AAC needs before its first sound
    assert 0 <= first < 30 and [0, *(time - first for time in others)] == list(UNEVEN)


def test_sound_lies_beside_the_pictures_it_belongs_to(tmp_path):
    """So that a player that streams the film need not read to its end first."""
    source = make_video(tmp_path / "long.mp4", times=range(0, 20_000, 500), seconds=20)
    made = remake(source, tmp_path / "made.mp4")
    with av.open(str(made)) as film:
        heard = [float(p.dts * p.time_base) for p in film.demux() if p.dts is not None and p.stream.type == "audio"]
    with av.open(str(made)) as film:
        place = [p.stream.type for p in film.demux() if p.dts is not None]
    assert len(heard) > 800 and "video" in place[len(place) // 2 - 60 : len(place) // 2]


def test_without_sound(tmp_path):
    for source, sound in (
        (make_video(tmp_path / "mute.mp4", sound=None), True),
        (make_video(tmp_path / "a.mp4"), False),
    ):
        made = remake(source, tmp_path / "made.mp4", sound)
        with av.open(str(made)) as film:
            assert not film.streams.audio


def test_damaged_sound_is_one_sentence(tmp_path):
    source = make_video(tmp_path / "a.avi", video="mpeg4", sound="mp2")
    with open_video(source) as video, open_sound(source, video.origin) as track:

        def broken(stream):
            raise ValueError("bad\nheader")
            yield

        object.__setattr__(track, "container", type("Broken", (), {"decode": staticmethod(broken)}))
        sentence = r"the sound of '.*a.avi' is damaged, .*\(bad\): convert the video anew"
        with (
            pytest.raises(UserError, match=sentence),
            mp4_writer(tmp_path / "made.mp4", video.rate, sound=track) as write,
        ):
            write(Image.new("RGB", (64, 48)))


def test_a_length_is_expected_where_the_file_does_not_count(tmp_path):
    with open_video(make_video(tmp_path / "a.mkv")) as video:
        assert video.count == 0 and video.expected == pytest.approx(20, abs=1)
    with open_video(make_video(tmp_path / "a.mp4")) as video:
        assert video.count == video.expected == 20
