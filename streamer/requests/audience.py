"""Who was heard of lately: for cooldowns, and for how many votes a majority is. Bounded, in memory only."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

from streamer.requests.policy import TimeSinceRequests

REMEMBERED = 10_000
"""Viewers remembered; when full: who was heard of longest ago is forgotten."""
LATELY_S = 600.0
"""Seconds for which a viewer counts as being there."""


class Audience:
    """Remembers when each viewer was last heard of, and last got a request through. Not thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heard: OrderedDict[str, float] = OrderedDict()
        """Oldest first."""
        self._asked: OrderedDict[str, float] = OrderedDict()
        """Likewise."""
        self._anyone_s = -math.inf

    def heard(self, viewer: str) -> None:
        """Somebody spoke."""
        self._put(self._heard, viewer)

    def asked(self, viewer: str) -> None:
        """Somebody's request was taken."""
        self._put(self._asked, viewer)
        self._anyone_s = self._clock()

    def reset_cooldown(self, viewer: str) -> None:
        """Somebody took a request back: the next one need not wait for that viewer's cooldown."""
        self._asked.pop(viewer, None)

    def since(self, viewer: str) -> TimeSinceRequests:
        """How long ago requests were taken."""
        now_s = self._clock()
        return TimeSinceRequests(now_s - self._anyone_s, now_s - self._asked.get(viewer, -math.inf))

    def count_present(self) -> int:
        """How many viewers were heard of lately."""
        latest_s = self._clock() - LATELY_S
        while self._heard and next(iter(self._heard.values())) < latest_s:
            self._heard.popitem(last=False)
        return len(self._heard)

    def _put(self, times: OrderedDict[str, float], viewer: str) -> None:
        times[viewer] = self._clock()
        times.move_to_end(viewer)
        if len(times) > REMEMBERED:
            times.popitem(last=False)
