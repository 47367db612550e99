"""How long the dream was seen to dream what is on air: from the first keyframe of it on, and only while keyframes come."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from statistics import median

STILL_S = 2.0
"""Seconds without a keyframe after which the dream stands still and time on air with it…"""
STILL_GAPS = 4.0
"""…or so many of the usual gaps between keyframes, where those take long."""
GAPS = 9
"""Gaps between keyframes from which the usual one is told."""
REFUSED_S, REFUSED_KEYFRAMES = 15.0, 30
"""A scene that does not show while so much time passes and so many keyframes of others come is one that cannot be dreamt: it
goes to the worker within a keyframe or two."""
DEADLY = 3
"""Workers that may end, one after the other, before they show what is on air: it may be what ends them."""


class Airtime:
    """Counts seconds of what is on air. Not thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Set up; nothing is on air yet."""
        self._clock = clock
        self._began_s = clock()
        self._counted_s = 0.0
        """Counted up to the latest keyframe."""
        self._running_s: float | None = None
        """When that was; None while nothing is to be counted."""
        self._shows = False
        """Whether keyframes show what is on air, as it is now."""
        self._others = 0
        """Keyframes of something else since it is on air."""
        self._deaths = 0
        """Workers that ended since what is on air was shown last."""
        self._gaps: deque[float] = deque(maxlen=GAPS)
        self._latest_s: float | None = None
        """When a keyframe of anything came last."""
        self.paused = False
        """Whether a moderator holds what is on air; change it with ``pause``."""
        self.seen = False
        """Whether a keyframe has shown what is on air."""

    def begin(self, counted_s: float = 0.0) -> None:
        """Something else goes on air; ``counted_s`` of its time it had before."""
        self.seen = False
        self._counted_s = counted_s
        self._wait_for_it()

    def change(self) -> None:
        """What is on air changes its looks: time goes on when keyframes show them."""
        self._count_up(self._clock())
        self._wait_for_it()

    def keyframe(self, at_s: float, *, shows: bool, new_worker: bool = False) -> None:
        """A keyframe came.

        Args:
            shows: whether of what is on air.
            new_worker: whether it is the first of a new worker: nothing was dreamt since the one before, and no time passed.
        """
        if new_worker:
            self._running_s = self._latest_s = None
        if shows:
            self.seen = self._shows = True
            self._deaths = 0
            self._count_up(at_s)
            self._running_s = None if self.paused else at_s
        else:
            self._others += 1
        if self._latest_s is not None:
            self._gaps.append(at_s - self._latest_s)
        self._latest_s = at_s

    def workers_died(self, count: int) -> None:
        """So many workers ended. Time stands where the latest keyframe was, until another worker has one."""
        self._deaths += count
        self._running_s = None

    def pause(self, paused: bool) -> None:
        """Let time stand, or go on."""
        if paused == self.paused:
            return
        now_s = self._clock()
        self._count_up(now_s)
        self.paused = paused
        self._running_s = now_s if self._shows and not paused else None

    @property
    def seconds(self) -> float:
        """Time counted so far."""
        return self._counted_s + self._since_keyframe(self._clock())

    @property
    def seconds_shown(self) -> float:
        """Time counted up to the latest keyframe: what is over by this was dreamt to its end, even if the dream hangs now."""
        return self._counted_s

    @property
    def never_shown(self) -> bool:
        """Whether the dream goes on without what is on air: it cannot be dreamt."""
        long = self._clock() - self._began_s >= REFUSED_S
        return not self._shows and long and self._others >= REFUSED_KEYFRAMES

    @property
    def kills_workers(self) -> bool:
        """Whether workers keep dying over what is on air."""
        return self._deaths >= DEADLY

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
