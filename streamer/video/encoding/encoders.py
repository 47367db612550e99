"""All encodes of a stream: the one for the web page, and one per different spec of the outputs; equal specs share one."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from streamer.config import VideoConfig
from streamer.config_outputs import EncodedOutput
from streamer.messages.keyframes import Frame
from streamer.video.encoding.encoder_run import StreamSound
from streamer.video.encoding.encoder_selection import EncoderChoice, choose_encoder
from streamer.video.encoding.h264 import LOWEST_EFFORT_PRESET
from streamer.video.encoding.shared_encoder import Encoder, EncoderError, EncoderStatus, Listener
from streamer.video.encoding.spec import SAFE_PRESET, EncodeSpec
from streamer.video.encoding.subscription import Subscription

__all__ = ["EncodeSpec", "EncoderChoice", "EncoderError", "Encoders", "EncodersStatus"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EncodersStatus:
    """The state of all encodes, at one moment."""

    choice: EncoderChoice
    """Which encoder all use, and why."""
    encodes: tuple[tuple[EncodeSpec, EncoderStatus], ...]
    """Each encode in use, the main one first; those without viewers do nothing."""
    dropped: int = 0
    """Frames that came faster than they could be encoded, summed over all encodes so far, closed ones included."""

    @property
    def viewers(self) -> int:
        """Number of open subscriptions of every kind, of all encodes."""
        return sum(status.viewers for _, status in self.encodes)

    @property
    def error(self) -> str:
        """The latest error of any encode, in one line; empty while all work."""
        return next((status.error for _, status in self.encodes if status.error), "")


class Encoders:
    """Passes every frame to all encodes. Thread-safe."""

    def __init__(
        self,
        video: VideoConfig,
        sound: Callable[[], StreamSound] | None = None,
        *,
        choice: EncoderChoice | None = None,
        listen: Callable[[EncodeSpec], Listener] | None = None,
        always: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Choose the encoder, and start the main encode.

        Args:
            video: Size and rate of the frames, and the main encode.
            sound: Returns the stream's sound, called when somebody wants it; None: kinds with sound are refused.
            choice: The encoder; None tests what the settings leave open.
            listen: Makes the listener for each encode; None: no listeners.
            always: Whether the listener of the main encode counts as a viewer.

        Raises:
            EncoderError: no H.264 encoder takes these settings.
        """
        self._video, self._sound, self._clock = video, sound, clock
        self.choice = choose_encoder(video) if choice is None else choice
        """Which encoder all use, and why."""
        log.info("encoding with %s, preset %s: %s", self.choice.encoder, self.choice.preset, self.choice.reason)
        if self.choice.no_gpu:
            log.debug("no GPU encodes: %s", self.choice.no_gpu)
        self._lock = threading.Lock()
        self._making = threading.Lock()
        """Held while an encode is set up, which may take a while; frames are passed on meanwhile."""
        self._closed = self._low_effort = False
        self._dropped = 0
        self._others: WeakValueDictionary[EncodeSpec, Encoder] = WeakValueDictionary()
        self._listen = listen
        self.main = Encoder(self.spec(), sound, clock=clock)
        """The encode of the web page."""
        if listen is not None:
            self.main.listen(listen(self.main.spec), always=always)

    def spec(
        self,
        *,
        width: int | None = None,
        height: int | None = None,
        bitrate_kbps: int | None = None,
        gop_s: float | None = None,
        cbr: bool = False,
        jpeg_quality: int | None = None,
    ) -> EncodeSpec:
        """Return the spec of an output's encode; None means the video's value."""
        main = EncodeSpec.of(self._video, self.choice.encoder, self.choice.preset)
        return EncodeSpec(
            width=main.width if width is None else width,
            height=main.height if height is None else height,
            fps=main.fps,
            bitrate_kbps=main.bitrate_kbps if bitrate_kbps is None else bitrate_kbps,
            gop_s=main.gop_s if gop_s is None else gop_s,
            cbr=cbr,
            preset=main.preset,
            encoder=main.encoder,
            jpeg_quality=main.jpeg_quality if jpeg_quality is None else jpeg_quality,
        )

    def spec_of(self, output: EncodedOutput, *, gop_s: float | None = None, cbr: bool = False) -> EncodeSpec:
        """Return the spec of the encode that a block of ``outputs:`` sets; None means the video's value."""
        return self.spec(width=output.width, height=output.height, bitrate_kbps=output.bitrate_kbps, gop_s=gop_s, cbr=cbr)

    def encoder(self, spec: EncodeSpec) -> Encoder:
        """Return the encode for a spec, shared by all callers with the same spec.

        It is freed when nobody holds it or a subscription to it; without subscriptions it costs nothing.

        Raises:
            EncoderError: no encoder takes these settings, or the encoders are closed.
        """
        with self._making:
            with self._lock:
                found = self.main if spec in (self.main.spec, self.spec()) else self._others.get(spec)
                if self._closed:
                    raise EncoderError("the encoders are closed")
            if found is None or not found.alive:
                found = self._make(spec)
                with self._lock:
                    self._others[spec] = found
                    found.reduce_load(self._low_effort)
            return found

    def packets(self, spec: EncodeSpec, *, audio: bool) -> Callable[[], Subscription]:
        """Return a function that subscribes to an encode as packets, with sound if ``audio``.

        Raises:
            EncoderError: no encoder takes these settings; found now, not with the first subscription.
        """
        self.encoder(spec)
        return lambda: self.encoder(spec).subscribe("packets+audio" if audio else "packets")

    def _make(self, spec: EncodeSpec) -> Encoder:
        """Open a further encode with its listener."""
        made = self._open(spec)
        if self._listen is not None:
            made.listen(self._listen(made.spec))
        return made

    def _open(self, spec: EncodeSpec) -> Encoder:
        """Open a further encode; on the CPU if the GPU has no room for it."""
        size = (self._video.height, self._video.width)
        try:
            return Encoder(spec, self._sound, source=size, clock=self._clock)
        except EncoderError as error:
            if spec.encoder == "libx264":
                raise
            log.warning("an encode of %dx%d runs on the CPU: %s", spec.width, spec.height, error)
            spec = replace(spec, encoder="libx264", preset=SAFE_PRESET)
            return Encoder(spec, self._sound, source=size, clock=self._clock)

    @property
    def can_reduce_load(self) -> bool:
        """Whether a faster preset is available."""
        return self.choice.encoder == "libx264" and self.choice.preset != LOWEST_EFFORT_PRESET

    def reduce_load(self, low_effort: bool) -> None:
        """Encode with the least effort from the next keyframes on, or with the usual preset again."""
        with self._lock:
            self._low_effort = low_effort
            encoders = [self.main, *self._others.values()]
        for encoder in encoders:
            encoder.reduce_load(low_effort)

    def put(self, frame: Frame) -> None:
        """Pass on the frame on air; never blocks. Belongs to one thread.

        Raises:
            ValueError: its size is not the video's.
            EncoderError: the main encode died. If another dies, only its own outputs end.
        """
        self._dropped += self.main.put(frame)
        for encoder in self._held():
            with contextlib.suppress(EncoderError):
                self._dropped += encoder.put(frame)

    @property
    def wanted(self) -> bool:
        """Whether any encode has a subscription."""
        return self.main.wanted or any(encoder.wanted for encoder in self._held())

    def status(self) -> EncodersStatus:
        """Return all counts, at one moment."""
        encoders = [self.main, *self._held()]
        return EncodersStatus(self.choice, tuple((encoder.spec, encoder.status()) for encoder in encoders), self._dropped)

    def close(self, deadline_s: float = 5.0) -> None:
        """End all encodes and subscriptions; a second call does nothing."""
        end_s = self._clock() + deadline_s
        with self._lock:
            self._closed = True
        for encoder in [self.main, *self._held()]:
            encoder.close(max(0.1, end_s - self._clock()))

    def _held(self) -> list[Encoder]:
        with self._lock:
            return list(self._others.values())
