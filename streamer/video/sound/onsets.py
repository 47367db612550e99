"""Detects onsets: the moments at which a drum, a note or another sound starts. Sound arrives in chunks.

The detector measures how much the spectrum rises from one moment to the next (spectral flux; Bello et al. 2005, 'A tutorial on
onset detection in music signals'), in bands a semitone wide and in logarithmic magnitudes. A rise in one band is compared with
the neighbouring bands too, so that vibrato and sweeps count little (Böck, Widmer 2013, 'Maximum filter vibrato suppression for
onset detection'). An onset is a peak of the flux well above its surroundings (Böck, Krebs, Schedl 2012, 'Evaluating the online
capabilities of onset detection methods').

docs/react.md says why no library is used, and benchmarks/onsets.py measures it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

HOPS_PER_S = 100
"""Spectra per second."""
WINDOW = 2048
"""Samples per spectrum: 43 ms at 48 kHz."""
LOWEST_HZ, HIGHEST_HZ = 30.0, 16_000.0
PER_OCTAVE = 12
"""Bands per octave; low ones are as wide as the spacing of the spectrum's lines."""
LAG = 2
"""Distance of the two spectra that are compared, in hops: an attack fills the window that fast."""
PEAK_HOPS = 3
"""A peak is the highest within so many hops before and after it."""
BEFORE_HOPS, AFTER_HOPS = 20, 8
"""Hops before and after a peak over which the mean is taken that it has to exceed…"""
STANDS_OUT = 0.07
"""…by this much: twice what steady noise of any loudness does by chance. In decades of magnitude, averaged over the bands."""
LATE = 900
"""Samples from an onset to the end of the window with the steepest rise, measured with clicks and drums."""


@dataclass(frozen=True, slots=True)
class Onset:
    """The start of a sound."""

    at: int
    """Its sample, counted from the first one passed to ``Onsets``."""
    rise: float
    """Height of the peak above its surroundings; above ``STANDS_OUT``."""


class Onsets:
    """Finds onsets in sound that arrives in chunks, each ``AFTER_HOPS`` hops late; it assumes silence before the first."""

    def __init__(self, rate: int) -> None:
        """Prepare for sound with ``rate`` samples per second."""
        self.hop = rate // HOPS_PER_S
        """Samples from one spectrum to the next."""
        self._window = np.hanning(WINDOW).astype(np.float32)
        self._bands = Bands(rate)
        self._sound = np.zeros(WINDOW - self.hop, np.float32)  # the beginning of the next window
        self._levels = np.zeros((LAG, self._bands.count), np.float32)  # the latest spectra
        self._rises = np.zeros(0, np.float32)  # the latest; some are evaluated already
        self._first = 0  # hop number of the first of them
        self._next = 0  # hop number to evaluate next

    def find(self, samples: np.ndarray) -> list[Onset]:
        """Analyse the next samples, (n, 2) float32 within -1..1, any n; return the onsets found."""
        sound = np.concatenate((self._sound, samples.mean(axis=1, dtype=np.float32)))
        count = max(0, (len(sound) - WINDOW) // self.hop + 1)
        self._sound = sound[count * self.hop :]
        if not count:
            return []
        windows = sliding_window_view(sound, WINDOW)[:: self.hop][:count]
        levels = np.log10(1 + self._bands.of(np.abs(np.fft.rfft(windows * self._window))))
        known = np.concatenate((self._levels, levels))
        self._levels = known[-LAG:]
        rises = np.maximum(known[LAG:] - _widened(known[:-LAG]), 0).mean(axis=1)
        self._rises = np.concatenate((self._rises, rises))
        return self._judge()

    def _judge(self) -> list[Onset]:
        """Find the peaks among the hops that have enough hops after them."""
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
    """Sums a spectrum in bands: triangles that overlap by half, with a peak of 1. It avoids a matrix product, for which NumPy
    would use every core."""

    def __init__(self, rate: int) -> None:
        """Lay out the bands for ``rate`` samples per second."""
        hz = np.fft.rfftfreq(WINDOW, 1 / rate)
        middles = LOWEST_HZ * 2.0 ** np.arange(0, np.log2(HIGHEST_HZ / LOWEST_HZ), 1 / PER_OCTAVE)
        self._edges = edges = np.unique(np.round(middles / hz[1]).astype(int))  # several low bands share a line
        self.count = len(edges) - 2
        """Number of bands."""
        lines = np.arange(edges[0], edges[-1])
        below = edges[np.searchsorted(edges, lines, "right") - 1]
        above = edges[np.searchsorted(edges, lines, "right")]
        self._rising = ((lines - below) / (above - below)).astype(np.float32)

    def of(self, magnitudes: np.ndarray) -> np.ndarray:
        """Convert (n, lines) magnitudes to (n, bands) float32."""
        edges = self._edges
        lines = magnitudes[:, edges[0] : edges[-1]].astype(np.float32)
        up = lines * self._rising
        starts = edges[:-1] - edges[0]
        rising, falling = (np.add.reduceat(part, starts, axis=1) for part in (up, lines - up))
        return np.asarray(rising[:, :-1] + falling[:, 1:])


def _widened(levels: np.ndarray) -> np.ndarray:
    """Return the maximum of each band's level and its neighbours'."""
    wide = levels.copy()
    np.maximum(wide[:, 1:], levels[:, :-1], out=wide[:, 1:])
    np.maximum(wide[:, :-1], levels[:, 1:], out=wide[:, :-1])
    return wide
