"""One encode that all its viewers share: frames in; video in every format and pictures out, only while somebody wants them."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import av
import numpy as np

from streamer.config import VideoConfig
from streamer.errors import ZoomdreamError
from streamer.messages.keyframes import Frame
from streamer.video.encoding.encoder_run import EncoderRun, StreamSound
from streamer.video.encoding.frame_images import FrameImages
from streamer.video.encoding.h264 import Piece, codec_string, open_codec, to_yuv
from streamer.video.encoding.muxers import VideoKind
from streamer.video.encoding.spec import SAFE_PRESET, EncodeSpec
from streamer.video.encoding.subscription import IMAGE_KINDS, KINDS, VIDEO_KINDS, Subscription, SubscriptionKind

log = logging.getLogger(__name__)

QUEUE_S = 0.3
"""Seconds of frames queued for the encoder: 1.5 times what the frame clock catches up after a hiccup. When full: the oldest is
dropped and counted, the newest wins…"""
QUEUE_LEAST = 3
"""…but the queue holds at least this many frames, also at a low rate."""
RETRY_S = 1.0
"""Seconds before the encoder is opened again after a failure."""
LOG_S = 1.0
"""Least seconds between two log lines about dropped pictures."""
SMOOTHING = 0.05
"""Weight of the newest frame in the moving average of the encode time."""


class EncoderError(ZoomdreamError):
    """The encoder cannot work."""


class Listener(Protocol):
    """Gets every picture that is encoded as H.264."""

    @property
    def kind(self) -> VideoKind:
        """The format it wants; see ``Subscription``."""

    def offer(self, piece: Piece, init: bytes | None = None) -> int:
        """Take a piece without waiting, in the encoder's thread; return the pictures dropped. See ``Subscription.offer``."""

    def close(self) -> None:
        """Note that the encoder ends."""


@dataclass(frozen=True, slots=True)
class EncoderStatus:
    """The state of an encode, at one moment."""

    viewers: int
    """Number of open subscriptions of every kind."""
    running: bool
    """Whether H.264 is being encoded."""
    codec: str
    """RFC 6381 name of the video."""
    encoded: int
    """Frames encoded as H.264 since the start."""
    dropped: int
    """Frames that came faster than they could be encoded."""
    viewers_dropped: int
    """Pictures that slow viewers missed, summed over all viewers."""
    encode_s: float
    """Recent mean encode time per frame, in seconds; 0 before the first."""
    error: str = ""
    """The latest error, in one line; empty once it works again."""


