"""What is heard: one track for all encodes, which each of them reads at its own pace.

    music or radio ─ feeder's thread ─▶ Reservoir ─▶ volume, limiter ─▶ AAC ─▶ packets, kept a while ─▶ readers

The readers draw it, by the time of the stream: so sound lasts exactly as long as the picture, whatever a clock says, and while
nobody reads nothing is decoded. A source that is late, gone or broken is heard as silence, and never waited for.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from streamer.config import AudioConfig
from streamer.video.sinks.backoff import BackOff
from streamer.video.sound.aac import BLOCK, AacEncoder, AacPacket
from streamer.video.sound.decoding import SoundError
from streamer.video.sound.loudness import Limiter, to_factor
from streamer.video.sound.music import Music, sound_files
from streamer.video.sound.radio import Radio
from streamer.video.sound.reservoir import Reservoir

log = logging.getLogger(__name__)

KEEP_S = 10.0
"""Seconds of packets that are kept for readers behind the others. When full: the oldest go, and who is later misses them."""
CATCH_UP_S = 2.0
"""A stretch that nobody asked for is made up for if it is no longer than this; beyond, it is left out."""
CAPACITY_S = {"music": 4.0, "radio": 10.0}
"""Seconds of sound that are decoded in advance. When full: the source waits, and so in the end does the station."""
START_S = {"music": 0.1, "radio": 2.0}
"""Seconds that must have come together before sound begins: a station sends no faster than it is heard."""
IDLE_S = 30.0
"""Seconds after which a station that nobody listens to is left."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a container must know of the sound."""

    rate: int
    """Samples a second of each of the two channels; the unit of the packets' time."""
    extradata: bytes
    """AudioSpecificConfig (ISO 14496-3)."""
    bitrate_kbps: int


@dataclass(frozen=True, slots=True)
class AudioStatus:
    """What is heard at one moment."""

    source: Literal["silence", "music", "radio"]
    state: Literal["silence", "idle", "waiting", "playing"]
    """silence: as configured. idle: nobody has listened yet. waiting: there should be sound, and is none. playing: there is."""
    playing: str
    """The file, or what the station says it plays; empty while there is none. A few seconds ahead of what is heard."""
    dropouts: int
    """How often sound gave way to silence."""
    error: str = ""
    """Why there is no sound, in one line; empty while there is. Holds no password."""


class Source(Protocol):
    """Where sound comes from, read by one thread."""

    @property
    def playing(self) -> str:
        """A name for what is read."""

    def read(self) -> np.ndarray:
        """Return the next samples, (n, 2) float32, as late as they come; raise SoundError if there are none, and be ready to
        be asked again."""

    def close(self) -> None:
        """Let go of file or connection until the next ``read``; from the thread that reads."""

    def hang_up(self) -> None:
        """End for good, from any thread: a ``read`` that waits fails."""


