"""Stand-ins that tests of several rooms share."""

from __future__ import annotations


class HandClock:
    """A clock that only moves when told to: call it for the time, ``sleep`` or ``advance`` to move it."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s
        self.oversleep_s = 0.0
        """How much longer than asked each sleep takes."""

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now_s += seconds + self.oversleep_s
