"""Helpers for starting, watching and ending processes."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

LOOK_S = 1.0
"""Longest single wait while counting the silence of a process, so that a stop of the program counts for at most this long."""
STOPPED_S = 1.0
"""A wait that ends this much too late means that the program was stopped (SIGSTOP), most likely with all that it watches."""
HEARD_S = 1.0
"""Seconds within which another thread that has reaped a process stores its exit code."""


def exit_code(process: BaseProcess, seconds: float | None = None) -> int | None:
    """Wait for the exit code of a process and return it; None if it does not end within ``seconds``.

    Starting a process in any thread reaps all that have ended. While another thread does that, ``join`` may return before the
    code is known.
    """
    process.join(seconds)
    deadline = time.monotonic() + HEARD_S
    while process.exitcode is None and time.monotonic() < deadline:
        time.sleep(0.001)
    return process.exitcode


class RoundClock:
    """Clock of a loop that waits in rounds: the end of its latest round, not counting rounds in which the program was stopped.

    The time is constant within a round, so that a stop of the program does not count, whenever it happens.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start at the time of ``clock``, in monotonic seconds."""
        self._clock = clock
        self._now_s = self._looked_s = clock()

    def __call__(self) -> float:
        """Return the time at the end of the latest round."""
        return self._now_s

    def end_round(self, waited_s: float) -> None:
        """End a round that waited for up to ``waited_s``; if it took much longer, it does not count."""
        looked_s, self._looked_s = self._looked_s, self._clock()
        took_s = self._looked_s - looked_s
        if took_s <= max(0.0, waited_s) + STOPPED_S:
            self._now_s += took_s


def slowness(most: float) -> float:
    """Return by what factor things may take longer now, because more threads want to run than there are cores.

    The factor is between 1 and ``most``; 1 if the system does not report its load.
    """
    try:
        wanting = os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows has no load average
        return 1.0
    return max(1.0, min(wanting / (os.cpu_count() or 1), most))


def cpu_wait_s(pid: int | None) -> float:
    """Return the total seconds for which a process's most delayed thread was runnable but waited for a CPU.

    Linux only; 0 elsewhere, and for a process that has ended. Stopped and sleeping threads do not wait for a CPU.
    """
    try:
        tasks = [(task / "schedstat").read_text().split() for task in Path(f"/proc/{pid}/task").iterdir()]
        return max(int(waited) for _, waited, _ in tasks) / 1e9
    except (OSError, ValueError):
        return 0.0


@contextlib.contextmanager
def terminal_signals_blocked() -> Iterator[None]:
    """Block SIGINT and SIGHUP in processes started within: a terminal sends them to all processes, but only the parent reacts.

    On systems without signal masks, such processes have to ignore these signals themselves.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
