"""What was refused: counted for those who watch, told to the log once in a while."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

log = logging.getLogger(__name__)

TOLD_S = 10.0
"""How often the log tells of it."""
REMEMBERED = 4096
"""Addresses that are counted until then."""


class RefusalCounter:
    """Counts by kind; called with each one. Belongs to one thread, save where it says otherwise."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._all: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._from: Counter[str] = Counter()
        self._told_s = clock() - TOLD_S

    @property
    def counts(self) -> dict[str, int]:
        """How many there were since the start, by kind; may be asked from any thread."""
        return dict(self._all)

    def __call__(self, what: str, client_key: str) -> None:
        """Count one.

        Args:
            what: was refused, in the plural.
            client_key: who was.
        """
        self._all[what] += 1
        self._untold[what] += 1
        if client_key in self._from or len(self._from) < REMEMBERED:
            self._from[client_key] += 1
        now_s = self._clock()
        if now_s - self._told_s < TOLD_S:
            return
        told = ", ".join(f"{number} {kind}" for kind, number in sorted(self._untold.items()))
        ((most, _),) = self._from.most_common(1)
        log.info("beyond the limits of web.limits, refused: %s; of %d addresses, most of %s", told, len(self._from), most)
        self._told_s = now_s
        self._untold.clear()
        self._from.clear()
