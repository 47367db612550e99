"""The sound of the stream: one track for all encodes, each of which reads it at its own pace.

    music or radio ─ feeder's thread ─▶ SoundBuffer ─▶ volume, limiter ─▶ AAC ─▶ packets, kept a while ─▶ readers

The readers pull it by the time of the stream. So sound lasts exactly as long as the picture, whatever a clock says, and nothing
is decoded while nobody reads. A source that is late, gone or broken sounds as silence; nothing waits for it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streamer.config import AudioConfig
from streamer.video.sound.aac import BLOCK, AacEncoder, AacPacket
from streamer.video.sound.feeder import Feeder, SoundSource
from streamer.video.sound.loudness import AHEAD, Limiter, to_factor
from streamer.video.sound.music import Music, sound_files
from streamer.video.sound.radio import Radio
from streamer.video.sound.sound_analysis import Beat, SoundAnalyser
from streamer.video.sound.sound_buffer import SoundBuffer

KEEP_S = 10.0
"""Seconds of packets kept for readers behind the others. When full: the oldest are dropped, and late readers miss them."""
CATCH_UP_S = 2.0
"""Longest stretch without a reader that is encoded afterwards, in seconds; a longer one is skipped."""
CAPACITY_S = {"music": 4.0, "radio": 10.0}
"""Seconds of sound decoded in advance. When full: the source waits, and so does the station in the end."""
START_S = {"music": 0.1, "radio": 2.0}
"""Seconds of sound to collect before it starts, because a station sends no faster than it plays."""
KNOWN_S = 1.0
"""Seconds beyond the last sound read for which beats and loudness are reported; later, nobody may be reading any more."""
IDLE_S = 30.0
"""Seconds without listeners after which the connection to a station is closed."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a container needs to know about the sound."""

    rate: int
    """Samples per second of each of the two channels; the unit of the packets' times."""
    extradata: bytes
    """AudioSpecificConfig (ISO 14496-3)."""
    bitrate_kbps: int


@dataclass(frozen=True, slots=True)
class AudioStatus:
    """Status of the sound at one moment."""

    source: Literal["silence", "music", "radio"]
    state: Literal["silence", "idle", "waiting", "playing"]
    """silence: as configured. idle: nobody has listened yet. waiting: sound is missing. playing: there is sound."""
    playing: str
    """The file, or the station's title; empty if there is none. A few seconds ahead of what is heard."""
    dropouts: int
    """How often sound was interrupted by silence."""
    error: str = ""
    """Why there is no sound, in one line without passwords; empty while there is sound."""


