"""Keeps the last seconds of encoded video in memory, so that clips need no further encode."""

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
"""Seconds held beyond a clip and the distance to its keyframe, because a dream's end is noticed late."""
MOST_BYTES = 64 << 20
"""Most bytes held per encode. When full, by bytes or by seconds: the oldest picture is dropped."""
BREAK_S = 1.0
"""A clip does not continue across a gap longer than this, in seconds."""
SHORTEST_S = 1.0
"""Shortest clip, in seconds."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The pictures of a clip, starting with a keyframe."""

    info: MediaInfo
    pictures: tuple[Media, ...]

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        first, last = self.pictures[0], self.pictures[-1]
        return (last.pts + last.duration - first.pts) / VIDEO_RATE


class ClipBuffer:
    """Holds the newest pictures of one encode. Thread-safe: an encoder fills it, others cut from it."""

    kind: VideoKind = "packets"

    def __init__(self, spec: EncodeSpec, clip_s: float) -> None:
        """Hold enough of an encode for clips of ``clip_s`` seconds."""
        self._fps = spec.fps
        self._most = math.ceil((clip_s + spec.gop_s + SLACK_S) * spec.fps)
        self._lock = threading.Lock()
        self._pieces: deque[tuple[bytes, Piece]] = deque()
        self._bytes = 0

    def offer(self, piece: Piece, init: bytes | None = None) -> int:
        """Take the next picture; see ``Listener.offer``. Returns 0: no picture is dropped."""
        with self._lock:
            self._pieces.append((init or b"", piece))
            self._bytes += len(piece.data)
            while len(self._pieces) > self._most or self._bytes > MOST_BYTES:
                self._bytes -= len(self._pieces.popleft()[1].data)
        return 0

    def close(self) -> None:
        """Note that the encoder ends; clips can still be cut."""

    def cut(self, first: int, last: int, clip_s: float, least: int = 0) -> Cut | None:
        """Cut the end of a range of frames, as far as it was encoded, starting at a keyframe.

        Args:
            first: First frame number that may be included.
            last: Last frame number.
            clip_s: Wanted length in seconds. The clip is longer if its keyframe is earlier, and shorter if there is less.
            least: Frame number that the clip has to reach.

        Returns:
            The pictures; None if there is less than a second.
        """
        with self._lock:
            held = list(self._pieces)
        run: list[Media] = []
        info = init = None
        for piece_init, piece in held:
            media = PacketUnpacker().feed(piece.data)[0]
            assert isinstance(media, Media)
            number = self._number(media)
            if number > last:
                break
            continues = bool(run) and piece_init == init and 0 < media.pts - run[-1].pts <= BREAK_S * VIDEO_RATE
            if not continues:
                run = []
            if number < first or not (run or media.key):
                continue
            if not run:
                init = piece_init
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
        """Return a picture's frame number."""
        return round(media.pts * self._fps / VIDEO_RATE)


class ClipBuffers:
    """The buffers of all encodes of a stream. A clip is cut from the one that has most of it, preferably the page's."""

    def __init__(self, clip_s: float) -> None:
        """Prepare for clips of ``clip_s`` seconds."""
        self._clip_s = clip_s
        self._lock = threading.Lock()
        self._clip_buffers: list[weakref.ref[ClipBuffer]] = []

    def make(self, spec: EncodeSpec) -> ClipBuffer:
        """Make a buffer for an encode; it is held weakly, so it goes with its encoder."""
        clip_buffer = ClipBuffer(spec, self._clip_s)
        with self._lock:
            self._clip_buffers = [known for known in self._clip_buffers if known() is not None] + [weakref.ref(clip_buffer)]
        return clip_buffer

    def cut(self, first: int, last: int, least: int = 0) -> Cut | None:
        """Cut the longest clip of all buffers, up to the clip length; of equal ones, that of the oldest buffer."""
        with self._lock:
            clip_buffers = [clip_buffer for known in self._clip_buffers if (clip_buffer := known()) is not None]
        cuts: Iterable[Cut | None] = (clip_buffer.cut(first, last, self._clip_s, least) for clip_buffer in clip_buffers)
        return max(filter(None, cuts), key=lambda cut: min(cut.seconds, self._clip_s), default=None)
