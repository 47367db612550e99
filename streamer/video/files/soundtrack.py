"""The sound of a film, put beside new pictures: its packets as they are where MP4 can hold them, else encoded anew as AAC."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from streamer.video.sound.aac import BLOCK

log = logging.getLogger(__name__)

COPIED = ("aac", "mp3", "ac3", "eac3", "alac")
"""Codecs that every player expects in an MP4."""
RATES = (48_000, 44_100, 32_000, 96_000, 88_200, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
"""Samples a second that AAC knows; others become the first."""
KBPS_PER_CHANNEL = 96


class Soundtrack:
    """Carries the best sound of a film over into another file. For one thread; ``close`` it."""

    def __init__(self, film: Path, into: OutputContainer, until_s: float | None = None) -> None:
        """Open the film and add a stream of sound to the output, before anything is written to that.

        Args:
            until_s: seconds after which the rest is left out; None for all of it.

        Raises:
            OSError, av.FFmpegError: it cannot be read.
        """
        self._into = into
        self._until_s = until_s
        self._film: InputContainer = av.open(str(film))
        self._ready: tuple[float, Packet[AudioStream]] | None = None
        self._packets: Iterator[tuple[float, Packet[AudioStream]]] = iter(())
        found = self._film.streams.best("audio")
        self.copied = False
        """Whether the sound is carried over as it is."""
        if not isinstance(found, AudioStream):
            return
        # Pictures are timed from the first of them.
        video = self._film.streams.best("video")
        start = Fraction(0)
        if video is not None and video.start_time is not None and video.time_base is not None:
            start = video.start_time * video.time_base
        codec = found.codec_context.codec.canonical_name
        self.copied = codec in COPIED
        self._packets = self._copies(found, start) if self.copied else self._encoded(found, start)
        log.info("the sound, %s, is %s", codec, "kept as it is" if self.copied else "encoded as AAC")
        self._ready = self._next()

    def write(self, until_s: float | None) -> None:
        """Write what is to be heard up to a moment; None for all that is left."""
        while self._ready is not None and (until_s is None or self._ready[0] <= until_s):
            if self._until_s is not None and self._ready[0] >= self._until_s:
                self._ready = None
                return
            self._into.mux(self._ready[1])
            self._ready = self._next()

    def close(self) -> None:
        """Let go of the film."""
        self._packets = iter(())
        self._ready = None
        self._film.close()

    def _next(self) -> tuple[float, Packet[AudioStream]] | None:
        return next(self._packets, None)

    def _copies(self, stream: AudioStream, start: Fraction) -> Iterator[tuple[float, Packet[AudioStream]]]:
        out = self._into.add_stream_from_template(stream)

        def packets() -> Iterator[tuple[float, Packet[AudioStream]]]:
            for packet in self._film.demux(stream):
                base = packet.time_base
                if packet.dts is None or packet.pts is None or base is None:
                    continue  # the end
                shift = round(start / base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                if packet.pts < 0:
                    continue  # before the first picture
                packet.stream = out
                yield float(packet.pts * base), packet

        return packets()

    def _encoded(self, stream: AudioStream, start: Fraction) -> Iterator[tuple[float, Packet[AudioStream]]]:
        rate = stream.rate if stream.rate in RATES else RATES[0]
        layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        out = self._into.add_stream("aac", rate=rate)
        assert isinstance(out, AudioStream)
        out.codec_context.layout = layout
        out.codec_context.format = "fltp"
        out.codec_context.bit_rate = KBPS_PER_CHANNEL * 1000 * (1 if layout == "mono" else 2)
        out.codec_context.time_base = Fraction(1, rate)

        def blocks() -> Iterator[AudioFrame]:
            resampler = AudioResampler(format="fltp", layout=layout, rate=rate, frame_size=BLOCK)
            for packet in self._film.demux(stream):
                try:
                    frames = packet.decode()
                except av.InvalidDataError:
                    continue  # a click is better than no sound
                for frame in frames:
                    yield from resampler.resample(frame)
            yield from resampler.resample(None)

        def packets() -> Iterator[tuple[float, Packet[AudioStream]]]:
            clock: int | None = None
            for block in blocks():
                if clock is None:
                    at = Fraction(0) if block.pts is None or block.time_base is None else block.pts * block.time_base
                    clock = round((at - start) * rate)
                block.pts, block.time_base = clock, Fraction(1, rate)
                clock += block.samples
                if block.pts < 0:
                    continue  # before the first picture
                for packet in out.encode(block):
                    yield _at(packet)
            for packet in out.encode(None):
                yield _at(packet)

        return packets()


def _at(packet: Packet[AudioStream]) -> tuple[float, Packet[AudioStream]]:
    assert packet.pts is not None
    assert packet.time_base is not None
    return float(packet.pts * packet.time_base), packet
