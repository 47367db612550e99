"""Estimates the clock of another machine from ours. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

ANSWERS = 64
"""Number of answers that are remembered."""
DRIFT = 100e-6
"""Seconds per second by which two clocks may drift apart; quartz clocks keep within that."""
SLEW = 0.01
"""Seconds per second by which the offset in use follows the best one, so that times keep their order."""


@dataclass(frozen=True, slots=True)
class _Answer:
    at_s: float
    offset_s: float
    trip_s: float

    def error_s(self, now_s: float) -> float:
        """Return by how much its offset may be wrong now."""
        return self.trip_s / 2 + DRIFT * (now_s - self.at_s)


class RemoteClock:
    """Estimates the other machine's monotonic clock from its answers: the one with the shortest round trip is most accurate.

    Not thread-safe.

    Args:
        clock: Our clock, monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answers: deque[_Answer] = deque(maxlen=ANSWERS)
        self._offset_s: float | None = None
        self._moved_s = 0.0

    def add_answer(self, asked_s: float, told_s: float, got_s: float) -> None:
        """Record an answer.

        Args:
            asked_s: time of the request, on our clock.
            told_s: the other clock in the answer.
            got_s: time of the answer's arrival, on our clock.
        """
        self._answers.append(_Answer(got_s, (asked_s + got_s) / 2 - told_s, got_s - asked_s))

    @property
    def trip_s(self) -> float:
        """Shortest round trip in seconds; 0 before the first answer."""
        return min((answer.trip_s for answer in self._answers), default=0.0)

    @property
    def offset_s(self) -> float:
        """Seconds to add to a time of the other clock to get ours; 0 before the first answer.

        It starts with the best known offset, and moves slowly towards better ones.
        """
        if not self._answers:
            return 0.0
        now_s = self._clock()
        found_s = min(self._answers, key=lambda answer: answer.error_s(now_s)).offset_s
        if self._offset_s is None:
            self._offset_s = found_s
        most_s = SLEW * max(0.0, now_s - self._moved_s)
        self._offset_s += min(max(found_s - self._offset_s, -most_s), most_s)
        self._moved_s = now_s
        return self._offset_s
