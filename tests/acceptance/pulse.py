"""How late the machine itself wakes a process that only sleeps: what no program on it could have kept in time.

Virtual machines are at times not run at all for tens of milliseconds; a gap between frames is the program's doing only as far
as it exceeds this.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from multiprocessing.connection import Connection

BEAT_S = 1 / 30


class Pulse:
    """A process of the highest priority to be had that sleeps from beat to beat and does nothing else."""

    def __init__(self) -> None:
        self._near, far = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_beat, args=(far,), daemon=True)
        self._process.start()
        far.close()

    def take(self) -> float:
        """Milliseconds by which it woke late at most since the last call."""
        self._near.send(None)
        return float(self._near.recv())

    def stop(self) -> None:
        """End it."""
        self._near.close()
        self._process.join(5)


def _beat(asked: Connection) -> None:
    with contextlib.suppress(OSError, AttributeError):  # needs the right to it, and Linux
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    due_s, worst_s = time.monotonic(), 0.0
    with contextlib.suppress(EOFError, OSError):
        while True:
            due_s += BEAT_S
            time.sleep(max(0.0, due_s - time.monotonic()))
            worst_s = max(worst_s, time.monotonic() - due_s)
            if asked.poll():
                asked.recv()
                asked.send(1000 * worst_s)
                worst_s = 0.0
