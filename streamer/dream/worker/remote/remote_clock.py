"""The clock of another machine told by ours. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

ANSWERS = 64
"""Answers that are remembered."""
DRIFT = 100e-6
"""Seconds by which two clocks may come apart in one: quartz keeps within that."""
SLEW = 0.01
"""Part of the time that passes by which the offset in use follows the one that was found, so that times keep their order."""


@dataclass(frozen=True, slots=True)
class _Answer:
    at_s: float
    offset_s: float
    trip_s: float

    def error_s(self, now_s: float) -> float:
        """By how much it may be wrong by now."""
        return self.trip_s / 2 + DRIFT * (now_s - self.at_s)


class RemoteClock:
    """Reckons the other machine's monotonic clock from answers to questions: of those, the quickest was least on its way.

    Not thread-safe.

    Args:
        clock: Ours, in monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answers: deque[_Answer] = deque(maxlen=ANSWERS)
        self._offset_s: float | None = None
        self._moved_s = 0.0

    def heard(self, asked_s: float, told_s: float, got_s: float) -> None:
        """An answer came.

        Args:
            asked_s: when it was asked for, on our clock.
            told_s: what the other clock said.
            got_s: when the answer was here, on ours.
        """
        self._answers.append(_Answer(got_s, (asked_s + got_s) / 2 - told_s, got_s - asked_s))

    @property
    def trip_s(self) -> float:
        """Seconds that a question and its answer take at the least; 0 before the first."""
        return min((answer.trip_s for answer in self._answers), default=0.0)

    @property
    def offset_s(self) -> float:
        """What is to be added to a time of theirs for ours; 0 before the first answer.

        It is the best one known at first, and moves toward better ones slowly.
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
