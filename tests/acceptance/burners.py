"""Other programs that take the machine: one process for each core that does nothing but compute.

Linux shares a core out among sessions first (autogroup, where control groups do not say otherwise), and goes by niceness only
within one. Burners of a session of their own therefore compete with the whole stream as one, those of its session with each of
its threads.
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
"""A burner ends by itself after so long, whatever became of who started it."""


class Burners:
    """As many as there are cores, from its beginning to ``stop``; in a session of their own."""

    def __init__(self, number: int | None = None, niceness: int = 0) -> None:
        call = [sys.executable, "-m", "tests.acceptance.burners", str(niceness)]
        count = len(os.sched_getaffinity(0)) if number is None else number
        self._processes = [subprocess.Popen(call, start_new_session=True) for _ in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End them."""
        for process in self._processes:
            process.kill()
            process.wait()


def beside(switch: Path, number: int | None = None) -> list[str]:
    """A command to start a stream through: burners share its session, and burn while the file ``switch`` is there."""
    count = len(os.sched_getaffinity(0)) if number is None else number
    return [sys.executable, "-m", "tests.acceptance.burners", "--beside", str(switch), str(count), "--"]


def burn(seconds: float) -> None:
    """Compute for so long."""
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
    """Burn, or start burners beside a command and become that."""
    if sys.argv[1] == "--beside":
        for _ in range(int(sys.argv[3])):
            multiprocessing.get_context("fork").Process(target=_wait_and_burn, args=(Path(sys.argv[2]),)).start()
        os.execvp(sys.argv[5], sys.argv[5:])
    os.nice(int(sys.argv[1]))
    burn(MOST_S)


if __name__ == "__main__":
    main()
