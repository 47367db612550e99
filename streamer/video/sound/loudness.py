"""How loud the sound is: the volume, and a limiter, so that nothing is ever cut off."""

from __future__ import annotations

import numpy as np

STEP = 64
"""Samples between two points of the gain's course; straight lines in between. A loud moment is met by a ramp of 1.3 ms."""
AHEAD = 4 * STEP
"""Samples that the limiter looks ahead, and by which its output is late: 5 ms."""
CEILING = 10 ** (-1 / 20)
"""Highest sample that comes out: 1 dB below full scale, for AAC's own rounding overshoots a little (EBU R 128)."""
RELEASE_S = 0.3
"""Seconds after a loud moment in which most of the gain comes back."""


def to_factor(db: float) -> float:
    """Decibels as a factor of amplitude."""
    return float(10 ** (db / 20))


class Limiter:
    """Turns loud moments down before they come, instead of cutting their peaks off; all else is left as it is."""

    def __init__(self, rate: int) -> None:
        self._held = np.zeros((AHEAD, 2), np.float32)
        self._gain = 1.0
        self._release = 1 - np.exp(-STEP / (RELEASE_S * rate))

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Limit the next block.

        Args:
            samples: (n, 2) float32, n a multiple of ``STEP``.

        Returns:
            The n samples that end ``AHEAD`` before the block does, each within ``CEILING``.
        """
        known = np.concatenate((self._held, samples))
        self._held = known[len(samples) :]
        steps = len(samples) // STEP
        peaks = np.abs(known).reshape(-1, 2 * STEP).max(axis=1)
        if self._gain == 1.0 and peaks.max() <= CEILING:
            return known[: len(samples)]
        allowed = np.minimum(1.0, CEILING / np.maximum(peaks, 1e-9))
        points = [self._gain]
        for step in range(steps):
            # The point between this step and the next must suit both; the ones after it are prepared for.
            least = float(allowed[step : step + AHEAD // STEP + 1].min())
            gain = self._gain + (1 - self._gain) * self._release
            self._gain = min(least, gain if gain < 0.9999 else 1.0)
            points.append(self._gain)
        course = np.interp(np.arange(len(samples)) / STEP, np.arange(steps + 1), points)
        return (known[: len(samples)] * course[:, None]).astype(np.float32)
