"""The buffer between the decoding thread, which may be late, and playback, which never waits."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

FADE_S = 0.01
"""Length of the fades around a break in seconds, so that nothing clicks."""


class SoundBuffer:
    """A queue of samples between two threads.

    When it is full, the writer waits. When it is empty, the reader gets a short fade and then silence, until enough is
    collected again; then sound fades in. For this, the last ``FADE_S`` are held back until something follows them.
    """

    def __init__(self, rate: int, capacity_s: float, start_s: float) -> None:
        """Start empty.

        Args:
            rate: samples per second.
            capacity_s: seconds of sound at which the writer waits.
            start_s: seconds of sound to collect before playback starts, at first and after each break.
        """
        self._capacity = round(capacity_s * rate)
        self._start = round(start_s * rate)
        self._fade = round(FADE_S * rate)
        self._condition = threading.Condition()
        self._parts: deque[np.ndarray] = deque()
        self._count = self._written = 0
        self._closed = False
        self._fade_next = False
        self._playing = False
        self._breaks = 0

    @property
    def playing(self) -> bool:
        """Whether the last ``take`` returned sound."""
        with self._condition:
            return self._playing

    @property
    def breaks(self) -> int:
        """How often sound was interrupted by silence."""
        with self._condition:
            return self._breaks

    @property
    def count(self) -> int:
        """Number of queued samples."""
        with self._condition:
            return self._count

    @property
    def written(self) -> int:
        """Number of samples put so far, which is the number of the next one."""
        with self._condition:
            return self._written

    @property
    def at(self) -> int:
        """Number of the sample to take next; discarded ones count."""
        with self._condition:
            return self._written - self._count

    def put(self, samples: np.ndarray, patience_s: float | None = None) -> bool:
        """Add samples, (n, 2) float32, once there is space.

        Returns:
            False if it was closed meanwhile, or if nobody took sound for ``patience_s``; the samples are not added then.
        """
        with self._condition:
            if not self._condition.wait_for(lambda: self._closed or self._count < self._capacity, patience_s) or self._closed:
                return False
            if self._fade_next:
                samples = fade(samples, self._fade, rising=True)
                self._fade_next = False
            self._parts.append(samples)
            self._count += len(samples)
            self._written += len(samples)
            return True

    def cut(self) -> None:
        """Mark a break: the sound written last fades out, and what is written next fades in."""
        with self._condition:
            if self._parts:
                last = np.concatenate(self._parts)
                self._parts = deque([fade(last, self._fade, rising=False)])
            self._fade_next = True

    def clear(self) -> None:
        """Discard the queued samples."""
        with self._condition:
            self._parts.clear()
            self._count = 0
            self._playing = False

    def take(self, count: int) -> np.ndarray:
        """Return the next ``count`` samples, (count, 2) float32, without waiting; silence if there is no sound."""
        with self._condition:
            found = self._take(count)
            self._condition.notify_all()
            return found

    def wait_until_taken(self) -> None:
        """Wait for the next ``take``, or for ``close``."""
        with self._condition:
            if not self._closed:
                self._condition.wait()

    def close(self) -> None:
        """Release the writer; queued samples can still be taken."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def _take(self, count: int) -> np.ndarray:
        if not self._playing:
            if self._count < max(self._start, count + self._fade):
                return np.zeros((count, 2), np.float32)
            self._playing = True
            return fade(self._pop(count), self._fade, rising=True)
        if self._count >= count + self._fade:
            return self._pop(count)
        self._playing = False
        self._breaks += 1
        rest = fade(self._pop(min(count, self._count)), self._fade, rising=False)
        self._parts.clear()
        self._count = 0
        return np.concatenate((rest, np.zeros((count - len(rest), 2), np.float32)))

    def _pop(self, count: int) -> np.ndarray:
        parts: list[np.ndarray] = []
        missing = count
        while missing > 0:
            part = self._parts.popleft()
            if len(part) > missing:
                self._parts.appendleft(part[missing:])
                part = part[:missing]
            parts.append(part)
            missing -= len(part)
        self._count -= count
        return np.concatenate(parts) if parts else np.zeros((0, 2), np.float32)


def fade(samples: np.ndarray, length: int, *, rising: bool) -> np.ndarray:
    """Return a copy with the first samples faded in, or the last ones faded out, along a raised cosine."""
    length = min(length, len(samples))
    curve = (0.5 - 0.5 * np.cos((np.arange(length, dtype=np.float32) + 0.5) / max(length, 1) * np.pi))[:, None]
    faded = samples.copy()
    if rising:
        faded[:length] *= curve
    else:
        faded[len(faded) - length :] *= curve[::-1]
    return faded
