"""All encodes of a stream: the one for the web page, and further ones for outputs that want another; equal ones are shared."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from streamer.config import VideoConfig
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
    """How all encoding goes, at one moment."""

    choice: EncoderChoice
    """Which encoder all use, and why."""
    encodes: tuple[tuple[EncodeSpec, EncoderStatus], ...]
    """Each encode that somebody holds, the main one first; those that nobody watches do nothing."""
    dropped: int = 0
    """Frames that came faster than they could be encoded, summed over all encodes that there ever were."""

    @property
    def viewers(self) -> int:
        """Open shares of every kind, of all encodes."""
        return sum(status.viewers for _, status in self.encodes)

    @property
    def error(self) -> str:
        """What went wrong last in any of them, in one line; empty while all is well."""
        return next((status.error for _, status in self.encodes if status.error), "")


class Encoders:
    """Hands every frame on to all encodes. Thread-safe."""

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
            video: What the frames are like, and the main encode.
            sound: Asked for the sound when somebody wants any; None: the kinds with sound are refused.
            choice: The encoder; None tries out what the settings leave open.
            listen: Makes who hears what an encode makes, for each encode; None: nobody.
            always: Whether who hears the main encode counts as a viewer of it.

        Raises:
            EncoderError: there is no H.264 encoder that takes these settings.
        """
        self._video, self._sound, self._clock = video, sound, clock
        self.choice = choose_encoder(video) if choice is None else choice
        """Which encoder all use, and why."""
        log.info("encoding with %s, preset %s: %s", self.choice.encoder, self.choice.preset, self.choice.reason)
        if self.choice.no_gpu:
            log.debug("no GPU encodes: %s", self.choice.no_gpu)
        self._lock = threading.Lock()
        self._making = threading.Lock()
        """Held while an encode is set up, which may take a while: frames go on being handed out."""
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
        """What an output wants; None means as the video's."""
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

    def encoder(self, spec: EncodeSpec) -> Encoder:
        """The encode of that kind, shared by all who ask for the same.

        It is freed when nobody holds it or a share of it; while nobody has a share, it costs nothing.

        Raises:
            EncoderError: no encoder takes these settings, or everything is closed.
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
        """A further encode, and who hears it."""
        made = self._open(spec)
        if self._listen is not None:
            made.listen(self._listen(made.spec))
        return made

    def _open(self, spec: EncodeSpec) -> Encoder:
        """A further encode; on the CPU where the GPU has no room for it."""
        size = (self._video.height, self._video.width)
        try:
            return Encoder(spec, self._sound, source=size, clock=self._clock)
        except EncoderError as error:
            if spec.encoder == "libx264":
                raise
            log.warning("an encode of %dx%d goes to the CPU: %s", spec.width, spec.height, error)
            spec = replace(spec, encoder="libx264", preset=SAFE_PRESET)
            return Encoder(spec, self._sound, source=size, clock=self._clock)

    @property
    def can_reduce_load(self) -> bool:
        """Whether any encode could do with less work."""
        return self.choice.encoder == "libx264" and self.choice.preset != LOWEST_EFFORT_PRESET

    def reduce_load(self, low_effort: bool) -> None:
        """Encode with as little work as may be, from the next keyframes on, or as ever again."""
        with self._lock:
            self._low_effort = low_effort
            encoders = [self.main, *self._others.values()]
        for encoder in encoders:
            encoder.reduce_load(low_effort)

    def put(self, frame: Frame) -> None:
        """Hand over the frame on air; never blocks. Belongs to one thread.

        Raises:
            ValueError: its size is not the video's.
            EncoderError: the main encode died. Another that died ends only for its own outputs.
        """
        self._dropped += self.main.put(frame)
        for encoder in self._held():
            with contextlib.suppress(EncoderError):
                self._dropped += encoder.put(frame)

    @property
    def wanted(self) -> bool:
        """Whether anybody has a share of any encode."""
        return self.main.wanted or any(encoder.wanted for encoder in self._held())

    def status(self) -> EncodersStatus:
        """Everything countable, at one moment."""
        encoders = [self.main, *self._held()]
        return EncodersStatus(self.choice, tuple((encoder.spec, encoder.status()) for encoder in encoders), self._dropped)

    def close(self, deadline_s: float = 5.0) -> None:
        """End all encodes and every share; a second call does nothing."""
        end_s = self._clock() + deadline_s
        with self._lock:
            self._closed = True
        for encoder in [self.main, *self._held()]:
            encoder.close(max(0.1, end_s - self._clock()))

    def _held(self) -> list[Encoder]:
        with self._lock:
            return list(self._others.values())
