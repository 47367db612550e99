"""Decides how the picture reacts to the sound's beats and loudness; the callers carry it out.

Zoom pulses apply to the frames themselves, so that they coincide with the beat. Everything else goes to the dream, and shows
with one of the next keyframes.
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
"""Beats missed for longer than this, because no frame was made, are skipped."""
BREAK_S = 3.0
"""Seconds without a beat after which bars are counted from the next beat."""
LEVELS = 4
"""Number of steps of the loudness that is passed on…"""
LEVEL_S = 0.5
"""…and least seconds between two changes, because each is written to the journal."""


class SoundFeatures(Protocol):
    """Features of the sound, by seconds of the stream."""

    def beats(self, from_s: float, until_s: float, apart_s: float, /) -> list[Beat]:
        """Return the beats from one second up to another, which may be a little ahead, at least ``apart_s`` apart."""

    def loudness(self, at_s: float, /) -> float:
        """Return the loudness, 0..1."""


@dataclass(frozen=True, slots=True)
class DreamAdjustment:
    """Changes to the dream in reaction to the sound."""

    pace: float = 1.0
    """Factor of the camera's speed."""
    drive: float = 1.0
    """Factor of the step size."""
    bumps: int = 0
    """Number of bumps that are due."""
    subject: bool = False
    """Whether another subject is due."""


NO_ADJUSTMENT = DreamAdjustment()


class Reaction:
    """Turns sound into pulses and adjustments. ``frame`` belongs to one thread; the rest may be called from any."""

    def __init__(self, react: ReactConfig, sound: SoundFeatures) -> None:
        """Start with these settings."""
        self._react, self._sound = react, sound
        self._lock = threading.Lock()
        self._pulses = Pulses()
        self._until_s: float | None = None  # second of the stream up to which beats are handled
        self._last_s = -math.inf
        self._bar = 0  # beats since counting of bars started
        self._beats = 0
        self._bumps, self._subject = 0, False
        self._loudness = 0.0
        self._level, self._levelled_s = 0, -math.inf

    @property
    def enabled(self) -> bool:
        """Whether reactions are on."""
        return self._react.enabled

    @property
    def beats(self) -> int:
        """Number of beats so far."""
        return self._beats

    def tune(self, react: ReactConfig) -> None:
        """Apply other settings from the next frame on."""
        self._react = react

    def frame(self, at_s: float, now_s: float) -> tuple[float, list[Pulse]]:
        """Return what a frame shows of the sound.

        Args:
            at_s: the frame's second in the stream.
            now_s: the same moment on any clock that never decreases.

        Returns:
            Additional zoom in octaves, and the new pulses, on that clock.
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
        """Return what the dream changes now; each bump and each change of subject is reported once."""
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
        """Count a beat; a bump or a new subject may be due at the start of a bar."""
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