class AudioTrack:
    """The sound of the whole stream. Thread-safe.

    All readers share one time, that of the stream: the same second sounds the same to each of them.
    """

    def __init__(self, config: AudioConfig, clock: Callable[[], float] = time.monotonic) -> None:
        """Open the encoder; the source is touched only when somebody reads.

        Raises:
            av.FFmpegError: the encoder refuses the settings.
        """
        self._config = config
        self._lock = threading.Lock()
        self._encoder = AacEncoder(config.rate, config.bitrate_kbps)
        self._volume = self._wanted_volume = to_factor(config.volume_db)
        self._limiter = Limiter(config.rate)
        # Silence costs as much to encode as sound; where there is never anything else, one packet does for all.
        self._silence = self._encoder.silence() if config.source == "silence" else None
        self._packets: deque[AacPacket] = deque()
        self._fed = 0  # the sample at which the block begins that the encoder gets next
        self._ready = 0  # the sample up to which packets have been made
        self._feeder: Feeder | None = None
        self._closed = False
        self._clock = clock
        self.info = AudioInfo(config.rate, self._encoder.extradata, config.bitrate_kbps)

    def reader(self, start_s: float) -> Reader:
        """Begin to read at a time of the stream, in seconds; the first packet begins there or up to 22 ms later."""
        with self._lock:
            if self._feeder is None and not self._closed:
                self._feeder = self._open()
        return Reader(self, -(-round(start_s * self.info.rate) // BLOCK) * BLOCK)

    def set_volume(self, volume_db: float) -> None:
        """Raise or lower the sound by so many decibels instead, within one block: a leap would click."""
        self._wanted_volume = to_factor(volume_db)

    def status(self) -> AudioStatus:
        """What is heard now."""
        source, feeder = self._config.source, self._feeder
        if source == "silence" or feeder is None:
            return AudioStatus(source, "silence" if source == "silence" else "idle", "", 0)
        reservoir = feeder.reservoir
        return AudioStatus(
            source, "playing" if reservoir.playing else "waiting", feeder.playing, reservoir.breaks, feeder.error
        )

    def close(self, deadline_s: float = 2.0) -> None:
        """End the source's thread; who reads on hears silence."""
        with self._lock:
            self._closed = True
            feeder = self._feeder
        if feeder is not None:
            feeder.close(deadline_s)

    def between(self, start: int, end: int) -> list[AacPacket]:
        """The packets that begin from one sample of the stream on and before another; makes those that are missing."""
        with self._lock:
            if not self._ready - KEEP_S * self.info.rate <= end <= self._ready + CATCH_UP_S * self.info.rate:
                self._jump(start if start <= end <= start + CATCH_UP_S * self.info.rate else end // BLOCK * BLOCK)
            while self._ready < end:
                self._make_block()
            return [packet for packet in self._packets if start <= packet.pts < end]

    def _open(self) -> Feeder | None:
        kind, source = self._config.source, open_source(self._config)
        if source is None:
            return None
        reservoir = Reservoir(self._config.rate, CAPACITY_S[kind], START_S[kind])
        return Feeder(source, reservoir, self._clock, IDLE_S if kind == "radio" else None)

    def _jump(self, to: int) -> None:
        """Go on at another time: the stream was left alone for a while, or began anew."""
        self._packets.clear()
        self._encoder.forget()
        self._fed = self._ready = to

    def _make_block(self) -> None:
        """Feed the encoder one block of sound, and keep the packet that this may bring."""
        if self._silence is not None:
            packets = [AacPacket(self._fed, BLOCK, self._silence)]
        else:
            samples = np.zeros((BLOCK, 2), np.float32)
            if self._feeder is not None:
                before, self._volume = self._volume, self._wanted_volume
                course = np.linspace(before, self._volume, BLOCK, dtype=np.float32)[:, None]
                samples = self._limiter.process(self._feeder.reservoir.take(BLOCK) * course)
            packets = self._encoder.encode(samples, self._fed)
        self._fed += BLOCK
        for packet in packets:
            self._packets.append(packet)
            self._ready = packet.pts + packet.duration
        while self._packets and self._packets[0].pts < self._ready - KEEP_S * self.info.rate:
            self._packets.popleft()


class Reader:
    """One encode's place on the track; belongs to one thread."""

    def __init__(self, track: AudioTrack, start: int) -> None:
        self._track = track
        self._next = start

    def until(self, t_s: float) -> list[AacPacket]:
        """The packets that begin before a time of the stream, in seconds, and have not been read yet.

        They follow each other without a gap as long as somebody reads at least every ``CATCH_UP_S``. Takes about a millisecond
        for each packet, and waits for nothing.
        """
        packets = self._track.between(self._next, round(t_s * self._track.info.rate))
        if packets:
            self._next = packets[-1].pts + packets[-1].duration
        return packets


class Feeder:
    """Reads a source into a reservoir, in a thread of its own; what fails is tried again, for ever, after a pause."""

    def __init__(self, source: Source, reservoir: Reservoir, clock: Callable[[], float], idle_s: float | None = None) -> None:
        """Start.

        Args:
            idle_s: seconds without a ``take`` after which the source is left until the next; None: never.
        """
        self.reservoir = reservoir
        self._source = source
        self._clock = clock
        self._idle_s = idle_s
        self._closing = threading.Event()
        self._error = ""
        self._since_s: float | None = None
        self._thread = threading.Thread(target=self._work, name="sound", daemon=True)
        self._thread.start()

    @property
    def playing(self) -> str:
        """What is read."""
        return self._source.playing

    @property
    def error(self) -> str:
        """Why nothing can be read; empty while it can."""
        return self._error

    def close(self, deadline_s: float) -> None:
        """End the thread; a connection that is being made may outlive the deadline a little, and ends by itself."""
        self._closing.set()
        self.reservoir.close()
        self._source.hang_up()
        self._thread.join(deadline_s)

    def _work(self) -> None:
        back_off = BackOff()
        while True:
            self._since_s = None
            try:
                self._feed()
            except SoundError as error:
                self._fail(str(error))
            except Exception as error:  # sound is not worth the stream; but what this was must be found
                log.exception("the sound's thread failed")
                self._fail(f"{type(error).__name__}: see the log")
            self._source.close()
            if self._closing.is_set():
                break
            self.reservoir.cut()
            heard_s = self._clock() - self._since_s if self._since_s is not None else 0.0
            if self._closing.wait(back_off.pause_s(heard_s)):
                break

    def _feed(self) -> None:
        """Read until the source fails, or it is time to end."""
        while not self._closing.is_set():
            samples = self._source.read()
            if self._since_s is None:
                self._since_s = self._clock()
            if self._error:
                self._error = ""
                log.info("there is sound again")
            if not self.reservoir.put(samples, self._idle_s) and not self._closing.is_set():
                self._leave()

    def _leave(self) -> None:
        """Nobody listens: let the station go, and what it sent, until somebody does."""
        log.info("nobody listens to the radio any more; it is left until somebody does")
        self._source.close()
        self.reservoir.clear()
        self.reservoir.wait_until_taken()

    def _fail(self, error: str) -> None:
        if self._closing.is_set():
            return
        if error != self._error:
            log.warning("no sound until this is mended: %s", error)
        self._error = error


def open_source(config: AudioConfig) -> Source | None:
    """The source that a config asks for, not opened yet; None for silence."""
    if config.source == "music" and config.path is not None:
        return Music(config.path, config.rate, crossfade_s=config.crossfade_s, shuffle=config.shuffle)
    if config.source == "radio" and config.url is not None:
        return Radio(config.url, config.rate)
    return None


def try_source(config: AudioConfig) -> str:
    """Read a little of what a config asks for, and say in a line what it is; may take 20 s with a station that is silent.

    Raises:
        SoundError: there is no sound to be had; one line says why.
    """
    source = open_source(config)
    if source is None:
        return "silence"
    try:
        source.read()
        if config.source == "music" and config.path is not None:
            count = sum(1 for _ in sound_files(config.path))
            return f"music: '{config.path}', {count} file{'s' * (count != 1)}, beginning with '{source.playing}'"
        return f"radio: {source.playing}"
    finally:
        source.close()
