"""What may not be done again before its time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

KEPT = 4096
"""Cooldowns remembered; when there are more, the one that began first is forgotten."""


class Cooldowns:
    """Times until which things are not to be done again, by name."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` gives monotonic seconds."""
        self._clock = clock
        self._over_at: OrderedDict[str, float] = OrderedDict()

    def left_s(self, name: str) -> float:
        """Seconds until it may be done again; 0 when it may now."""
        return max(0.0, self._over_at.get(name, 0.0) - self._clock())

    def take(self, seconds: Mapping[str, float]) -> float:
        """Do something that has cooldowns of so many seconds under some names.

        Returns:
            0 when it may be done now: then all of them begin. Else the seconds until it may, and none begins.
        """
        if left_s := max((self.left_s(name) for name in seconds), default=0.0):
            return left_s
        now_s = self._clock()
        for name, each_s in seconds.items():
            if each_s > 0:
                self._over_at[name] = now_s + each_s
                self._over_at.move_to_end(name)
        while len(self._over_at) > KEPT:
            self._over_at.popitem(last=False)
        return 0.0
