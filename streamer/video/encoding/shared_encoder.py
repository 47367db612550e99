"""One encode that all its viewers share: frames in; video in every form and pictures out, only while someone wants them."""

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
"""Seconds of frames that wait for the encoder: what the frame clock makes up for after a hiccup, and half as much again. When
full: the oldest is dropped and counted, for the newest wins…"""
QUEUE_LEAST = 3
"""…but so many wait at a low rate, too."""
RETRY_S = 1.0
"""Pause before the encoder is opened again after it failed."""
LOG_S = 1.0
"""Least seconds between two log lines about dropped pictures."""
SMOOTHING = 0.05
"""Weight of the newest frame in the moving mean of the encode time."""


class EncoderError(ZoomdreamError):
    """The encoder cannot work."""


class Listener(Protocol):
    """Hears every picture that is encoded as H.264."""

    @property
    def kind(self) -> VideoKind:
        """In which form; as of a ``Subscription``, which see."""

    def offer(self, piece: Piece, init: bytes | None = None) -> int:
        """Take a piece at once, in the encoder's thread; how many pictures were dropped for it. Arguments as a share's."""

    def close(self) -> None:
        """The encoder ends."""


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
    """Encodes the frames on air once for all who want them so, in a thread of its own.

    Thread-safe. Nothing but JPEGs asked for one by one is encoded while nobody subscribes, and there is no thread then.

    Time in every form is that of the frames' numbers. Frames that never came are made up for by the picture before them: time
    runs regularly, and keyframes stand exactly one interval apart; see ``encoder_run``.
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
            sound: Asked once for the sound when somebody wants any; None: the kinds with sound are refused.
            source: (height, width) of the frames that will be put; None: those of the encode. Others are scaled.

        Raises:
            EncoderError: there is no H.264 encoder that takes these settings.
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
        """Encode with as little work as may be from the next keyframe on, or as ever again; viewers go on."""
        self._low_effort = low_effort

    @property
    def alive(self) -> bool:
        """Whether it can still be subscribed to."""
        return not self._closing and self._fatal is None

    @property
    def mime(self) -> str:
        """Type of the ``mp4`` kind for Media Source Extensions, for example ``video/mp4; codecs="avc1.4d401f"``."""
        return f'video/mp4; codecs="{self._codec}"'

    @property
    def wanted(self) -> bool:
        """Whether anybody has a share, or who listens counts as somebody."""
        return bool(self._subscriptions) or self._listens_always

    def put(self, frame: Frame) -> bool:
        """Hand over the frame on air; never blocks. Returns whether a frame that waited was left out for it.

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
        """Open a share; it begins at the next video keyframe.

        Args:
            kind: one of ``subscription.KINDS``; see there what each is.
            gapless: Whether pictures that this viewer missed take no time, so that a browser plays on without a hole (``mp4``).
            on_ready: Called from the encoder's thread whenever there may be something to read; must return at once.
            images_s: Pictures a second at most (``jpeg``, ``rgb``).

        Raises:
            ValueError: there is no such kind, or no sound for it.
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
        """Let somebody hear each picture as it is encoded; a second call lets somebody else hear instead.

        Args:
            always: Whether it counts as a viewer, for whom video is encoded; else it hears only while there are others.

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
        """Have a thread that encodes, and tell it that there is something new; the lock is held."""
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
            self._end_run()

    def _work_once(self) -> bool:
        """Wait for something to do and do it; False when there is nobody to do it for."""
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
        self._hand_out_images(frame, [s for s in subscriptions if s.kind in IMAGE_KINDS])
        return True

    def _stay(self) -> bool:
        """Whether anybody is left; if not, this thread is no longer the encoder's."""
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
        """Encode and hand out one frame; a failure ends the run, and a later frame starts the next."""
        start_s = self._clock()
        if self._encoder_run is None and start_s < self._retry_at_s:
            return
        heard: list[Subscription | Listener] = [*subscriptions, *filter(None, [self._listener])]
        kinds = {s.kind for s in heard}
        try:
            if self._encoder_run is None:
                self._encoder_run = EncoderRun(self._spec, self._sound)
            wanted = [kind for kind in VIDEO_KINDS if kind in kinds]
            image = self._frame_images.image(frame)
            for added in self._encoder_run.add(image, frame.number, behind=behind, wanted=wanted, low_effort=self._low_effort):
                self._deliver(heard, added.kind, added.pieces, added.init)
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
        """Encode on the CPU from now on. Viewers of MP4, who were told the codec, must come anew."""
        log.error("%s failed; this is encoded on the CPU from now on: %s", self._spec.encoder, error)
        self._spec = replace(self._spec, encoder="libx264", preset=SAFE_PRESET)
        self._codec = _probe(self._spec)
        self._retry_at_s = 0.0
        for subscription in subscriptions:
            if subscription.kind == "mp4":
                subscription.close()

    def _hand_out_images(self, frame: Frame, subscriptions: Sequence[Subscription]) -> None:
        due = tuple(s for s in subscriptions if s.due(frame.number))
        for kind in dict.fromkeys(s.kind for s in due):
            data = self._frame_images.jpeg(frame) if kind == "jpeg" else self._frame_images.image(frame).tobytes()
            self._deliver(due, kind, [Piece(data, key=True)], None)

    def _deliver(
        self, heard: Sequence[Subscription | Listener], kind: SubscriptionKind, pieces: list[Piece], init: bytes | None
    ) -> None:
        dropped = sum(each.offer(piece, init) for each in heard if each.kind == kind for piece in pieces)
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
