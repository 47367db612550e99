"""Counts refusals for the metrics, and logs them from time to time."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

log = logging.getLogger(__name__)

LOG_S = 10.0
"""Shortest time between two log lines."""
REMEMBERED = 4096
"""Clients counted between two log lines; further ones are left out of that count."""


class RefusalCounter:
    """Counts refusals by kind; call it for each one. Belongs to one thread unless stated otherwise."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._all: Counter[str] = Counter()
        self._unlogged: Counter[str] = Counter()
        self._from: Counter[str] = Counter()
        self._logged_s = clock() - LOG_S

    @property
    def counts(self) -> dict[str, int]:
        """Refusals since the start, by kind; may be read from any thread."""
        return dict(self._all)

    def __call__(self, what: str, client_key: str) -> None:
        """Count one.

        Args:
            what: kind of what was refused, in the plural.
            client_key: the client that was refused.
        """
        self._all[what] += 1
        self._unlogged[what] += 1
        if client_key in self._from or len(self._from) < REMEMBERED:
            self._from[client_key] += 1
        now_s = self._clock()
        if now_s - self._logged_s < LOG_S:
            return
        counts = ", ".join(f"{number} {kind}" for kind, number in sorted(self._unlogged.items()))
        ((most, _),) = self._from.most_common(1)
        log.info("refused because of web.limits: %s; from %d addresses, most from %s", counts, len(self._from), most)
        self._logged_s = now_s
        self._unlogged.clear()
        self._from.clear()
