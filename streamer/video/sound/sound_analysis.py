"""Analyses sound ahead of playback: beats and loudness, by sample position.

Sound is decoded seconds before it is played, and analysed as soon as it is decoded, so a beat is known in time for the frame
with which it is heard.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from streamer.video.sound.onsets import HOPS_PER_S, Onset, Onsets

KEEP_S = 30.0
"""Seconds of onsets and loudness to keep, more than is ever queued for playback. When full: the oldest are dropped."""
STRENGTH_HOPS = 6
"""Hops over which an onset's loudness is measured: the length of a drum hit."""
LOUDEST_HALF_S = 10.0
"""Half-life of the recent loudest onset in seconds, so that quiet music has strong beats too."""
MOMENT_HOPS = 40
"""Hops over which loudness is measured: 400 ms, 'momentary' in EBU R 128."""
RANGE_DB = 20.0
"""Decibels below the recent maximum at which sound counts as quiet."""
FALL_DB_S = 0.5
"""Decibels per second by which the recent maximum falls."""
SILENT_DB = -50.0
"""Decibels relative to full scale below which loudness is 0."""


@dataclass(frozen=True, slots=True)
class Beat:
    """An onset without a louder one close to it."""

    at: float
    """Its position: a sample or a second, depending on the function that returns it."""
    strength: float
    """Its loudness relative to recent beats, 0..1."""


@dataclass(frozen=True, slots=True)
class _MeasuredOnset:
    """An onset, its loudness, and its loudness relative to the recent maximum."""

    at: int
    loudness: float
    strength: float


class SoundAnalyser:
    """Analyses sound ahead of playback. Thread-safe: one thread passes samples, others query."""

    def __init__(self, rate: int) -> None:
        """Prepare for sound with ``rate`` samples per second; nothing is analysed until ``listen``."""
        self._rate = rate
        self._lock = threading.Lock()
        self._listens = False
        self._begin(0)

    def listen(self, wanted: bool) -> None:
        """Turn the analysis on or off; off costs nothing."""
        with self._lock:
            if wanted != self._listens:
                self._listens = wanted
                self._begin(0)

    def analyse(self, start: int, samples: np.ndarray) -> None:
        """Analyse sound that will be played; takes a few milliseconds per second of it.

        Args:
            start: number of its first sample. If it does not follow the last one, all results are discarded.
            samples: (n, 2) float32, within -1..1.
        """
        if not self._listens:
            return
        with self._lock:
            if start != self._end:
                self._begin(start)
            self._end += len(samples)
            self._measure(samples)
            for onset in self._onsets.find(samples):
                self._note(onset)

    def beats(self, first: float, end: float, apart: float) -> list[Beat]:
        """Return the beats between two samples: onsets without a louder one within ``apart`` samples."""
        with self._lock:
            known = list(self._known)
        return [
            Beat(one.at, one.strength)
            for one in known
            if first <= one.at < end
            and not any(
                (other.loudness, -other.at) > (one.loudness, -one.at) for other in known if abs(other.at - one.at) < apart
            )
        ]

    def loudness(self, at: float) -> float:
        """Return the loudness around a sample, from 0, quiet, to 1, the recent maximum; 0 if unknown."""
        with self._lock:
            hop = int((at - self._start) / self._onsets.hop) + MOMENT_HOPS // 2 - self._gone
            return self._loud[hop] if 0 <= hop < len(self._loud) else 0.0

    def _begin(self, start: int) -> None:
        self._start = self._end = start
        self._onsets = Onsets(self._rate)
        self._known: deque[_MeasuredOnset] = deque()
        self._rest = np.zeros(0, np.float32)  # squares of samples, less than a hop
        self._powers = np.zeros(MOMENT_HOPS, np.float32)  # of the latest hops: those of the last call, and MOMENT_HOPS before
        self._loud: deque[float] = deque()
        self._gone = 0  # number of hops dropped from _loud
        self._loudest_db = SILENT_DB
        self._loudest, self._loudest_at = 0.0, 0

    def _measure(self, samples: np.ndarray) -> None:
        """Measure the loudness of each further hop."""
        hop = self._onsets.hop
        squares = np.concatenate((self._rest, np.square(samples).mean(axis=1)))
        count = len(squares) // hop
        self._rest = squares[count * hop :]
        powers = squares[: count * hop].reshape(count, hop).mean(axis=1)
        self._powers = np.concatenate((self._powers[-MOMENT_HOPS:], powers))
        sums = np.concatenate(([0.0], np.cumsum(self._powers, dtype=np.float64)))
        means = (sums[MOMENT_HOPS:] - sums[:-MOMENT_HOPS])[1:] / MOMENT_HOPS  # the first belongs to the last call
        for level_db in 10 * np.log10(np.maximum(means, 1e-12)):
            self._loudest_db = max(float(level_db), self._loudest_db - FALL_DB_S / HOPS_PER_S, SILENT_DB)
            below_db = self._loudest_db - float(level_db)
            self._loud.append(0.0 if level_db < SILENT_DB else max(0.0, 1 - below_db / RANGE_DB))
        while len(self._loud) > KEEP_S * HOPS_PER_S:
            self._loud.popleft()
            self._gone += 1

    def _note(self, onset: Onset) -> None:
        """Keep an onset with its loudness."""
        hop = self._onsets.hop
        passed = (self._end - self._start) // hop  # hops so far; the powers end with the last of them
        first = len(self._powers) - (passed - onset.at // hop)
        loudness = math.sqrt(float(self._powers[max(0, first) : max(0, first) + STRENGTH_HOPS].mean()))
        fallen = 0.5 ** ((onset.at - self._loudest_at) / self._rate / LOUDEST_HALF_S)
        self._loudest, self._loudest_at = max(loudness, self._loudest * fallen), onset.at
        self._known.append(_MeasuredOnset(self._start + onset.at, loudness, loudness / self._loudest if self._loudest else 0.0))
        while self._known and self._known[0].at < self._end - KEEP_S * self._rate:
            self._known.popleft()
