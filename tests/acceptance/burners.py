"""CPU load from other programs: one process per core that does nothing but compute.

Linux divides a core between sessions first (autogroup, unless control groups override it), and uses niceness only within a
session. Burners in their own session therefore compete with the stream as a whole; burners in the stream's session compete
with each of its threads.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

MOST_S = 900.0
"""Seconds after which a burner ends by itself, even if its parent died."""


class Burners:
    """Burners that run until ``stop``, each in its own session; by default one per core."""

    def __init__(self, number: int | None = None, niceness: int = 0) -> None:
        call = [sys.executable, "-m", "tests.acceptance.burners", str(niceness)]
        count = len(os.sched_getaffinity(0)) if number is None else number
        self._processes = [subprocess.Popen(call, start_new_session=True) for _ in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End all burners."""
        for process in self._processes:
            process.kill()
            process.wait()


def beside(switch: Path, number: int | None = None) -> list[str]:
    """Return a command prefix to start a stream: burners share its session, and burn while the file ``switch`` exists."""
    count = len(os.sched_getaffinity(0)) if number is None else number
    return [sys.executable, "-m", "tests.acceptance.burners", "--beside", str(switch), str(count), "--"]


def burn(seconds: float) -> None:
    """Compute for this many seconds."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        sum(range(20000))


def _wait_and_burn(switch: Path) -> None:
    end_s, parent = time.monotonic() + MOST_S, os.getppid()
    while time.monotonic() < end_s and os.getppid() == parent:
        if switch.exists():
            burn(0.1)
        else:
            time.sleep(0.1)


def main() -> None:
    """Burn, or start burners and exec the command that follows ``--beside``."""
    if sys.argv[1] == "--beside":
        for _ in range(int(sys.argv[3])):
            multiprocessing.get_context("fork").Process(target=_wait_and_burn, args=(Path(sys.argv[2]),)).start()
        os.execvp(sys.argv[5], sys.argv[5:])
    os.nice(int(sys.argv[1]))
    burn(MOST_S)


if __name__ == "__main__":
    main()
