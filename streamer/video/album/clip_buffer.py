"""The last seconds of encoded video in memory, from which clips are cut without another encode."""

from __future__ import annotations

import math
import threading
import weakref
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from streamer.video.encoding.h264 import Piece
from streamer.video.encoding.muxers import VideoKind
from streamer.video.encoding.packet_protocol import VIDEO_RATE, Media, MediaInfo, PacketUnpacker
from streamer.video.encoding.spec import EncodeSpec

SLACK_S = 4.0
"""Seconds held beyond a clip and the way to its keyframe: what comes before a dream's end is known is not lost meanwhile."""
MOST_BYTES = 64 << 20
"""Bytes held of one encode. When full, by these or by the seconds: the oldest picture goes."""
BREAK_S = 1.0
"""Where pictures are missing for longer, a clip does not go on."""
SHORTEST_S = 1.0
"""What is shorter is no clip."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Pictures that make a clip, a keyframe first."""

    info: MediaInfo
    pictures: tuple[Media, ...]

    @property
    def seconds(self) -> float:
        """How long it plays."""
        first, last = self.pictures[0], self.pictures[-1]
        return (last.pts + last.duration - first.pts) / VIDEO_RATE


class ClipBuffer:
    """Holds the newest pictures of one encode. Thread-safe: an encoder fills it, others cut from it."""

    kind: VideoKind = "packets"

    def __init__(self, spec: EncodeSpec, clip_s: float) -> None:
        """Hold enough of an encode for clips of so many seconds."""
        self._fps = spec.fps
        self._most = math.ceil((clip_s + spec.gop_s + SLACK_S) * spec.fps)
        self._lock = threading.Lock()
        self._pieces: deque[tuple[bytes, Piece]] = deque()
        self._bytes = 0

    def offer(self, piece: Piece, init: bytes | None = None) -> int:
        """Take the next picture, as ``Encoder`` hands them out; none is ever dropped on its way."""
        with self._lock:
            self._pieces.append((init or b"", piece))
            self._bytes += len(piece.data)
            while len(self._pieces) > self._most or self._bytes > MOST_BYTES:
                self._bytes -= len(self._pieces.popleft()[1].data)
        return 0

    def close(self) -> None:
        """The encoder ends; what is held can still be cut."""

    def cut(self, first: int, last: int, clip_s: float, least: int = 0) -> Cut | None:
        """The end of a stretch of the video, as far as it was encoded, from a keyframe on.

        Args:
            first: Number of the first frame that may be in it.
            last: Number of the last one.
            clip_s: How long it is to be, or longer by as much as the keyframe lies before; or what there is.
            least: Number of the frame that it must reach.

        Returns:
            The pictures; None where there is less than a second of them.
        """
        with self._lock:
            held = list(self._pieces)
        run: list[Media] = []
        info = init = None
        for told, piece in held:
            media = PacketUnpacker().feed(piece.data)[0]
            assert isinstance(media, Media)
            number = self._number(media)
            if number > last:
                break
            goes_on = bool(run) and told == init and 0 < media.pts - run[-1].pts <= BREAK_S * VIDEO_RATE
            if not goes_on:
                run = []
            if number < first or not (run or media.key):
                continue
            if not run:
                init = told
            run.append(media)
        if not run or not init or self._number(run[-1]) < least:
            return None
        end = run[-1].pts + run[-1].duration
        keys = [at for at, media in enumerate(run) if media.key]
        early = [at for at in keys if end - run[at].pts >= clip_s * VIDEO_RATE]
        info = PacketUnpacker().feed(init)[0]
        assert isinstance(info, MediaInfo)
        cut = Cut(info, tuple(run[early[-1] if early else keys[0] :]))
        return cut if cut.seconds >= SHORTEST_S else None

    def _number(self, media: Media) -> int:
        """Of a picture's frame."""
        return round(media.pts * self._fps / VIDEO_RATE)


class ClipBuffers:
    """The rings of all encodes of a stream: a clip is cut from whichever has most of it, the page's first."""

    def __init__(self, clip_s: float) -> None:
        """Cut clips of so many seconds."""
        self._clip_s = clip_s
        self._lock = threading.Lock()
        self._clip_buffers: list[weakref.ref[ClipBuffer]] = []

    def make(self, spec: EncodeSpec) -> ClipBuffer:
        """A ring for an encode; it is forgotten when whoever fills it is."""
        clip_buffer = ClipBuffer(spec, self._clip_s)
        with self._lock:
            self._clip_buffers = [known for known in self._clip_buffers if known() is not None] + [weakref.ref(clip_buffer)]
        return clip_buffer

    def cut(self, first: int, last: int, least: int = 0) -> Cut | None:
        """As ``ClipBuffer.cut``: the longest cut of all buffers, up to the clip length; among equals the oldest buffer's."""
        with self._lock:
            clip_buffers = [clip_buffer for known in self._clip_buffers if (clip_buffer := known()) is not None]
        cuts: Iterable[Cut | None] = (clip_buffer.cut(first, last, self._clip_s, least) for clip_buffer in clip_buffers)
        return max(filter(None, cuts), key=lambda cut: min(cut.seconds, self._clip_s), default=None)
