"""Adds the sound of a video to new pictures: its packets are copied if MP4 supports them, otherwise re-encoded as AAC."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.filter import Graph
from av.packet import Packet

from streamer.media.opening import open_file
from streamer.media.timeline import followed, packets
from streamer.media.tracks import picture_track
from streamer.video.files.sound_codecs import SoundChoice, choose_sound_track
from streamer.video.sound.aac import BLOCK

log = logging.getLogger(__name__)

RATES = (48_000, 44_100, 32_000, 96_000, 88_200, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
"""Sampling rates of AAC; others are resampled to the first."""
KBPS_PER_CHANNEL = 96
JITTER_S = 0.01
"""Seconds by which sound may be off before it is corrected. Smaller errors are rounding; correcting them would be audible."""


class Soundtrack:
    """Copies the best sound of a video to another file. For one thread; ``close`` it."""

    def __init__(
        self,
        film: Path,
        into: OutputContainer,
        until_s: float | None = None,
        begins_s: float | None = None,
        choice: SoundChoice | None = None,
    ) -> None:
        """Open the video and add a sound stream to the output, before anything is written to it.

        Args:
            until_s: seconds after which the sound is cut off; None for all of it.
            begins_s: time of the video's first picture on its own clock (``media.timeline``); None for what its container
                says, which is too early if the first pictures cannot be decoded.
            choice: which track, and whether it is copied; None to find out.

        Raises:
            OSError, av.FFmpegError: the video cannot be read.
        """
        self._into = into
        self._until_s = until_s
        self._film: InputContainer = open_file(film)
        self._ready: tuple[float, Packet[AudioStream]] | None = None
        self._packets: Iterator[tuple[float, Packet[AudioStream]]] = iter(())
        choice = choose_sound_track(film) if choice is None else choice
        if choice.track is None:
            return
        found = self._film.streams[choice.track]
        assert isinstance(found, AudioStream)
        # Pictures are timed from the first of them.
        video = picture_track(self._film)
        start = Fraction(begins_s or 0)
        if begins_s is None and video is not None and video.start_time is not None and video.time_base is not None:
            start = video.start_time * video.time_base
        self._packets = self._copies(found, start) if choice.copied else self._encoded(found, start)
        log.info("the sound, %s, is %s", choice.codec, "kept as it is" if choice.copied else "encoded as AAC")
        self._ready = self._next()

    @property
    def next_s(self) -> float | None:
        """Time of the next packet in seconds; None at the end."""
        return None if self._ready is None else self._ready[0]

    def write(self, until_s: float | None) -> None:
        """Write the sound up to a time in seconds; None for all that is left."""
        while self._ready is not None and (until_s is None or self._ready[0] <= until_s):
            if self._until_s is not None and self._ready[0] >= self._until_s:
                self._ready = None
                return
            self._into.mux(self._ready[1])
            self._ready = self._next()

    def close(self) -> None:
        """Close the video."""
        self._packets = iter(())
        self._ready = None
        self._film.close()

    def _next(self) -> tuple[float, Packet[AudioStream]] | None:
        return next(self._packets, None)

    def _copies(self, stream: AudioStream, start: Fraction) -> Iterator[tuple[float, Packet[AudioStream]]]:
        out = self._into.add_stream_from_template(stream)

        def copies() -> Iterator[tuple[float, Packet[AudioStream]]]:
            last: int | None = None
            before: Packet[AudioStream] | None = None
            for packet in self._track_packets(stream):
                base = packet.time_base
                if packet.dts is None or packet.pts is None or base is None:
                    continue  # the end
                block = round(Fraction(stream.codec_context.frame_size, stream.rate) / base) or packet.duration or 1
                shift = round(start / base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                if packet.pts + block <= 0:
                    before = packet
                    continue
                if before is not None:
                    # A block needs the one before it to decode; MP4 hides the part before the first picture.
                    before.pts = before.dts = packet.pts - block
                    before.duration, before.stream = block, out
                    yield float(before.pts * base), before
                    before = None
                # If two parts overlap where they meet, the first plays to its end.
                if last is not None and packet.dts <= last:
                    continue
                last = packet.dts
                packet.stream = out
                yield float(packet.pts * base), packet

        return copies()

    def _track_packets(self, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
        """Yield a track's packets on the clock of the video's pictures."""
        for packet in packets(self._film, followed(self._film)):
            if packet.stream.index == stream.index:
                yield cast("Packet[AudioStream]", packet)

    def _encoded(self, stream: AudioStream, start: Fraction) -> Iterator[tuple[float, Packet[AudioStream]]]:
        rate = stream.rate if stream.rate in RATES else RATES[0]
        layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        out = self._into.add_stream("aac", rate=rate)
        assert isinstance(out, AudioStream)
        out.codec_context.layout = layout
        out.codec_context.format = "fltp"
        out.codec_context.bit_rate = KBPS_PER_CHANNEL * 1000 * (1 if layout == "mono" else 2)
        out.codec_context.time_base = Fraction(1, rate)

        def frames() -> Iterator[AudioFrame]:
            """Yield frames in the encoder's format, each with its time."""
            resampler, known = None, None
            for packet in self._track_packets(stream):
                try:
                    decoded = packet.decode()
                except (ValueError, av.FFmpegError):
                    continue  # a click is better than no sound
                for frame in decoded:
                    form = (frame.format.name, frame.layout.name, frame.sample_rate)
                    if resampler is None or form != known:  # joined recordings may change
                        yield from resampler.resample(None) if resampler is not None else ()
                        resampler, known = AudioResampler(format="fltp", layout=layout, rate=rate), form
                    yield from resampler.resample(frame)
            yield from resampler.resample(None) if resampler is not None else ()

        def encoded() -> Iterator[tuple[float, Packet[AudioStream]]]:
            for block in _gapless(frames(), layout, rate, start):
                for packet in out.encode(block):
                    yield _at(packet)
            for packet in out.encode(None):
                yield _at(packet)

        return encoded()


def _gapless(frames: Iterator[AudioFrame], layout: str, rate: int, start: Fraction) -> Iterator[AudioFrame]:
    """Yield gapless blocks for the encoder from ``start`` on: gaps are filled with silence, and overlaps cut off."""
    graph = Graph()
    source = graph.add_abuffer(format="fltp", sample_rate=rate, layout=layout, time_base=Fraction(1, rate))
    in_time = graph.add("aresample", f"osr={rate}:async=1:min_hard_comp={JITTER_S}:first_pts=0")
    graph.link_nodes(source, in_time, graph.add("asetnsamples", f"n={BLOCK}:p=0"), graph.add("abuffersink")).configure()

    def blocks() -> Iterator[AudioFrame]:
        while True:
            try:
                yield cast(AudioFrame, graph.pull())
            except (av.BlockingIOError, av.EOFError):
                return

    shift, following = round(start * rate), 0
    for frame in frames:
        at = following  # without a time, it follows the frame before
        if frame.pts is not None and frame.time_base is not None:
            at = round(frame.pts * frame.time_base * rate) - shift
        frame.pts, frame.time_base, following = at, Fraction(1, rate), at + frame.samples
        graph.push(frame)
        yield from blocks()
    graph.push(None)
    yield from blocks()


def _at(packet: Packet[AudioStream]) -> tuple[float, Packet[AudioStream]]:
    assert packet.pts is not None
    assert packet.time_base is not None
    return float(packet.pts * packet.time_base), packet
