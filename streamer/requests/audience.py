"""Remembers who was active recently, for cooldowns and for the number of votes to skip. Bounded, in memory only."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

from streamer.requests.policy import TimeSinceRequests

REMEMBERED = 10_000
"""Viewers remembered; when full, the one inactive for longest is forgotten."""
LATELY_S = 600.0
"""Seconds after a message or vote for which a viewer counts as present."""


class Audience:
    """Remembers when each viewer was last active, and last made a request. Not thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._active_s: OrderedDict[str, float] = OrderedDict()
        """Time of each viewer's last activity, oldest first."""
        self._requested_s: OrderedDict[str, float] = OrderedDict()
        """Time of each viewer's last request, oldest first."""
        self._latest_request_s = -math.inf

    def note_activity(self, viewer: str) -> None:
        """Note that a viewer is active."""
        self._put(self._active_s, viewer)

    def note_request(self, viewer: str) -> None:
        """Note that a viewer's request was accepted."""
        self._put(self._requested_s, viewer)
        self._latest_request_s = self._clock()

    def reset_cooldown(self, viewer: str) -> None:
        """End a viewer's cooldown, because the viewer withdrew the request."""
        self._requested_s.pop(viewer, None)

    def since(self, viewer: str) -> TimeSinceRequests:
        """Return how long ago requests were accepted."""
        now_s = self._clock()
        return TimeSinceRequests(now_s - self._latest_request_s, now_s - self._requested_s.get(viewer, -math.inf))

    def count_present(self) -> int:
        """Return the number of viewers who were active within LATELY_S."""
        latest_s = self._clock() - LATELY_S
        while self._active_s and next(iter(self._active_s.values())) < latest_s:
            self._active_s.popitem(last=False)
        return len(self._active_s)

    def _put(self, times: OrderedDict[str, float], viewer: str) -> None:
        times[viewer] = self._clock()
        times.move_to_end(viewer)
        if len(times) > REMEMBERED:
            times.popitem(last=False)
