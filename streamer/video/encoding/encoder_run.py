"""One run of the encoder: fills gaps between frames, and muxes pictures and sound into every format that is wanted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from streamer.video.encoding.h264 import EncodedPicture, H264Run, Piece
from streamer.video.encoding.muxers import Muxer, SoundInfo, SoundPacket, VideoKind, make_muxer
from streamer.video.encoding.spec import EncodeSpec

log = logging.getLogger(__name__)

FILL_S = 1.0
"""Longest gap of missing frames that is filled by repeating the picture before it, unless the encoder is behind…"""
FILL_SHARE = 0.2
"""…or more than this share of the frames has been missing for a while: a repeated picture costs two thirds of a new one, too
much for a machine that cannot keep up."""
REGULAR_S = 5.0
"""Longest gap in which the keyframes that are due are encoded; after a longer one their interval starts again."""


class SoundReader(Protocol):
    """Reads the sound of the stream, a little at a time."""

    def until(self, t_s: float, /) -> Sequence[SoundPacket]:
        """Return the packets that begin before a time of the stream, in seconds, and were not returned yet; never blocks."""


class StreamSound(Protocol):
    """The sound that all encodes share."""

    @property
    def info(self) -> SoundInfo:
        """What a container needs to know about it."""

    def reader(self, start_s: float, /) -> SoundReader:
        """Return a reader that starts at a time of the stream: frame number divided by frame rate."""


@dataclass(frozen=True, slots=True)
class MuxerOutput:
    """What one encoded picture adds to one format."""

    kind: VideoKind
    pieces: list[Piece]
    init: bytes | None
    """What a viewer needs before the first piece; None while unknown."""


class EncoderRun:
    """One run of the encoder, from its first picture until it is closed; belongs to one thread."""

    def __init__(self, spec: EncodeSpec, sound: Callable[[], StreamSound] | None) -> None:
        """Set up the encoder; raises av.FFmpegError. ``sound`` is called when a format with sound is wanted."""
        self._run = H264Run(spec)
        self._spec = spec
        self._sound = sound
        self._reader: SoundReader | None = None
        self._muxers: dict[VideoKind, Muxer] = {}
        self._may_fill = FILL_S * spec.fps
        self._incompatible = False
        """Whether a low-effort encoder was tried and has other parameter sets, so that viewers' decoders would fail."""

    def add(
        self, image: np.ndarray, number: int, *, behind: bool, wanted: Collection[VideoKind], low_effort: bool = False
    ) -> Iterator[MuxerOutput]:
        """Encode a frame and yield it in the wanted formats. Each starts at a keyframe and ends when nobody wants it any more.

        Frames missing since the last one are replaced by the picture before them.

        Args:
            image: (H, W, 3) uint8 RGB, in the size of the encode.
            number: The frame's, higher than the last one's.
            behind: Whether more frames wait, so that there is no time to fill gaps.
            wanted: The formats that viewers want now.
            low_effort: Whether to encode with the least effort from the next keyframe on; viewers notice only the quality.
        """
        for coded in self._encode(image, number, behind, low_effort):
            yield from self._add(coded, wanted)

    def close(self) -> None:
        """Free encoder and muxers; what they still hold is discarded."""
        for muxer in self._muxers.values():
            muxer.close()
        self._muxers = {}

    def _encode(self, image: np.ndarray, number: int, behind: bool, low_effort: bool) -> Iterator[EncodedPicture]:
        run = self._run
        missing = range(number if run.number is None else run.number + 1, number)
        if len(missing) > REGULAR_S * self._spec.fps:
            run.restart(number)
        else:
            fill = not behind and len(missing) <= self._may_fill
            self._may_fill = min(FILL_S * self._spec.fps, self._may_fill + FILL_SHARE - len(missing) * fill)
            for gap in missing:
                if fill or self._run.is_key(gap):
                    yield from self._encode_one(None, gap, low_effort)
        yield from self._encode_one(image, number, low_effort)

    def _encode_one(self, image: np.ndarray | None, number: int, low_effort: bool) -> list[EncodedPicture]:
        """Encode a picture; None repeats the last one. At a keyframe, switch the encoder if the wanted effort changed."""
        run = self._run
        if low_effort is run.low_effort or self._incompatible or run.number is None or not run.is_key(number):
            return run.encode(image, number)
        other = run.successor(low_effort=low_effort)
        coded = other.encode(image, number)
        if other.parameter_sets != run.parameter_sets:
            self._incompatible = True
            log.info("preset %s stays: a faster one would have other parameter sets", self._spec.preset)
            return run.encode(image, number)
        self._run = other
        return coded

    def _add(self, coded: EncodedPicture, wanted: Collection[VideoKind]) -> Iterator[MuxerOutput]:
        for kind in [kind for kind in self._muxers if kind not in wanted]:
            self._muxers.pop(kind).close()
        sound = self._sound_until(coded, any(kind.endswith("+audio") for kind in wanted))
        for kind in wanted:
            if kind not in self._muxers:
                if not coded.key:
                    continue
                info = self._sound().info if self._sound is not None and kind.endswith("+audio") else None
                self._muxers[kind] = make_muxer(kind, self._spec, self._run.parameter_sets, info)
            muxer = self._muxers[kind]
            pieces = muxer.add(coded, sound)
            yield MuxerOutput(kind, pieces, muxer.init)

    def _sound_until(self, coded: EncodedPicture, wanted: bool) -> Sequence[SoundPacket]:
        """Return the sound that begins before the end of a picture; empty while nobody wants sound."""
        if not wanted or self._sound is None:
            self._reader = None
            return ()
        if self._reader is None:
            self._reader = self._sound().reader(coded.number / self._spec.fps)
        return self._reader.until((coded.number + 1) / self._spec.fps)
