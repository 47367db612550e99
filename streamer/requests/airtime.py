"""Counts how long the scene on air has been shown: from its first keyframe on, and only while keyframes keep coming."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from statistics import median

STILL_S = 2.0
"""Seconds without a keyframe after which the clock stops, because the dream hangs."""
STILL_GAPS = 4.0
"""The same in median gaps between keyframes; the longer of the two counts."""
GAPS = 9
"""Gaps between keyframes in the median."""
REFUSED_S, REFUSED_KEYFRAMES = 15.0, 30
"""If a scene is not shown within this time and this many keyframes of others, it cannot be rendered: normally the worker shows
it within a keyframe or two."""
FATAL_DEATHS = 3
"""The scene on air counts as the cause when this many workers in a row have died before showing it."""


class Airtime:
    """Counts the seconds of the scene on air. Not thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Set up; nothing is on air yet."""
        self._clock = clock
        self._began_s = clock()
        self._counted_s = 0.0
        """Seconds up to the latest keyframe of the scene."""
        self._running_s: float | None = None
        """When that keyframe came; None while the clock stands."""
        self._shows = False
        """Whether keyframes show the scene as it is now."""
        self._others = 0
        """Keyframes of other scenes since this one went on air."""
        self._deaths = 0
        """Workers that died since the scene was last shown."""
        self._gaps: deque[float] = deque(maxlen=GAPS)
        self._latest_s: float | None = None
        """When the latest keyframe of any scene came."""
        self.paused = False
        """Whether a moderator holds the scene; change it with ``pause``."""
        self.shown = False
        """Whether a keyframe has shown the scene."""

    def begin(self, counted_s: float = 0.0) -> None:
        """Start counting for another scene, from ``counted_s`` seconds."""
        self.shown = False
        self._counted_s = counted_s
        self._wait_for_it()

    def change(self) -> None:
        """Note that the scene has changed: the clock stands until keyframes show the new one."""
        self._count_up(self._clock())
        self._wait_for_it()

    def keyframe(self, at_s: float, *, shows: bool, new_worker: bool = False) -> None:
        """Note a keyframe.

        Args:
            shows: whether it shows the scene on air.
            new_worker: whether it is the first of a new worker; the time since the keyframe before does not count.
        """
        if new_worker:
            self._running_s = self._latest_s = None
        if shows:
            self.shown = self._shows = True
            self._deaths = 0
            self._count_up(at_s)
            self._running_s = None if self.paused else at_s
        else:
            self._others += 1
        if self._latest_s is not None:
            self._gaps.append(at_s - self._latest_s)
        self._latest_s = at_s

    def workers_died(self, count: int) -> None:
        """Note that so many workers died. The clock stops at the latest keyframe until a new worker sends one."""
        self._deaths += count
        self._running_s = None

    def pause(self, paused: bool) -> None:
        """Stop the clock, or let it run again."""
        if paused == self.paused:
            return
        now_s = self._clock()
        self._count_up(now_s)
        self.paused = paused
        self._running_s = now_s if self._shows and not paused else None

    @property
    def seconds(self) -> float:
        """Seconds counted until now."""
        return self._counted_s + self._since_keyframe(self._clock())

    @property
    def seconds_shown(self) -> float:
        """Seconds up to the latest keyframe: this much has certainly been shown, even if the dream hangs now."""
        return self._counted_s

    @property
    def never_shown(self) -> bool:
        """Whether the dream continues without the scene, which therefore cannot be rendered."""
        long = self._clock() - self._began_s >= REFUSED_S
        return not self._shows and long and self._others >= REFUSED_KEYFRAMES

    @property
    def kills_workers(self) -> bool:
        """Whether the scene makes workers die."""
        return self._deaths >= FATAL_DEATHS

    def _wait_for_it(self) -> None:
        self._began_s, self._others, self._deaths = self._clock(), 0, 0
        self._running_s, self._shows = None, False

    def _count_up(self, until_s: float) -> None:
        self._counted_s += self._since_keyframe(until_s)
        self._running_s = None if self._running_s is None else until_s

    def _since_keyframe(self, now_s: float) -> float:
        if self._running_s is None:
            return 0.0
        patience_s = max(STILL_S, STILL_GAPS * median(self._gaps)) if self._gaps else STILL_S
        return min(max(0.0, now_s - self._running_s), patience_s)
