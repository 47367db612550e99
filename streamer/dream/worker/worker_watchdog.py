"""How long a worker may be silent. Pure: told what was heard and when, it says how long to wait yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streamer.dream.worker.protocol import Heartbeat, KeyframeReady, Report


@dataclass(frozen=True, slots=True)
class SilenceLimits:
    """How long is too long."""

    loading_s: float = 300.0
    """Before the first step is done, and while a step sets up what others use; downloads give signs of life."""
    silence_s: float = 5.0
    """Afterwards; more where steps take long:"""
    silence_steps: float = 5.0
    """so many of their median."""
    starved_s: float = 60.0
    """Time in which it waited for a processor does not count, where the system tells; of that no more than this."""


class WorkerWatchdog:
    """The patience with one worker.

    Args:
        prepared: Whether it has nothing left to load.
        median_s: What steps took the worker before it.
        starved: Tells for how many seconds it has waited for a processor in all, though it had work.
        clock: Monotonic seconds in which the program ran.
    """

    def __init__(
        self,
        limits: SilenceLimits,
        clock: Callable[[], float],
        *,
        prepared: bool,
        median_s: float = 0.0,
        starved: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._limits, self._clock, self._starved = limits, clock, starved
        self._heard_s, self._starved_s = clock(), starved()
        self.median_s = median_s
        """Seconds that the middle one of its latest steps took."""
        self._loads = not prepared
        self._began = False

    @property
    def seconds(self) -> float:
        """How long it may be silent as it is now."""
        if self._loads:
            return self._limits.loading_s
        return max(self._limits.silence_s, self._limits.silence_steps * self.median_s)

    @property
    def left_s(self) -> float:
        """Seconds that are left of that."""
        starved_s = min(self._starved() - self._starved_s, self._limits.starved_s)
        return self._heard_s + self.seconds + starved_s - self._clock()

    def heard(self, report: Report) -> None:
        """It said something."""
        self._heard_s, self._starved_s = self._clock(), self._starved()
        if isinstance(report, KeyframeReady) and report.steps:
            self._began, self._loads = True, False
        elif isinstance(report, Heartbeat):
            self.median_s = report.median_s or self.median_s
            self._loads = report.sets_up if self._began else self._loads or report.sets_up
