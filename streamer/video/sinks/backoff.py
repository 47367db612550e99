"""How long to wait before retrying something that failed."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_S = 1.0
"""Seconds to wait after the first failure."""
FACTOR = 1.5
"""Each further failure multiplies the pause by this; OBS uses the same."""
MOST_S = 30.0
"""Longest pause, in seconds; there is no limit to the number of tries."""
JITTER = 0.25
"""Largest part of a pause that is cut at random, so that not all clients reconnect to a server at the same moment."""
FORGIVEN_S = 30.0
"""Seconds of success after which pauses start from the first again."""


class BackOff:
    """Pauses that grow from failure to failure. Belongs to one thread."""

    def __init__(
        self,
        *,
        first_s: float = FIRST_S,
        factor: float = FACTOR,
        most_s: float = MOST_S,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Begin with ``first_s``; ``chance`` returns random numbers from 0 to below 1."""
        self._first_s, self._factor, self._most_s = first_s, factor, most_s
        self._chance = chance
        self._failures = 0

    def pause_s(self, worked_s: float = 0.0) -> float:
        """Return the seconds to wait after a failure that came after ``worked_s`` seconds of success."""
        if worked_s >= FORGIVEN_S:
            self._failures = 0
        # The exponent is bounded: after days of failures the power would overflow a float.
        pause_s = min(self._most_s, self._first_s * self._factor ** min(self._failures, 64))
        self._failures += 1
        return pause_s * (1 - JITTER * self._chance())
