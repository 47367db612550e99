"""Volume and limiter: sound never clips."""

from __future__ import annotations

import numpy as np

STEP = 64
"""Samples between two points of the gain curve, which is linear in between: the gain ramps down within 1.3 ms."""
AHEAD = 4 * STEP
"""Look-ahead and delay of the limiter in samples: 5 ms."""
CEILING = 10 ** (-1 / 20)
"""Highest output sample: 1 dB below full scale, because AAC overshoots a little (EBU R 128)."""
RELEASE_S = 0.3
"""Time constant in seconds with which the gain recovers after a loud moment."""


def to_factor(db: float) -> float:
    """Convert decibels to an amplitude factor."""
    return float(10 ** (db / 20))


class Limiter:
    """Turns loud moments down ahead of time instead of clipping their peaks; everything else passes unchanged."""

    def __init__(self, rate: int) -> None:
        self._held = np.zeros((AHEAD, 2), np.float32)
        self._gain = 1.0
        self._release = 1 - np.exp(-STEP / (RELEASE_S * rate))

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Limit the next block.

        Args:
            samples: (n, 2) float32, n a multiple of ``STEP``.

        Returns:
            The n samples that end ``AHEAD`` before the end of the block, each within ``CEILING``.
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
            # The gain between this step and the next has to suit both, and prepares for those after them.
            least = float(allowed[step : step + AHEAD // STEP + 1].min())
            gain = self._gain + (1 - self._gain) * self._release
            self._gain = min(least, gain if gain < 0.9999 else 1.0)
            points.append(self._gain)
        course = np.interp(np.arange(len(samples)) / STEP, np.arange(steps + 1), points)
        return (known[: len(samples)] * course[:, None]).astype(np.float32)
