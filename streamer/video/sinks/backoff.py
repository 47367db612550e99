"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_S = 1.0
"""Pause after the first failure."""
FACTOR = 1.5
"""What each further failure multiplies it with; OBS's."""
MOST_S = 30.0
"""Longest pause: tries go on for ever."""
JITTER = 0.25
"""Largest part of a pause that chance takes away, so that a server that comes back is not met by everybody at once."""
FORGIVEN_S = 30.0
"""What worked for so long begins with the first pause again."""


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
        """Begin with ``first_s``; ``chance`` gives numbers from 0 to below 1."""
        self._first_s, self._factor, self._most_s = first_s, factor, most_s
        self._chance = chance
        self._failures = 0

    def pause_s(self, worked_s: float = 0.0) -> float:
        """Seconds to wait after a failure before which it had worked for ``worked_s``."""
        if worked_s >= FORGIVEN_S:
            self._failures = 0
        # The exponent is bounded, for floats are: after days of failures it would be too large for them.
        pause_s = min(self._most_s, self._first_s * self._factor ** min(self._failures, 64))
        self._failures += 1
        return pause_s * (1 - JITTER * self._chance())
