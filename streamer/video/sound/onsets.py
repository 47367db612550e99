"""Onsets: the moments at which something new is heard, a drum or a note. Sound comes bit by bit; nothing is played here.

What counts is how much rises in the spectrum from one moment to the next (spectral flux; Bello et al. 2005, 'A tutorial on
onset detection in music signals'), in bands a semitone wide and in logarithmic magnitudes. What rises in one band is compared
with the neighbouring bands too, so that vibrato and sweeps count for little (Böck, Widmer 2013, 'Maximum filter vibrato
suppression for onset detection'). An onset is a peak of that which stands out of what is around it (Böck, Krebs, Schedl 2012,
'Evaluating the online capabilities of onset detection methods').

docs/react.md says why no library does it, and benchmarks/onsets.py measures it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

HOPS_PER_S = 100
"""Looks at the spectrum a second."""
WINDOW = 2048
"""Samples of a look: 43 ms at 48 kHz."""
LOWEST_HZ, HIGHEST_HZ = 30.0, 16_000.0
PER_OCTAVE = 12
"""Bands; low ones are as wide as the spectrum's lines are apart."""
LAG = 2
"""Looks between the two that are compared: an attack fills the window that fast."""
PEAK_HOPS = 3
"""A peak is the highest of so many looks before and after it."""
BEFORE_HOPS, AFTER_HOPS = 20, 8
"""Looks around a peak out of whose mean it has to stand…"""
STANDS_OUT = 0.07
"""…by so much: twice what steady noise of any loudness does by chance. In decades of magnitude, as a mean over the bands."""
LATE = 900
"""Samples from an onset to the end of the look in which the rise is steepest, as clicks and drums have it."""


@dataclass(frozen=True, slots=True)
class Onset:
    """Something new is heard."""

    at: int
    """The sample, counted from the first that was ever given."""
    rise: float
    """How much it stands out; above ``STANDS_OUT``."""


class Onsets:
    """Finds onsets in sound that comes bit by bit, each ``AFTER_HOPS`` looks after it; before the first there was silence."""

    def __init__(self, rate: int) -> None:
        """Prepare for sound of ``rate`` samples a second."""
        self.hop = rate // HOPS_PER_S
        """Samples from one look to the next."""
        self._window = np.hanning(WINDOW).astype(np.float32)
        self._bands = Bands(rate)
        self._sound = np.zeros(WINDOW - self.hop, np.float32)  # what the next look begins with
        self._levels = np.zeros((LAG, self._bands.count), np.float32)  # the latest looks
        self._rises = np.zeros(0, np.float32)  # the latest, some of which are judged already
        self._first = 0  # number of the look that they begin with
        self._next = 0  # number of the look that is judged next

    def find(self, samples: np.ndarray) -> list[Onset]:
        """Listen to the next samples, (n, 2) float32 within -1..1, n of any size; returns the onsets that are known now."""
        sound = np.concatenate((self._sound, samples.mean(axis=1, dtype=np.float32)))
        count = max(0, (len(sound) - WINDOW) // self.hop + 1)
        self._sound = sound[count * self.hop :]
        if not count:
            return []
        looks = sliding_window_view(sound, WINDOW)[:: self.hop][:count]
        levels = np.log10(1 + self._bands.of(np.abs(np.fft.rfft(looks * self._window))))
        known = np.concatenate((self._levels, levels))
        self._levels = known[-LAG:]
        rises = np.maximum(known[LAG:] - _widened(known[:-LAG]), 0).mean(axis=1)
        self._rises = np.concatenate((self._rises, rises))
        return self._judge()

    def _judge(self) -> list[Onset]:
        """Find the peaks among the looks that have enough others after them."""
        found: list[Onset] = []
        rises, end = self._rises, len(self._rises) - AFTER_HOPS
        for here in range(self._next - self._first, end):
            rise = rises[here]
            if rise <= STANDS_OUT:
                continue
            before, after = rises[max(0, here - PEAK_HOPS) : here], rises[here + 1 : here + 1 + PEAK_HOPS]
            if (before >= rise).any() or (after > rise).any():
                continue
            stands_out = rise - rises[max(0, here - BEFORE_HOPS) : here + AFTER_HOPS].mean()
            if stands_out > STANDS_OUT:
                at = (self._first + here + 1) * self.hop - LATE
                found.append(Onset(max(0, at), float(stands_out)))
        self._next = self._first + max(end, self._next - self._first)
        gone = max(0, self._next - self._first - BEFORE_HOPS)
        self._rises, self._first = rises[gone:], self._first + gone
        return found


class Bands:
    """A spectrum in bands: triangles that overlap by halves, each as high as a line. No product of matrices, for which NumPy
    would wake every core."""

    def __init__(self, rate: int) -> None:
        """Lay out the bands for ``rate`` samples a second."""
        hz = np.fft.rfftfreq(WINDOW, 1 / rate)
        middles = LOWEST_HZ * 2.0 ** np.arange(0, np.log2(HIGHEST_HZ / LOWEST_HZ), 1 / PER_OCTAVE)
        self._edges = edges = np.unique(np.round(middles / hz[1]).astype(int))  # several low bands share a line
        self.count = len(edges) - 2
        """How many there are."""
        lines = np.arange(edges[0], edges[-1])
        below = edges[np.searchsorted(edges, lines, "right") - 1]
        above = edges[np.searchsorted(edges, lines, "right")]
        self._rising = ((lines - below) / (above - below)).astype(np.float32)

    def of(self, magnitudes: np.ndarray) -> np.ndarray:
        """(n, lines) magnitudes as (n, bands) float32."""
        edges = self._edges
        lines = magnitudes[:, edges[0] : edges[-1]].astype(np.float32)
        up = lines * self._rising
        starts = edges[:-1] - edges[0]
        rising, falling = (np.add.reduceat(part, starts, axis=1) for part in (up, lines - up))
        return np.asarray(rising[:, :-1] + falling[:, 1:])


def _widened(levels: np.ndarray) -> np.ndarray:
    """Each band's level or that of a neighbour, whichever is higher."""
    wide = levels.copy()
    np.maximum(wide[:, 1:], levels[:, :-1], out=wide[:, 1:])
    np.maximum(wide[:, :-1], levels[:, 1:], out=wide[:, :-1])
    return wide
