"""Decides how long a worker may be silent. Pure: it computes from the worker's reports and the clock how long to wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from streamer.dream.worker.protocol import Heartbeat, KeyframeReady, LinkReport, Report


@dataclass(frozen=True, slots=True)
class SilenceLimits:
    """How long a worker may be silent."""

    loading_s: float = 300.0
    """Seconds before the first step is done, and while a step sets something up; downloads give signs of life."""
    silence_s: float = 5.0
    """Seconds afterwards, unless ``silence_steps`` gives more."""
    silence_steps: float = 5.0
    """Multiple of the median step duration."""
    starved_s: float = 60.0
    """Time for which the worker waited for a CPU does not count, up to this many seconds, if the system reports it."""


class Silence:
    """Measures how long a worker has been silent. The time for which it waited for a CPU does not count, up to a limit.

    Args:
        starved: Returns the total seconds for which it was runnable but waited for a CPU.
        clock: Monotonic seconds.
        most_starved_s: That limit, in seconds.
    """

    def __init__(self, starved: Callable[[], float], clock: Callable[[], float], most_starved_s: float) -> None:
        """Start now."""
        self._starved, self._clock, self._most_starved_s = starved, clock, most_starved_s
        self.end()

    @property
    def seconds(self) -> float:
        """Seconds of silence up to now. Below 0 if the wait for a CPU was counted late: it began before the latest report."""
        # The total falls when the thread that waited longest ends.
        starved_s = max(0.0, min(self._starved() - self._starved_s, self._most_starved_s))
        return self._clock() - self._heard_s - starved_s

    def end(self) -> None:
        """Start again: the worker has just reported something."""
        self._heard_s, self._starved_s = self._clock(), self._starved()

    def shorten(self, seconds: float) -> None:
        """Start ``seconds`` ago, unless it started later: the worker reported something then."""
        self._heard_s = max(self._heard_s, self._clock() - seconds)


class WorkerWatchdog:
    """Watches the silence of one worker.

    Args:
        prepared: Whether it has nothing left to load.
        median_s: Median step duration of the previous worker, in seconds.
        starved: Returns the total seconds for which it was runnable but waited for a CPU.
        clock: Monotonic seconds, without the time for which the program was stopped.
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
        self._limits, self._silence = limits, Silence(starved, clock, limits.starved_s)
        self.median_s = median_s
        """Median seconds of its latest steps."""
        self._loads = not prepared
        self._began = False

    @property
    def seconds(self) -> float:
        """Seconds for which it may be silent in its current state."""
        if self._loads:
            return self._limits.loading_s
        return max(self._limits.silence_s, self._limits.silence_steps * self.median_s)

    @property
    def left_s(self) -> float:
        """Seconds left until it has been silent for too long."""
        return self.seconds - self._silence.seconds

    def note_report(self, report: Report) -> None:
        """Note a report from the worker; one on the link to it is no sign of life by itself, but says when there was one."""
        if isinstance(report, LinkReport):
            self._silence.shorten(report.silent_s)
            return
        self._silence.end()
        if isinstance(report, KeyframeReady) and report.steps:
            self._began, self._loads = True, False
        elif isinstance(report, Heartbeat):
            self.median_s = report.median_s or self.median_s
            self._loads = report.sets_up if self._began else self._loads or report.sets_up
