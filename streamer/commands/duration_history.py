"""Records how long renders took on this machine, by network and size, for the next estimate. Kept in the cache folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from streamer.cache_file import CacheFile

log = logging.getLogger(__name__)

MOST = 300
"""Most kinds of renders that are kept; the oldest are dropped."""
NEWEST = 0.5
"""Weight of the newest run in the average of its kind."""
LEAST_S = 1.0
"""Shorter runs are not recorded: they are mostly start-up."""
RATIO = (0.2, 5.0)
"""Limits of a trial's correction: anything outside was caused by another program."""


class DurationHistory:
    """The recorded durations; empty if the file cannot be read or written."""

    def __init__(self, file: Path | None = None) -> None:
        """Use a file; None for the one in the user's cache folder."""
        self._file = CacheFile("estimates.json", file)

    def get(self, key: str) -> float | None:
        """Return the value of a key, or None."""
        return _usable(self._file.read().get(key))

    def put(self, key: str, value: float) -> None:
        """Average a new value into a key's value."""
        known = self._file.read()
        before = _usable(known.pop(key, None))  # it moves to the end, as the newest
        known[key] = float(value if before is None else before + NEWEST * (value - before))
        kept = dict(list(known.items())[-MOST:])
        try:
            self._file.write(kept)
        except OSError as error:
            log.info("how long it took cannot be kept in '%s': %s", self._file.path, error.strerror)


def _usable(value: object) -> float | None:
    """Return a value read from the file if it is a positive number, else None."""
    return value if isinstance(value, float) and 0 < value < float("inf") else None


class DurationForecast:
    """Estimates how long a call takes, with its start-up, and records how long it took."""

    def __init__(
        self,
        kind: str,
        machine: str,
        past: DurationHistory | None = None,
        *,
        begun_s: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Prepare.

        Args:
            kind: The kind of render: everything its speed depends on besides the machine, such as size.
            machine: The machine and network; renders of other kinds there correct the trials.
            begun_s: When the call began, by the clock.
        """
        self._key, self._ratio_key = f"{machine} | {kind}", f"{machine} | {kind.partition(' ')[0]} | took / trial"
        self._past, self._clock, self._begun_s = past or DurationHistory(), clock, begun_s
        self._trial_s: float | None = None
        self.known_s = self._past.get(self._key)
        """Seconds per part (a step or a frame) in earlier runs; None if a trial is needed."""

    def seconds(self, parts: int, one_s: float | None) -> float | None:
        """Return how many seconds the whole call takes; None if nothing is known.

        Args:
            parts: Number of parts to do.
            one_s: Seconds that one took in a trial; None without a trial.
        """
        if self.known_s is None:
            if one_s is None:
                return None
            self._trial_s = one_s
            one_s *= self._past.get(self._ratio_key) or 1.0
        else:
            one_s = self.known_s
        return self._clock() - self._begun_s + parts * one_s

    def begins(self) -> None:
        """Start the clock of the work itself."""
        self._work_s = self._clock()

    def learn(self, parts: int) -> None:
        """Record that this many parts are done and written."""
        took_s = self._clock() - self._work_s
        if took_s < LEAST_S or parts < 1:
            return
        self._past.put(self._key, took_s / parts)
        if self._trial_s:
            self._past.put(self._ratio_key, min(RATIO[1], max(RATIO[0], took_s / parts / self._trial_s)))
