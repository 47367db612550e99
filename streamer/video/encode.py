"""The one encode that all viewers share: frames in; MPEG-TS, fragmented MP4 and JPEG out, only while someone wants them."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import av
import cv2
import numpy as np

from streamer.config import VideoConfig
from streamer.messages import Frame
from streamer.video.h264 import H264Run, Piece, codec_string, open_codec, to_yuv
from streamer.video.subscription import KINDS, Kind, Subscription

log = logging.getLogger(__name__)

QUEUE_FRAMES = 3
"""Frames that wait for the encoder. When full: the oldest is dropped and counted, for the newest wins."""
JPEG_QUALITY = 85
RETRY_S = 1.0
"""Pause before the encoder is opened again after it failed."""
LOG_S = 1.0
"""Least seconds between two log lines about dropped pictures."""
SMOOTHING = 0.05
"""Weight of the newest frame in the moving mean of the encode time."""


class EncoderError(Exception):
    """The encoder cannot work."""


@dataclass(frozen=True, slots=True)
class EncoderStatus:
    """How the encoding goes, at one moment."""

    viewers: int
    """Open shares of every kind."""
    running: bool
    """Whether H.264 is being encoded."""
    codec: str
    """RFC 6381 name of the video."""
    encoded: int
    """Frames encoded as H.264 since the start."""
    dropped: int
    """Frames that came faster than they could be encoded."""
    viewers_dropped: int
    """Pictures that slow viewers missed, summed over all."""
    encode_s: float
    """Mean seconds a frame took lately; 0 before the first."""
    error: str = ""
    """What went wrong last, in one line; empty once it works again."""


class Encoder:
    """Encodes the frames on air once for all viewers, in a thread of its own.

    Thread-safe. Nothing but JPEGs asked for one by one is encoded while nobody subscribes.
    """

    def __init__(self, video: VideoConfig, clock: Callable[[], float] = time.monotonic) -> None:
        """Probe the encoder and start its thread.

        Raises:
            EncoderError: there is no H.264 encoder that takes these settings.
        """
        self._video = video
        self._clock = clock
        self._codec = _probe(video)
        self._condition = threading.Condition()
        self._frames: deque[Frame] = deque()
        self._latest: Frame | None = None
        self._subscriptions: tuple[Subscription, ...] = ()
        self._closing = False
        self._run: H264Run | None = None
        self._running = False
        self._fatal: Exception | None = None
        self._encoded = 0
        self._dropped = 0
        self._viewers_dropped = 0
        self._encode_s = 0.0
        self._error = ""
        self._logged_s = -LOG_S
        self._retry_at_s = 0.0
        self._jpeg_lock = threading.Lock()
        self._jpeg: tuple[Frame, bytes] | None = None
        self._thread = threading.Thread(target=self._work, name="encoder", daemon=True)
        self._thread.start()

    @property
    def mime(self) -> str:
        """Type of the ``mp4`` kind for Media Source Extensions, for example ``video/mp4; codecs="avc1.4d401f"``."""
        return f'video/mp4; codecs="{self._codec}"'

    def put(self, frame: Frame) -> None:
        """Hand over the frame on air; never blocks.

        Raises:
            ValueError: its size is not the video's.
            EncoderError: the encoder's thread died.
        """
        expected = (self._video.height, self._video.width, 3)
        if frame.image.shape != expected or frame.image.dtype != np.uint8:
            raise ValueError(f"frame is {frame.image.shape} {frame.image.dtype}; must be {expected} uint8")
        with self._condition:
            if self._fatal is not None:
                raise EncoderError(f"the encoder died: {self._fatal}") from self._fatal
            self._latest = frame
            if not self._subscriptions or self._closing:
                return
            if len(self._frames) >= QUEUE_FRAMES:
                self._frames.popleft()
                self._dropped += 1
            self._frames.append(frame)
            self._condition.notify()

    def subscribe(self, kind: Kind | str, *, gapless: bool = True, on_ready: Callable[[], None] | None = None) -> Subscription:
        """Open a share; it begins at the next video keyframe.

        Args:
            kind: ``ts``, ``mp4`` or ``jpeg``.
            gapless: Whether pictures that this viewer missed take no time, so that a browser plays on without a hole (``mp4``).
            on_ready: Called from the encoder's thread whenever there may be something to read; must return at once.

        Raises:
            ValueError: there is no such kind.
            EncoderError: the encoder is closed.
        """
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; must be one of {', '.join(KINDS)}")
        subscription = Subscription(kind, self._video.fps, gapless=gapless, on_close=self._leave, on_ready=on_ready)  # type: ignore[arg-type]
        with self._condition:
            if self._closing or self._fatal is not None:
                raise EncoderError("the encoder is closed")
            self._subscriptions += (subscription,)
            self._condition.notify()
        return subscription

    def latest_jpeg(self) -> bytes | None:
        """Return the frame on air as a JPEG file, or None before the first; made in the caller's thread, once per frame."""
        with self._condition:
            frame = self._latest
        return None if frame is None else self._jpeg_of(frame)

    def status(self) -> EncoderStatus:
        """Everything countable, at one moment."""
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
        """End the thread and every share; a second call does nothing."""
        with self._condition:
            self._closing = True
            self._frames.clear()
            self._condition.notify()
            subscriptions = self._subscriptions
        for subscription in subscriptions:
            subscription.close()
        self._thread.join(deadline_s)
        if self._thread.is_alive():
            log.warning("the encoder did not end within %.1f s", deadline_s)

    def _leave(self, subscription: Subscription) -> None:
        with self._condition:
            self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)
            if not self._subscriptions:
                self._frames.clear()
            self._condition.notify()

    def _work(self) -> None:
        """Run the thread; what it did not foresee ends every share and surfaces in ``put``."""
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
        finally:
            self._end_run()

    def _work_once(self) -> bool:
        """Wait for something to do and do it; False when it is time to end."""
        with self._condition:
            self._condition.wait_for(
                lambda: self._closing or self._frames or (self._run is not None and not self._wants_video())
            )
            if self._closing:
                return False
            frame = self._frames.popleft() if self._frames else None
            subscriptions = self._subscriptions
            wants_video = self._wants_video()
        if not wants_video:
            self._end_run()
        if frame is None:
            return True
        if wants_video:
            self._encode(frame, subscriptions)
        if any(s.kind == "jpeg" for s in subscriptions):
            self._deliver(subscriptions, "jpeg", [Piece(self._jpeg_of(frame), key=True)], None)
        return True

    def _end_run(self, error: str = "") -> None:
        run, self._run = self._run, None
        if run is not None:
            run.close()
        self._set_running(False, error or self._error)

    def _wants_video(self) -> bool:
        return any(s.kind != "jpeg" for s in self._subscriptions)

    def _encode(self, frame: Frame, subscriptions: tuple[Subscription, ...]) -> None:
        """Encode and hand out one frame; a failure ends the run, and a later frame starts the next."""
        start_s = self._clock()
        if self._run is None and start_s < self._retry_at_s:
            return
        try:
            if self._run is None:
                self._run = H264Run(self._video)
            ts, mp4 = self._run.encode(frame.image, frame.number)
        except av.FFmpegError as error:
            log.error("encoding failed, next try in %.0f s: %s", RETRY_S, error)
            self._retry_at_s = start_s + RETRY_S
            self._end_run(str(error))
            return
        self._set_running(True)
        self._deliver(subscriptions, "ts", ts, None)
        self._deliver(subscriptions, "mp4", mp4, self._run.init_segment)
        took_s = self._clock() - start_s
        with self._condition:
            self._encoded += 1
            self._encode_s += (took_s - self._encode_s) * (SMOOTHING if self._encode_s else 1.0)

    def _deliver(self, subscriptions: tuple[Subscription, ...], kind: Kind, pieces: list[Piece], init: bytes | None) -> None:
        dropped = sum(s.offer(piece, init) for s in subscriptions if s.kind == kind for piece in pieces)
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

    def _jpeg_of(self, frame: Frame) -> bytes:
        with self._jpeg_lock:
            if self._jpeg is None or self._jpeg[0] is not frame:
                self._jpeg = (frame, _jpeg(frame.image))
            return self._jpeg[1]


def _probe(video: VideoConfig) -> str:
    """Encode one black picture to learn the codec's RFC 6381 name."""
    try:
        codec = open_codec(video)
        frame = to_yuv(np.zeros((video.height, video.width, 3), np.uint8))
        frame.pts = 0
        data = b"".join(bytes(packet) for packet in (*codec.encode(frame), *codec.encode(None)))
        return codec_string(data)
    except (av.FFmpegError, ValueError) as error:
        raise EncoderError(
            f"no H.264 encoder for {video.width}x{video.height} at {video.fps} frames per second: {error}"
        ) from error


def _jpeg(image: np.ndarray) -> bytes:
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert ok
    return data.tobytes()
