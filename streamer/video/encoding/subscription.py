"""One viewer's queue of encoded video. It is bounded, so a slow viewer delays nobody else."""

from __future__ import annotations

import struct
import threading
from collections import deque
from collections.abc import Callable
from typing import Literal, get_args

from streamer.video.encoding.h264 import Piece, fragment_times
from streamer.video.encoding.muxers import VideoKind

ImageKind = Literal["jpeg", "rgb"]
SubscriptionKind = VideoKind | ImageKind
VIDEO_KINDS: tuple[VideoKind, ...] = get_args(VideoKind)
IMAGE_KINDS: tuple[ImageKind, ...] = get_args(ImageKind)
KINDS: tuple[str, ...] = VIDEO_KINDS + IMAGE_KINDS

CAPACITY_S = 2.0
"""Seconds of video queued for a slow viewer. When full: everything up to the next video keyframe is dropped and counted."""
CAPACITY_BYTES = 8 << 20
"""Bytes queued for a slow viewer; the same policy."""
IMAGE_CAPACITY = 2
"""Pictures queued for a slow viewer of ``jpeg`` or ``rgb``. When full: the oldest is dropped and counted."""


class Subscription:
    """Pieces of video for one viewer, each of whole pictures, starting where a decoder can start.

    ``ts``: whole MPEG-TS packets, PAT and PMT first. ``mp4``: the init segment, then one fragment per picture, times from
    0. ``packets``: ``packet_protocol.pack_info``, then one picture as ``pack`` writes it; after a restart of the encoder, the
    info and a picture in one piece. ``ts+audio`` and ``packets+audio``: the same with the sound that begins before
    the end of each picture. ``jpeg``: one file per picture. ``rgb``: the bytes of one picture, (h, w, 3) uint8.

    Thread-safe. ``read`` is for one reader.
    """

    def __init__(
        self,
        kind: SubscriptionKind,
        fps: float,
        *,
        gapless: bool,
        on_close: Callable[[Subscription], None],
        on_ready: Callable[[], None] | None,
        images_s: float | None = None,
    ) -> None:
        self.kind = kind
        self._images = kind in IMAGE_KINDS
        self._capacity = IMAGE_CAPACITY if self._images else max(4, round(CAPACITY_S * fps))
        self._every = 1 if images_s is None else max(1.0, fps / images_s)
        self._turn = -1
        self._gapless = gapless
        self._on_close = on_close
        self._on_ready = on_ready
        self._condition = threading.Condition()
        self._queue: deque[Piece] = deque()
        self._bytes = 0
        self._init: bytes | None = None
        self._last_init: bytes | None = None
        self._new = True
        self._waits_for_key = True
        self._closed = False
        self._dropped = 0
        self._base: int | None = None
        self._end = 0

    def read(self, timeout: float | None = None) -> bytes | None:
        """Wait for the next piece.

        Args:
            timeout: Seconds to wait at most; 0 returns immediately, None waits until there is a piece or the subscription ends.

        Returns:
            The piece; None if there was none in time, or if the subscription is closed (see ``closed``).
        """
        with self._condition:
            self._condition.wait_for(lambda: self._queue or self._init is not None or self._closed, timeout)
            if self._closed:
                return None
            if self._init is not None:
                first, self._init = self._init, None
                return first
            if not self._queue:
                return None
            piece = self._queue.popleft()
            self._bytes -= len(piece.data)
            return self._retimed(piece.data) if self.kind == "mp4" else piece.data

    def close(self) -> None:
        """End the subscription and wake its reader; a second call does nothing."""
        with self._condition:
            if self._closed:
                return
            self._closed = True
            self._queue.clear()
            self._bytes = 0
            self._condition.notify_all()
        self._on_close(self)
        if self._on_ready is not None:
            self._on_ready()

    @property
    def closed(self) -> bool:
        """Whether it is closed, by its reader or because the encoder ended."""
        return self._closed

    @property
    def dropped(self) -> int:
        """Number of pictures dropped because they were not fetched in time."""
        return self._dropped

    @property
    def waiting_bytes(self) -> int:
        """Number of bytes not fetched yet."""
        return self._bytes

    def due(self, number: int) -> bool:
        """Return whether the picture of this frame is wanted at ``images_s``; for the encoder only, once per frame."""
        turn = int(number / self._every)
        if turn == self._turn:
            return False
        self._turn = turn
        return True

    def offer(self, piece: Piece, init: bytes | None = None) -> int:
        """Queue a piece, for the encoder only; never blocks.

        Args:
            init: What the viewer needs before the first piece; for packets, also before the next one after a change.

        Returns:
            How many pictures were dropped.
        """
        with self._condition:
            if self._closed:
                return 0
            lost = self._place(piece, init)
            self._dropped += lost
            self._condition.notify()
        if self._on_ready is not None:
            self._on_ready()
        return lost

    def _place(self, piece: Piece, init: bytes | None) -> int:
        """Queue the piece if the policy allows it; return the number of pictures lost."""
        if self._waits_for_key and not piece.key:
            return 0 if self._new else 1  # a new viewer misses nothing yet
        full = len(self._queue) >= self._capacity or self._bytes + len(piece.data) > CAPACITY_BYTES
        lost = 0
        if full and self._images:
            self._bytes -= len(self._queue.popleft().data)
            lost = 1
        elif full and not piece.key:
            self._waits_for_key = True
            return 1
        elif full:
            # At a keyframe the viewer can join again, and what is still queued is old.
            lost = len(self._queue)
            self._queue.clear()
            self._bytes = 0
            self._last_init = None
        if self._new:
            self._new, self._init = False, init
        elif init is not None and init is not self._last_init and self.kind.startswith("packets"):
            piece = Piece(init + piece.data, piece.key)
        self._last_init = init
        self._waits_for_key = False
        self._queue.append(piece)
        self._bytes += len(piece.data)
        return lost

    def _retimed(self, data: bytes) -> bytes:
        """Return a fragment with its time counted from this viewer's first; if ``gapless``, without gaps."""
        at, time, duration = fragment_times(data)
        start = time - self._base if self._base is not None else 0
        if self._gapless or start < self._end:  # the latter: the encoder restarted
            start = self._end
        self._base = time - start
        self._end = start + duration
        return b"".join((data[:at], struct.pack(">Q", start), data[at + 8 :]))
