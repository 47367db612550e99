"""How processes begin and end."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

LOOK_S = 1.0
"""Seconds waited at once by who counts the silence of a process: a stop of the program costs no more than that."""
STOPPED_S = 1.0
"""Who wakes so much later than at the latest was stopped meanwhile, as by SIGSTOP, and most likely all that it watches, too."""
HEARD_S = 1.0
"""Within which another thread that has heard of a process's end writes it down."""


def exit_code(process: BaseProcess, seconds: float | None = None) -> int | None:
    """The exit code of a process, waited for; None when it has not ended in time.

    Whoever starts a process hears of all that have ended, in whichever thread. While that is being done, ``join`` comes back
    before the code is known.
    """
    process.join(seconds)
    deadline = time.monotonic() + HEARD_S
    while process.exitcode is None and time.monotonic() < deadline:
        time.sleep(0.001)
    return process.exitcode


class RoundClock:
    """Seconds of a loop that waits in rounds: the time of its latest ``look``, less the rounds in which it did not run itself.

    All that a round reads is one time, so that a stop of the program counts for nothing wherever in the round it comes.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with the time of ``clock``, in monotonic seconds."""
        self._clock = clock
        self._now_s = self._looked_s = clock()

    def __call__(self) -> float:
        """The time of the latest look."""
        return self._now_s

    def look(self, waited_s: float) -> None:
        """A round is over, which waited for up to so many seconds; if it took much longer, it does not count."""
        looked_s, self._looked_s = self._looked_s, self._clock()
        took_s = self._looked_s - looked_s
        if took_s <= max(0.0, waited_s) + STOPPED_S:
            self._now_s += took_s


def slowness(most: float) -> float:
    """How many times as long as usual things may take now, because more wants to run than there are cores for.

    Between 1 and ``most``; 1 where the system does not tell.
    """
    try:
        wanting = os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows knows no load
        return 1.0
    return max(1.0, min(wanting / (os.cpu_count() or 1), most))


def cpu_wait_s(pid: int | None) -> float:
    """Seconds for which that thread of a process that waited longest for a core has waited in all, though it had work.

    Linux only; 0 elsewhere, and of a process that is gone. One that is stopped or sleeps waits for no core.
    """
    try:
        tasks = [(task / "schedstat").read_text().split() for task in Path(f"/proc/{pid}/task").iterdir()]
        return max(int(waited) for _, waited, _ in tasks) / 1e9
    except (OSError, ValueError):
        return 0.0


@contextlib.contextmanager
def terminal_signals_blocked() -> Iterator[None]:
    """Processes started within never get SIGINT or SIGHUP, which a terminal sends to all that it has: who starts them answers.

    Where that cannot be arranged, not from when they see to it themselves.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
