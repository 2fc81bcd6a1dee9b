"""The sound of a video, for a film made of it: its packets as they are, or AAC where MP4 does not take them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from swapae.errors import UserError, first_line
from swapae.pictures.video import FORMATS

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

# What MP4 files hold, and players of them know.
COPIED = {"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"}
# Samples a second that AAC has.
AAC_RATES = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000}


@dataclass(frozen=True)
class Sound:
    """The first sound track of an open video; read once, from its beginning on.

    Attributes:
        name: of the video, for messages.
        container, stream: of the video.
        origin: seconds at which its pictures and sound begin, by its own clock.
    """

    name: str
    container: InputContainer
    stream: AudioStream
    origin: Fraction

    def writer(self, film: OutputContainer) -> Callable[[Fraction | None], None]:
        """Add a track to a film of MP4; the function that writes all up to a time in seconds, or all that is left.

        Raises:
            UserError: the track is damaged, or of a kind that cannot be read; also while it is written.
        """
        with self._sentences():
            copied = self.stream.codec_context.codec.canonical_name in COPIED
            packets = self._copied(film) if copied else self._encoded(film)
        waiting: list[Packet] = []

        def write(until: Fraction | None) -> None:
            while True:
                if not waiting:
                    with self._sentences():
                        packet = next(packets, None)
                    if packet is None:
                        return
                    waiting.append(packet)
                time = waiting[0].dts * waiting[0].time_base if waiting[0].dts is not None else Fraction(0)
                if until is not None and time > until:
                    return
                with self._sentences(through=OSError):  # a full disk is no damaged sound
                    film.mux(waiting.pop())

        return write

    def _copied(self, film: OutputContainer) -> Iterator[Packet]:
        track = film.add_stream_from_template(self.stream)

        def packets() -> Iterator[Packet]:
            for packet in self.container.demux(self.stream):
                # Each counts for the other where a file has one alone; the empty packet at the end has neither.
                shown = packet.dts if packet.pts is None else packet.pts
                read = shown if packet.dts is None else packet.dts
                if shown is None or read is None:
                    continue
                shift = round(self.origin / packet.time_base)
                packet.pts, packet.dts = shown - shift, read - shift
                packet.stream = track
                yield packet

        return packets()

    def _encoded(self, film: OutputContainer) -> Iterator[Packet]:
        own = self.stream.codec_context
        # Of raw sound the layout of its channels may be unknown.
        layout = {1: "mono", 2: "stereo"}.get(own.channels, own.layout.name)
        rate = own.sample_rate if own.sample_rate in AAC_RATES else 48_000
        track: Any = film.add_stream("aac", rate=rate, layout=layout)

        def packets() -> Iterator[Packet]:
            for frame in self.container.decode(self.stream):
                if frame.pts is not None and frame.time_base is not None:
                    frame.pts -= round(self.origin / frame.time_base)
                yield from track.encode(frame)
            yield from track.encode()

        return packets()

    @contextmanager
    def _sentences(self, through: tuple[type[Exception], ...] | type[Exception] = ()) -> Iterator[None]:
        """Say of whatever a decoder raises, but for errors that go `through`, that the sound is damaged."""
        try:
            yield
        except through:
            raise
        except Exception as error:
            raise UserError(
                f"the sound of {self.name} is damaged, or of an unknown kind ({first_line(error)}): convert the video "
                "anew, or leave its sound out"
            ) from None


@contextmanager
def open_sound(path: str | os.PathLike[str], origin: Fraction) -> Iterator[Sound | None]:
    """The sound of a video that `open_video` has taken; None if it has none.

    It is opened a second time, so that sound can be read as far as the pictures are written, however far apart the two
    lie in the file.
    """
    import av

    with open(path, "rb") as file, av.open(file, "r", options={"format_whitelist": FORMATS}) as container:
        stream = next(iter(container.streams.audio), None)
        yield None if stream is None else Sound(repr(os.fspath(path)), container, stream, origin)