class Encoder:
    """Encodes the frames on air once for all subscribers, in a thread of its own.

    Thread-safe. Without subscribers it encodes only single JPEGs on request, and has no thread.

    Times in every format come from the frame numbers. A missing frame is replaced by the picture before it: time runs
    regularly, and keyframes are exactly one interval apart; see ``encoder_run``.
    """

    def __init__(
        self,
        video: EncodeSpec | VideoConfig,
        sound: Callable[[], StreamSound] | None = None,
        *,
        source: tuple[int, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Probe the encoder.

        Args:
            video: What to encode.
            sound: Returns the sound, called once when somebody wants it; None: kinds with sound are refused.
            source: (height, width) of the frames that are put; None: those of the encode. Other sizes are scaled.

        Raises:
            EncoderError: no H.264 encoder takes these settings.
        """
        self._spec = EncodeSpec.of(video) if isinstance(video, VideoConfig) else video
        self._source = source or (self._spec.height, self._spec.width)
        self._sound = sound
        self._clock = clock
        self._codec = _probe(self._spec)
        self._condition = threading.Condition()
        self._frames: deque[Frame] = deque()
        self._room = max(QUEUE_LEAST, math.ceil(QUEUE_S * self._spec.fps))
        self._latest: Frame | None = None
        self._subscriptions: tuple[Subscription, ...] = ()
        self._listener: Listener | None = None
        self._listens_always = False
        self._closing = False
        self._encoder_run: EncoderRun | None = None
        self._running = False
        self._fatal: Exception | None = None
        self._encoded = 0
        self._dropped = 0
        self._viewers_dropped = 0
        self._encode_s = 0.0
        self._error = ""
        self._logged_s = -LOG_S
        self._retry_at_s = 0.0
        self._low_effort = False
        self._frame_images = FrameImages((self._spec.height, self._spec.width), self._spec.jpeg_quality)
        self._thread: threading.Thread | None = None

    @property
    def spec(self) -> EncodeSpec:
        """What it encodes."""
        return self._spec

    def reduce_load(self, low_effort: bool) -> None:
        """Encode with the least effort from the next keyframe on, or as before; viewers are not interrupted."""
        self._low_effort = low_effort

    @property
    def alive(self) -> bool:
        """Whether it can still be subscribed to."""
        return not self._closing and self._fatal is None

    @property
    def mime(self) -> str:
        """MIME type of the ``mp4`` kind for Media Source Extensions, for example ``video/mp4; codecs="avc1.4d401f"``."""
        return f'video/mp4; codecs="{self._codec}"'

    @property
    def wanted(self) -> bool:
        """Whether there is a subscription, or a listener that counts as a viewer."""
        return bool(self._subscriptions) or self._listens_always

    def put(self, frame: Frame) -> bool:
        """Queue the frame on air; never blocks. Return whether a queued frame was dropped for it.

        Raises:
            ValueError: its size is not the video's.
            EncoderError: the encoder's thread died.
        """
        expected = (*self._source, 3)
        if frame.image.shape != expected or frame.image.dtype != np.uint8:
            raise ValueError(f"frame is {frame.image.shape} {frame.image.dtype}; must be {expected} uint8")
        with self._condition:
            if self._fatal is not None:
                raise EncoderError(f"the encoder died: {self._fatal}") from self._fatal
            self._latest = frame
            if not self.wanted or self._closing:
                return False
            full = len(self._frames) >= self._room
            if full:
                self._frames.popleft()
                self._dropped += 1
            self._frames.append(frame)
            self._condition.notify()
        return full

    def subscribe(
        self,
        kind: SubscriptionKind | str,
        *,
        gapless: bool = True,
        on_ready: Callable[[], None] | None = None,
        images_s: float | None = None,
    ) -> Subscription:
        """Subscribe; video begins at the next video keyframe.

        Args:
            kind: One of ``subscription.KINDS``, described in ``Subscription``.
            gapless: Whether missed pictures take no time, so that a browser plays on without a gap (``mp4``).
            on_ready: Called from the encoder's thread whenever there may be something to read; it returns immediately.
            images_s: Most pictures per second (``jpeg``, ``rgb``).

        Raises:
            ValueError: the kind is unknown, or there is no sound for it.
            EncoderError: the encoder is closed.
        """
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; must be one of {', '.join(KINDS)}")
        if kind.endswith("+audio") and self._sound is None:
            raise ValueError(f"kind is {kind!r}; there is no sound here")
        subscription = Subscription(
            kind,  # type: ignore[arg-type]
            self._spec.fps,
            gapless=gapless,
            on_close=self._leave,
            on_ready=on_ready,
            images_s=images_s,
        )
        with self._condition:
            if self._closing or self._fatal is not None:
                raise EncoderError("the encoder is closed")
            self._subscriptions += (subscription,)
            self._begin()
        return subscription

    def listen(self, listener: Listener, *, always: bool = False) -> None:
        """Register a listener that gets each encoded picture; a second call replaces the first listener.

        Args:
            always: Whether it counts as a viewer, for whom video is encoded; otherwise it gets video only while others watch.

        Raises:
            EncoderError: the encoder is closed.
        """
        with self._condition:
            if self._closing or self._fatal is not None:
                raise EncoderError("the encoder is closed")
            self._listener, self._listens_always = listener, always
            if always:
                self._begin()

    def _begin(self) -> None:
        """Start the encoding thread if needed, and wake it; the lock is held."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="encoder", daemon=True)
            self._thread.start()
        self._condition.notify()

    def latest_jpeg(self) -> bytes | None:
        """Return the frame on air as a JPEG file, or None before the first; made in the caller's thread, once per frame."""
        with self._condition:
            frame = self._latest
        return None if frame is None else self._frame_images.jpeg(frame)

    def status(self) -> EncoderStatus:
        """Return all counts, at one moment."""
        with self._condition:
            return EncoderStatus(
                viewers=len(self._subscriptions),
                running=self._running,
                codec=self._codec,
                encoded=self._encoded,
                dropped=self._dropped,
                viewers_dropped=self._viewers_dropped,
                encode_s=self._encode_s,
                error=self._error,
            )

    def close(self, deadline_s: float = 5.0) -> None:
        """End the thread and every subscription; a second call does nothing."""
        with self._condition:
            self._closing = True
            self._frames.clear()
            self._condition.notify()
            subscriptions, listener = self._subscriptions, self._listener
            thread = self._thread
        for subscription in subscriptions:
            subscription.close()
        if listener is not None:
            listener.close()
        if thread is None:
            return
        thread.join(deadline_s)
        if thread.is_alive():
            log.warning("the encoder did not end within %.1f s", deadline_s)

    def _leave(self, subscription: Subscription) -> None:
        with self._condition:
            self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)
            if not self.wanted:
                self._frames.clear()
            self._condition.notify()

    def _work(self) -> None:
        """Run the thread; an unexpected error ends every subscription and surfaces in ``put``."""
        try:
            while self._work_once():
                pass
        except Exception as error:
            log.exception("the encoder's thread died")
            with self._condition:
                self._fatal = error
                self._error = f"{type(error).__name__}: {error}"
                subscriptions = self._subscriptions
            for subscription in subscriptions:
                subscription.close()
            self._end_run()

    def _work_once(self) -> bool:
        """Wait for work and do it; return False when nobody wants anything any more."""
        with self._condition:
            self._condition.wait_for(
                lambda: (
                    self._closing
                    or self._frames
                    or not self.wanted
                    or (self._encoder_run is not None and not self._wants_video())
                )
            )
            subscriptions = self._subscriptions
            frame = self._frames.popleft() if self._frames and not self._closing else None
            behind = bool(self._frames)
            wants_video = self._wants_video() and not self._closing
        if not wants_video:
            self._end_run()
        if frame is None:
            return self._stay()
        if wants_video:
            self._encode(frame, subscriptions, behind)
        self._deliver_images(frame, [s for s in subscriptions if s.kind in IMAGE_KINDS])
        return True

    def _stay(self) -> bool:
        """Return whether there is a subscriber; if not, this thread is no longer the encoder's."""
        with self._condition:
            if self._closing or not self.wanted:
                self._thread = None
                return False
        return True

    def _end_run(self, error: str = "") -> None:
        encoder_run, self._encoder_run = self._encoder_run, None
        if encoder_run is not None:
            encoder_run.close()
        self._set_running(False, error or self._error)

    def _wants_video(self) -> bool:
        return self._listens_always or any(s.kind in VIDEO_KINDS for s in self._subscriptions)

    def _encode(self, frame: Frame, subscriptions: tuple[Subscription, ...], behind: bool) -> None:
        """Encode and deliver one frame; a failure ends the run, and a later frame starts the next."""
        start_s = self._clock()
        if self._encoder_run is None and start_s < self._retry_at_s:
            return
        receivers: list[Subscription | Listener] = [*subscriptions, *filter(None, [self._listener])]
        kinds = {s.kind for s in receivers}
        try:
            if self._encoder_run is None:
                self._encoder_run = EncoderRun(self._spec, self._sound)
            wanted = [kind for kind in VIDEO_KINDS if kind in kinds]
            image = self._frame_images.image(frame)
            for output in self._encoder_run.add(image, frame.number, behind=behind, wanted=wanted, low_effort=self._low_effort):
                self._deliver(receivers, output.kind, output.pieces, output.init)
        except av.FFmpegError as error:
            self._retry_at_s = start_s + RETRY_S
            self._end_run(str(error))
            if self._spec.encoder == "libx264":
                log.error("encoding failed, next try in %.0f s: %s", RETRY_S, error)
            else:
                self._leave_gpu(error, subscriptions)
            return
        self._set_running(True)
        took_s = self._clock() - start_s
        with self._condition:
            self._encoded += 1
            self._encode_s += (took_s - self._encode_s) * (SMOOTHING if self._encode_s else 1.0)

    def _leave_gpu(self, error: Exception, subscriptions: tuple[Subscription, ...]) -> None:
        """Fall back to the CPU for good. MP4 viewers were told the codec, so their connections are closed."""
        log.error("%s failed; encoding on the CPU from now on: %s", self._spec.encoder, error)
        self._spec = replace(self._spec, encoder="libx264", preset=SAFE_PRESET)
        self._codec = _probe(self._spec)
        self._retry_at_s = 0.0
        for subscription in subscriptions:
            if subscription.kind == "mp4":
                subscription.close()

    def _deliver_images(self, frame: Frame, subscriptions: Sequence[Subscription]) -> None:
        due = tuple(s for s in subscriptions if s.due(frame.number))
        for kind in dict.fromkeys(s.kind for s in due):
            data = self._frame_images.jpeg(frame) if kind == "jpeg" else self._frame_images.image(frame).tobytes()
            self._deliver(due, kind, [Piece(data, key=True)], None)

    def _deliver(
        self, receivers: Sequence[Subscription | Listener], kind: SubscriptionKind, pieces: list[Piece], init: bytes | None
    ) -> None:
        dropped = sum(each.offer(piece, init) for each in receivers if each.kind == kind for piece in pieces)
        if not dropped:
            return
        with self._condition:
            self._viewers_dropped += dropped
            total = self._viewers_dropped
        now_s = self._clock()
        if now_s - self._logged_s >= LOG_S:
            self._logged_s = now_s
            log.info("viewers too slow for the video have missed %d pictures so far", total)

    def _set_running(self, running: bool, error: str = "") -> None:
        with self._condition:
            self._running = running
            self._error = error


def _probe(spec: EncodeSpec) -> str:
    """Encode one black picture to learn the codec's RFC 6381 name."""
    try:
        codec = open_codec(spec)
        frame = to_yuv(np.zeros((spec.height, spec.width, 3), np.uint8))
        frame.pts = 0
        data = b"".join(bytes(packet) for packet in (*codec.encode(frame), *codec.encode(None)))
        return codec_string(data)
    except (av.FFmpegError, ValueError) as error:
        raise EncoderError(
            f"no H.264 encoder for {spec.width}x{spec.height} at {spec.fps} frames per second: {error}"
        ) from error