class AudioTrack:
    """The sound of the whole stream. Thread-safe.

    All readers share the time of the stream: each hears the same sound at the same second.
    """

    def __init__(self, config: AudioConfig, clock: Callable[[], float] = time.monotonic) -> None:
        """Open the encoder; the source is opened when somebody reads.

        Raises:
            av.FFmpegError: the encoder refuses the settings.
        """
        self._config = config
        self._lock = threading.Lock()
        self._encoder = AacEncoder(config.rate, config.bitrate_kbps)
        self._volume = self._wanted_volume = to_factor(config.volume_db)
        self._limiter = Limiter(config.rate)
        # Encoding silence costs as much as sound; if there is never anything else, one packet is reused.
        self._silence = self._encoder.silence() if config.source == "silence" else None
        self._packets: deque[AacPacket] = deque()
        self._fed = 0  # first sample of the next block for the encoder
        self._ready = 0  # sample up to which packets exist
        self._feeder: Feeder | None = None
        self._closed = False
        self._analyser = SoundAnalyser(config.rate)
        self._place: tuple[int, int] | None = (
            None  # a sample of the stream, and the source's sample played there; None: silence
        )
        self._clock = clock
        self.info = AudioInfo(config.rate, self._encoder.extradata, config.bitrate_kbps)

    def reader(self, start_s: float) -> AudioReader:
        """Return a reader from a time of the stream on, in seconds; its first packet begins there or up to 22 ms later."""
        with self._lock:
            if self._feeder is None and not self._closed:
                self._feeder = self._open()
        return AudioReader(self, -(-round(start_s * self.info.rate) // BLOCK) * BLOCK)

    def set_volume(self, volume_db: float) -> None:
        """Change the volume, in decibels, over one block, because a jump would click."""
        self._wanted_volume = to_factor(volume_db)

    def listen(self, wanted: bool) -> None:
        """Analyse beats and loudness from now on, or stop; the next few seconds are already decoded without analysis."""
        self._analyser.listen(wanted)

    def beats(self, from_s: float, until_s: float, apart_s: float) -> list[Beat]:
        """Return the beats from one second of the stream up to another, which may be a little ahead.

        Args:
            apart_s: least seconds between two beats.
        """
        rate, place = self.info.rate, self._place
        if place is None or until_s * rate - place[0] > KNOWN_S * rate:
            return []
        ahead = place[0] - place[1] + AHEAD
        found = self._analyser.beats(from_s * rate - ahead, until_s * rate - ahead, apart_s * rate)
        return [Beat((beat.at + ahead) / rate, beat.strength) for beat in found]

    def loudness(self, at_s: float) -> float:
        """Return the loudness at a second of the stream, from 0, quiet or silent, to 1, the recent maximum."""
        rate, place = self.info.rate, self._place
        if place is None or at_s * rate - place[0] > KNOWN_S * rate:
            return 0.0
        return self._analyser.loudness(at_s * rate - place[0] + place[1] - AHEAD)

    def status(self) -> AudioStatus:
        """Return the current status."""
        source, feeder = self._config.source, self._feeder
        if source == "silence" or feeder is None:
            return AudioStatus(source, "silence" if source == "silence" else "idle", "", 0)
        sound_buffer = feeder.sound_buffer
        return AudioStatus(
            source, "playing" if sound_buffer.playing else "waiting", feeder.playing, sound_buffer.breaks, feeder.error
        )

    def close(self, deadline_s: float = 2.0) -> None:
        """End the source's thread; readers get silence from then on."""
        with self._lock:
            self._closed = True
            feeder = self._feeder
        if feeder is not None:
            feeder.close(deadline_s)

    def between(self, start: int, end: int) -> list[AacPacket]:
        """Return the packets that begin between two samples of the stream; encodes those that are missing."""
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
        sound_buffer = SoundBuffer(self._config.rate, CAPACITY_S[kind], START_S[kind])
        return Feeder(source, sound_buffer, self._clock, IDLE_S if kind == "radio" else None, self._analyser)

    def _jump(self, to: int) -> None:
        """Continue at another time: nobody read for a while, or the stream restarted."""
        self._packets.clear()
        self._encoder.forget()
        self._fed = self._ready = to

    def _make_block(self) -> None:
        """Encode one block of sound, and keep the packet that this may produce."""
        if self._silence is not None:
            packets = [AacPacket(self._fed, BLOCK, self._silence)]
        else:
            samples = np.zeros((BLOCK, 2), np.float32)
            if self._feeder is not None:
                before, self._volume = self._volume, self._wanted_volume
                course = np.linspace(before, self._volume, BLOCK, dtype=np.float32)[:, None]
                sound_buffer = self._feeder.sound_buffer
                at = sound_buffer.at
                samples = self._limiter.process(sound_buffer.take(BLOCK) * course)
                self._place = (self._fed, at) if sound_buffer.playing else None
            packets = self._encoder.encode(samples, self._fed)
        self._fed += BLOCK
        for packet in packets:
            self._packets.append(packet)
            self._ready = packet.pts + packet.duration
        while self._packets and self._packets[0].pts < self._ready - KEEP_S * self.info.rate:
            self._packets.popleft()


class AudioReader:
    """One encode's position on the track; belongs to one thread."""

    def __init__(self, track: AudioTrack, start: int) -> None:
        self._track = track
        self._next = start

    def until(self, t_s: float) -> list[AacPacket]:
        """Return the packets that begin before a time of the stream, in seconds, and were not read yet.

        There are no gaps as long as somebody reads at least every ``CATCH_UP_S``. Takes about a millisecond per packet, and
        never waits.
        """
        packets = self._track.between(self._next, round(t_s * self._track.info.rate))
        if packets:
            self._next = packets[-1].pts + packets[-1].duration
        return packets


def open_source(config: AudioConfig) -> SoundSource | None:
    """Return the source of a config, not opened yet; None for silence."""
    if config.source == "music" and config.path is not None:
        return Music(config.path, config.rate, crossfade_s=config.crossfade_s, shuffle=config.shuffle)
    if config.source == "radio" and config.url is not None:
        return Radio(config.url, config.rate)
    return None


def try_source(config: AudioConfig) -> str:
    """Read a little from the source of a config, and describe it in one line; may take 20 s with a silent station.

    Raises:
        SoundError: there is no sound; one line says why.
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
