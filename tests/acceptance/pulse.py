"""Measure how late the machine wakes a process that only sleeps: no program can be more punctual.

Virtual machines sometimes stand still for tens of milliseconds. The program causes a gap between frames only as far as the
gap exceeds this delay.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from multiprocessing.connection import Connection

BEAT_S = 1 / 30


class Pulse:
    """A process of the highest available priority that only sleeps from beat to beat."""

    def __init__(self) -> None:
        self._near, far = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_beat, args=(far,), daemon=True)
        self._process.start()
        far.close()

    def take(self) -> float:
        """Return the largest delay since the last call, in milliseconds."""
        self._near.send(None)
        return float(self._near.recv())

    def stop(self) -> None:
        """End the process."""
        self._near.close()
        self._process.join(5)


def _beat(asked: Connection) -> None:
    with contextlib.suppress(OSError, AttributeError):  # needs Linux and the right to do so
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
