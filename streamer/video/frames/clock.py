"""The frame clock: keeps a constant rate and never catches up in a burst after a stall."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from streamer.messages.status import FrameCounters

SLACK_S = 0.2
"""A frame up to this many seconds late is still made, so that a hiccup of a busy machine costs no frame."""
LATE_FRAMES = 0.5
"""A frame counts as late if more than this fraction of its interval has passed when work on it begins."""
STOPPED_S, STOPPED_CPU = 1.0, 0.02
"""A gap of at least so many seconds, in which the program used at most this fraction of a core, means that it was stopped: it
did not drop the frames in it."""
GAP_KEPT_S = 10.0
"""Seconds for which the longest gap between frames is reported, or a little longer: read it at
least this often to miss none."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One frame that is due now."""

    number: int
    """Frame number in the video; gaps are dropped frames."""
    due_s: float
    """Its time on the clock: the start plus ``number / fps``, without drift."""
    late: bool
    """Whether more than half of its interval had passed when it was returned."""
    dropped: int
    """Frames dropped just before it."""
    stopped: int = 0
    """Frames missing just before it because the whole program did not run."""


class FrameClock:
    """Returns frame numbers at a constant rate.

    Deadlines count from the start, so neither oversleeping nor slow frames make the rate drift. After a stall, missed numbers
    are skipped, not caught up in a burst; only a hiccup of up to ``SLACK_S`` is caught up.

    ``wait`` belongs to one thread; the counters may be read from any.
    """

    def __init__(
        self,
        fps: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        worked: Callable[[], float] = time.process_time,
    ) -> None:
        """Prepare for ``fps`` frames per second; ``worked`` returns the CPU seconds that the whole program has used."""
        if not fps > 0:
            raise ValueError(f"fps is {fps}; must be above 0")
        self.fps = fps
        self._clock = clock
        self._sleep, self._worked = sleep, worked
        self._worked_s = 0.0
        self._start_s: float | None = None
        self._number = -1
        self._lock = threading.Lock()
        self._counters = FrameCounters()
        self._gaps = [0.0, 0.0]
        self._gaps_since_s = -math.inf
        self._handed_s: float | None = None

    def wait(self) -> Tick:
        """Sleep until the next frame is due and return it; the first is due immediately and starts the clock."""
        now_s = self._clock()
        if self._start_s is None:
            self._start_s = now_s
        expected = self._number + 1
        number = self._at(now_s, expected)
        while (left_s := self._start_s + number / self.fps - now_s) > 0:
            self._sleep(left_s)
            now_s = self._clock()
        number = self._at(now_s, number)  # a program is usually stopped in its sleep
        due_s = self._start_s + number / self.fps
        late = (now_s - due_s) * self.fps > LATE_FRAMES
        left_out = number - expected
        self._number = number
        worked_s, before_s = self._worked(), self._worked_s
        self._worked_s = worked_s
        with self._lock:
            gap_s = self._note_gap(now_s)
            ran = gap_s < STOPPED_S or worked_s - before_s > STOPPED_CPU * gap_s
            dropped, stopped = (left_out, 0) if ran else (0, left_out)
            old = self._counters
            self._counters = replace(
                old,
                shown=old.shown + 1,
                late=old.late + (late and ran),
                dropped=old.dropped + dropped,
                stopped=old.stopped + stopped,
            )
        return Tick(number, due_s, late, dropped, stopped)

    def _at(self, now_s: float, number: int) -> int:
        """Return the frame to make: ``number`` itself, unless its time has long passed."""
        assert self._start_s is not None
        passed = (now_s - self._start_s) * self.fps  # frames since the start
        return number if passed - number <= SLACK_S * self.fps else math.floor(passed + 1e-6)

    def count_repeated(self) -> None:
        """Count the current frame as one that repeats the picture before it."""
        with self._lock:
            self._counters = replace(self._counters, repeated=self._counters.repeated + 1)

    def _note_gap(self, now_s: float) -> float:
        """Track the longest gap of the current period and the previous one; return the gap since the last frame."""
        if now_s - self._gaps_since_s >= GAP_KEPT_S:
            self._gaps, self._gaps_since_s = [0.0, self._gaps[0]], now_s
        gap_s = 0.0 if self._handed_s is None else now_s - self._handed_s
        self._gaps[0] = max(self._gaps[0], gap_s)
        self._handed_s = now_s
        return gap_s

    @property
    def longest_gap_s(self) -> float:
        """Longest time between two frames, in seconds, within the last ``GAP_KEPT_S`` or a little more."""
        with self._lock:
            return max(self._gaps)

    @property
    def counters(self) -> FrameCounters:
        """All counts, at one moment."""
        with self._lock:
            return self._counters

    @property
    def shown(self) -> int:
        """Number of frames returned."""
        return self.counters.shown

    @property
    def late(self) -> int:
        """Number of frames returned after more than half of their interval had passed."""
        return self.counters.late

    @property
    def repeated(self) -> int:
        """Number of frames that repeated the picture before them."""
        return self.counters.repeated

    @property
    def dropped(self) -> int:
        """Number of frames dropped after a stall."""
        return self.counters.dropped
