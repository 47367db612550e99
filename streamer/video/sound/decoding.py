"""Decodes the sound of any file or stream to stereo samples, a little at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container.input import InputContainer

from streamer.errors import ZoomdreamError
from streamer.media.codecs import codec_names, has_decoder
from streamer.media.opening import ANY_TAGS, open_file
from streamer.media.tracks import sound_tracks

MAX_BAD_PACKETS = 50
"""Undecodable packets in a row after which decoding gives up: about a second in most formats."""
LOUDEST = 8.0
"""Samples are clipped to this, 18 dB over full scale; larger values are errors in the file."""
FAULTS = (av.FFmpegError, ValueError)
"""What PyAV raises; ValueError if a decoder could not be opened."""
PROBE = {"probesize": "131072", "analyzeduration": "2000000"}
"""Most to read of a live stream before the first sample: 128 KiB, 2 s."""


class SoundError(ZoomdreamError):
    """There is no sound; one line says why, without passwords."""


class Readable(Protocol):
    """What PyAV reads instead of a path."""

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; empty at the end."""


def decode(source: Path | Readable, rate: int) -> Generator[np.ndarray, None, None]:
    """Yield the best decodable sound track, resampled and mixed to stereo, as fast as the caller reads.

    Everything else (a cover picture, video) is skipped, and so are damaged packets.

    Args:
        source: a local file, or a ``Readable`` that is read from start to end.
        rate: wanted samples per second.

    Yields:
        (n, 2) float32 samples, n > 0, about -1..1, finite.

    Raises:
        SoundError: not a known format, no sound in it, no decoder for it, or damaged from here on. What a ``Readable`` raises
            passes through.
    """
    try:
        container = open_file(source) if isinstance(source, Path) else av.open(source, "r", options=PROBE, **ANY_TAGS)
    except FAULTS as error:
        raise SoundError(_reason(error)) from None
    with container:
        tracks = sound_tracks(container)
        if not tracks:
            raise SoundError("there is no sound in it")
        track = next(filter(has_decoder, tracks), None)
        if track is None:
            raise SoundError(f"there is no decoder for its sound, {codec_names(tracks)}")
        try:
            yield from _samples(container, track, rate)
        except FAULTS as error:
            raise SoundError(_reason(error)) from None


def _samples(container: InputContainer, stream: AudioStream, rate: int) -> Iterator[np.ndarray]:
    mixer = _Mixer(rate)
    bad = 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            bad += 1
            if bad >= MAX_BAD_PACKETS:
                raise SoundError("it is damaged") from None
            continue
        bad = 0 if frames else bad
        for frame in frames:
            assert isinstance(frame, AudioFrame)
            yield from mixer.mix(frame)
    yield from mixer.mix(None)


class _Mixer:
    """Converts frames of any kind to stereo, also if the kind changes in mid-stream, as on radio stations."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._kind: tuple[Any, ...] = ()
        self._resampler: AudioResampler | None = None

    def mix(self, frame: AudioFrame | None) -> Iterator[np.ndarray]:
        """Mix one frame; None flushes the resampler."""
        if frame is not None:
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)
            if kind != self._kind:
                yield from self.mix(None)
                # FFmpeg would make mono 3 dB quieter in stereo; here both channels get the full level.
                layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
                self._kind, self._resampler = kind, AudioResampler(format="flt", layout=layout, rate=self._rate)
            frame.pts = None  # samples are counted, not timed, so that odd time stamps leave no gaps
        if self._resampler is None:
            return
        for mixed in self._resampler.resample(frame):
            channels = mixed.layout.nb_channels
            samples = mixed.to_ndarray().reshape(-1, channels).repeat(3 - channels, axis=1)
            if len(samples):
                yield np.nan_to_num(samples.clip(-LOUDEST, LOUDEST), nan=0.0)


def _reason(error: Exception) -> str:
    """Return the reason without the file's name, which the caller adds."""
    if isinstance(error, av.error.InvalidDataError):
        return "it is no sound file of a known format, or damaged"
    if isinstance(error, av.error.EOFError):
        return "it ends before there is any sound"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
