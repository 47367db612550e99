"""What the sound does, found out before it is heard: beats and loudness, by the sample.

Sound is decoded seconds before it is played, and looked at as soon as it is decoded; so a beat is known in time for the very
frame with which it is heard.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from streamer.video.sound.onsets import HOPS_PER_S, Onset, Onsets

KEEP_S = 30.0
"""Seconds of onsets and loudness that are kept: more than ever waits to be played. When full: the oldest go."""
STRENGTH_HOPS = 6
"""Hops from an onset on over which its loudness is taken: a drum's blow."""
LOUDEST_HALF_S = 10.0
"""Seconds in which the loudest onset of late counts for half, so that quiet music has strong beats too."""
MOMENT_HOPS = 40
"""Hops over which loudness is taken: 400 ms, the 'momentary' of EBU R 128."""
RANGE_DB = 20.0
"""Decibels below the loudest of late at which the sound counts as quiet."""
FALL_DB_S = 0.5
"""Decibels a second by which the loudest of late falls."""
SILENT_DB = -50.0
"""Decibels relative to full scale below which nothing is loud."""


@dataclass(frozen=True, slots=True)
class Beat:
    """An onset with none louder close to it."""

    at: float
    """When: which sample, or second, as whoever gives it says."""
    strength: float
    """How loud it is among those of late, 0..1."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """An onset, how loud it is, and that as a part of the loudest of late."""

    at: int
    loudness: float
    strength: float


class SoundAnalyser:
    """Listens ahead. Thread-safe: one thread lets it hear, others ask."""

    def __init__(self, rate: int) -> None:
        """Be ready for sound of ``rate`` samples a second; it hears nothing until told to listen."""
        self._rate = rate
        self._lock = threading.Lock()
        self._listens = False
        self._begin(0)

    def listen(self, wanted: bool) -> None:
        """Listen from now on, or no more, which costs nothing."""
        with self._lock:
            if wanted != self._listens:
                self._listens = wanted
                self._begin(0)

    def analyse(self, start: int, samples: np.ndarray) -> None:
        """Take in sound that will be played; a few milliseconds for a second of it.

        Args:
            start: number of its first sample. Where it does not follow on the last, all that is known is forgotten.
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
        """The beats from one sample on and before another: onsets with none louder within ``apart`` samples of them."""
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
        """How loud it is around a sample, from 0, quiet, to 1, as loud as it was of late; 0 where nothing is known."""
        with self._lock:
            hop = int((at - self._start) / self._onsets.hop) + MOMENT_HOPS // 2 - self._gone
            return self._loud[hop] if 0 <= hop < len(self._loud) else 0.0

    def _begin(self, start: int) -> None:
        self._start = self._end = start
        self._onsets = Onsets(self._rate)
        self._known: deque[_Heard] = deque()
        self._rest = np.zeros(0, np.float32)  # squares of samples, less than a hop of them
        self._powers = np.zeros(MOMENT_HOPS, np.float32)  # of the latest hops: those of the last hearing, and so many before
        self._loud: deque[float] = deque()
        self._gone = 0  # hops of the above that were forgotten
        self._loudest_db = SILENT_DB
        self._loudest, self._loudest_at = 0.0, 0

    def _measure(self, samples: np.ndarray) -> None:
        """Take the loudness of each further hop."""
        hop = self._onsets.hop
        squares = np.concatenate((self._rest, np.square(samples).mean(axis=1)))
        count = len(squares) // hop
        self._rest = squares[count * hop :]
        powers = squares[: count * hop].reshape(count, hop).mean(axis=1)
        self._powers = np.concatenate((self._powers[-MOMENT_HOPS:], powers))
        sums = np.concatenate(([0.0], np.cumsum(self._powers, dtype=np.float64)))
        means = (sums[MOMENT_HOPS:] - sums[:-MOMENT_HOPS])[1:] / MOMENT_HOPS  # the first is that of the last time
        for level_db in 10 * np.log10(np.maximum(means, 1e-12)):
            self._loudest_db = max(float(level_db), self._loudest_db - FALL_DB_S / HOPS_PER_S, SILENT_DB)
            below_db = self._loudest_db - float(level_db)
            self._loud.append(0.0 if level_db < SILENT_DB else max(0.0, 1 - below_db / RANGE_DB))
        while len(self._loud) > KEEP_S * HOPS_PER_S:
            self._loud.popleft()
            self._gone += 1

    def _note(self, onset: Onset) -> None:
        """Keep an onset, with how loud it is."""
        hop = self._onsets.hop
        passed = (self._end - self._start) // hop  # hops so far; the powers end with the last of them
        first = len(self._powers) - (passed - onset.at // hop)
        loudness = math.sqrt(float(self._powers[max(0, first) : max(0, first) + STRENGTH_HOPS].mean()))
        fallen = 0.5 ** ((onset.at - self._loudest_at) / self._rate / LOUDEST_HALF_S)
        self._loudest, self._loudest_at = max(loudness, self._loudest * fallen), onset.at
        self._known.append(_Heard(self._start + onset.at, loudness, loudness / self._loudest if self._loudest else 0.0))
        while self._known and self._known[0].at < self._end - KEEP_S * self._rate:
            self._known.popleft()
