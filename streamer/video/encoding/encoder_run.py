"""A run of the encoder with time kept regular, and its pictures and the sound put into every form that is wanted."""

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
"""A gap of missing frames up to so long is filled with the picture before it, unless the encoder is behind…"""
FILL_SHARE = 0.2
"""…or more than so large a part of the frames has been missing for a while: a repeated picture costs two thirds of a new one,
and a machine that cannot keep up is not to be burdened further."""
REGULAR_S = 5.0
"""Within a gap up to so long, the keyframes that are due are encoded; after a longer one they are counted anew."""


class SoundReader(Protocol):
    """Gives the sound of the stream, a little at a time."""

    def until(self, t_s: float, /) -> Sequence[SoundPacket]:
        """What begins before a time of the stream, in seconds, and was not given yet; never blocks."""


class StreamSound(Protocol):
    """The one sound of all encodes."""

    @property
    def info(self) -> SoundInfo:
        """What a container must know of it."""

    def reader(self, start_s: float, /) -> SoundReader:
        """Begin to read at a time of the stream: a frame's number over the frame rate."""


@dataclass(frozen=True, slots=True)
class MuxerOutput:
    """What one encoded picture adds to one form."""

    kind: VideoKind
    pieces: list[Piece]
    init: bytes | None
    """What must come before a viewer's first piece, once it is known."""


class EncoderRun:
    """One run, from its first picture until it is closed; belongs to one thread."""

    def __init__(self, spec: EncodeSpec, sound: Callable[[], StreamSound] | None) -> None:
        """Set up the encoder; raises av.FFmpegError. ``sound`` is asked when a form with sound is wanted."""
        self._run = H264Run(spec)
        self._spec = spec
        self._sound = sound
        self._reader: SoundReader | None = None
        self._muxers: dict[VideoKind, Muxer] = {}
        self._may_fill = FILL_S * spec.fps
        self._unlike = False
        """Whether an encoder of less work was tried and describes its pictures otherwise: who watches could not go on."""

    def add(
        self, image: np.ndarray, number: int, *, behind: bool, wanted: Collection[VideoKind], low_effort: bool = False
    ) -> Iterator[MuxerOutput]:
        """Encode a frame, and give it out in the forms wanted: each begins at a keyframe, and ends when it is wanted no more.

        Frames that are missing since the last are made up for by the picture before them.

        Args:
            image: (H, W, 3) uint8 RGB, in the size of the encode.
            number: The frame's, higher than the last one's.
            behind: Whether more frames wait, so that there is no time to fill gaps.
            wanted: The forms that anybody wants now.
            easy: Whether to take as little work as may be from the next keyframe on; viewers see no difference but in quality.
        """
        for coded in self._encode(image, number, behind, low_effort):
            yield from self._add(coded, wanted)

    def close(self) -> None:
        """Free encoder and forms; what they still held is thrown away."""
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
        """Encode a picture, the one before again for None; at a keyframe, by another encoder if more or less work is wanted."""
        run = self._run
        if low_effort is run.low_effort or self._unlike or run.number is None or not run.is_key(number):
            return run.encode(image, number)
        other = run.successor(low_effort=low_effort)
        coded = other.encode(image, number)
        if other.parameter_sets != run.parameter_sets:
            self._unlike = True
            log.info("preset %s stays: one of less work would describe its pictures otherwise", self._spec.preset)
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
        """The sound that begins before the end of a picture; none while nobody wants any."""
        if not wanted or self._sound is None:
            self._reader = None
            return ()
        if self._reader is None:
            self._reader = self._sound().reader(coded.number / self._spec.fps)
        return self._reader.until((coded.number + 1) / self._spec.fps)
