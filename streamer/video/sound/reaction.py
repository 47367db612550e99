"""What the picture does to the beats and the loudness of the sound: decided here, done by who asks.

Pulses of the zoom are for the frames themselves, so that they are seen with the beat. All else is for the dream, which shows it
with one of its next keyframes.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Protocol

from streamer.config_react import ReactConfig
from streamer.pulse import RISE_S, Pulse, Pulses
from streamer.video.sound.sound_analysis import Beat

LATEST_S = 0.5
"""Beats that were missed for longer than this, since no frame was made, are passed over."""
BREAK_S = 3.0
"""After so many seconds without a beat, bars are counted anew from the next."""
LEVELS = 4
"""Steps in which loudness is passed on…"""
LEVEL_S = 0.5
"""…and least seconds from one to the next: each is written into the journal."""


class SoundFeatures(Protocol):
    """The sound of the stream, by the seconds of the stream."""

    def beats(self, from_s: float, until_s: float, apart_s: float, /) -> list[Beat]:
        """The beats from one second on and before another, at least so far apart; the latter may be a little ahead."""

    def loudness(self, at_s: float, /) -> float:
        """How loud it is, 0..1."""


@dataclass(frozen=True, slots=True)
class DreamAdjustment:
    """What the dream is to do, besides what it does anyway."""

    pace: float = 1.0
    """How many times as fast the camera is to move."""
    drive: float = 1.0
    """How many times as large steps are to be."""
    bumps: int = 0
    """Bumps that are due."""
    subject: bool = False
    """Whether another subject is due."""


NO_ADJUSTMENT = DreamAdjustment()


class Reaction:
    """Turns sound into pulses and wants. ``frame`` belongs to one thread; the rest may be called from any."""

    def __init__(self, react: ReactConfig, sound: SoundFeatures) -> None:
        """Go by some settings."""
        self._react, self._sound = react, sound
        self._lock = threading.Lock()
        self._pulses = Pulses()
        self._until_s: float | None = None  # of the stream, up to where beats are known
        self._last_s = -math.inf
        self._bar = 0  # beats since bars are counted
        self._beats = 0
        self._bumps, self._subject = 0, False
        self._loudness = 0.0
        self._level, self._levelled_s = 0, -math.inf

    @property
    def enabled(self) -> bool:
        """Whether there is any."""
        return self._react.enabled

    @property
    def beats(self) -> int:
        """Beats that were reacted to so far."""
        return self._beats

    def tune(self, react: ReactConfig) -> None:
        """Go by other settings from the next frame on."""
        self._react = react

    def frame(self, at_s: float, now_s: float) -> tuple[float, list[Pulse]]:
        """What a frame is to show.

        Args:
            at_s: the second of the stream at which it is seen.
            now_s: the same moment on any clock that does not go back.

        Returns:
            How many octaves closer it is to be seen, and the pulses that have come up, by that clock.
        """
        react = self._react
        if not react.enabled:
            self._rest()
            return self._pulses.extra_octaves(now_s), []
        heard_s = at_s - react.offset_s
        until_s, from_s = heard_s + RISE_S, self._until_s
        if from_s is None or not heard_s - LATEST_S <= from_s <= until_s:
            from_s = heard_s
        self._until_s = until_s
        pulses = []
        for beat in self._sound.beats(from_s, until_s, react.apart_s):
            self._count(beat, react)
            if react.zoom > 0 and beat.strength > 0:
                pulses.append(Pulse(now_s + beat.at - heard_s, math.log2(1 + react.zoom) * beat.strength))
        for pulse in pulses:
            self._pulses.add(pulse)
        self._loudness = self._sound.loudness(heard_s)
        return self._pulses.extra_octaves(now_s), pulses

    def adjustment(self, now_s: float) -> DreamAdjustment:
        """What the dream is to do now; each bump and each change of subject is told once."""
        with self._lock:
            bumps, self._bumps = self._bumps, 0
            subject, self._subject = self._subject, False
        level = round(self._loudness * LEVELS)
        if level != self._level and now_s - self._levelled_s >= LEVEL_S:
            self._level, self._levelled_s = level, now_s
        react, share = self._react, self._level / LEVELS
        if not react.enabled:
            return NO_ADJUSTMENT
        return DreamAdjustment(1 + react.pace * share, 1 + react.step * share, bumps, subject)

    def _rest(self) -> None:
        self._until_s, self._loudness, self._bar = None, 0.0, 0

    def _count(self, beat: Beat, react: ReactConfig) -> None:
        """Count a beat; some bars begin with something new."""
        if beat.at - self._last_s > BREAK_S:
            self._bar = 0
        self._last_s = beat.at
        with self._lock:
            if self._bar and react.bump_bars and self._bar % (react.bump_bars * react.beats_per_bar) == 0:
                self._bumps += 1
            if self._bar and react.subject_bars and self._bar % (react.subject_bars * react.beats_per_bar) == 0:
                self._subject = True
        self._bar += 1
        self._beats += 1
