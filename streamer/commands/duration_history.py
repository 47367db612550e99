"""How long renders took on this machine, for the next estimate: in the cache folder, by network, size and machine."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from streamer.cache_file import CacheFile

log = logging.getLogger(__name__)

MOST = 300
"""Kinds of renders that are remembered; those longest ago are forgotten."""
NEWEST = 0.5
"""Share of the newest run in what is known of a kind."""
LEAST_S = 1.0
"""Shorter runs teach nothing: their start is most of them."""
RATIO = (0.2, 5.0)
"""Between which a trial is corrected: what lies outside was another program's doing."""


class DurationHistory:
    """What was learnt; where nothing can be read or written, nothing is."""

    def __init__(self, file: Path | None = None) -> None:
        """Look into a file; None is the one in the user's cache folder."""
        self._file = CacheFile("estimates.json", file)

    def get(self, key: str) -> float | None:
        """What is known by a key; None where nothing is."""
        return _usable(self._file.read().get(key))

    def put(self, key: str, value: float) -> None:
        """Learn something."""
        known = self._file.read()
        before = _usable(known.pop(key, None))  # it becomes the newest
        known[key] = float(value if before is None else before + NEWEST * (value - before))
        kept = dict(list(known.items())[-MOST:])
        try:
            self._file.write(kept)
        except OSError as error:
            log.info("how long it took cannot be kept in '%s': %s", self._file.path, error.strerror)


def _usable(value: object) -> float | None:
    """What a file says, if it can be; None else."""
    return value if isinstance(value, float) and 0 < value < float("inf") else None


class DurationForecast:
    """Foretells how long a call takes, the start that is over included, and learns from how long it took."""

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
            kind: of render: all that its pace depends on besides the machine, its size among it.
            machine: and network; renders of other kinds there tell how far trials are to be believed.
            begun_s: When the call began, by the clock.
        """
        self._key, self._ratio_key = f"{machine} | {kind}", f"{machine} | {kind.partition(' ')[0]} | took / trial"
        self._past, self._clock, self._begun_s = past or DurationHistory(), clock, begun_s
        self._trial_s: float | None = None
        self.known_s = self._past.get(self._key)
        """Seconds that one of its parts took before, a step or a frame; None where a trial has to tell."""

    def seconds(self, parts: int, one_s: float | None) -> float | None:
        """How long the whole call takes.

        Args:
            parts: that are to be done.
            one_s: how long one took in a trial; None where there was none.
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
        """The work itself begins."""
        self._work_s = self._clock()

    def learn(self, parts: int) -> None:
        """So many parts are done, and written."""
        took_s = self._clock() - self._work_s
        if took_s < LEAST_S or parts < 1:
            return
        self._past.put(self._key, took_s / parts)
        if self._trial_s:
            self._past.put(self._ratio_key, min(RATIO[1], max(RATIO[0], took_s / parts / self._trial_s)))
