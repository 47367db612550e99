"""Whether the system ended processes for want of memory, as Linux counts it; elsewhere nobody can tell."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

LOOK_S = 1.0
"""Seconds from one look at the counters to the next while a process lives: what is counted after the last was its end."""
_COUNT = re.compile(r"^oom_kill (\d+)$", re.M)


class OomKillCounter:
    """Watches the counter of processes that were ended for want of memory, in this process's group, or else on the machine.

    Args:
        root: Where the file systems ``/proc`` and ``/sys`` are found.
        clock: Monotonic seconds.
    """

    def __init__(self, root: Path = Path("/"), clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._file = next((file for file in _files(root) if _count(file) is not None), None)
        self._before = self._seen()
        self._looked_s = clock()

    def look(self) -> None:
        """The process lives: what is counted so far was not its end. It is cheap to call often."""
        if self._clock() - self._looked_s >= LOOK_S:
            self._looked_s, self._before = self._clock(), self._seen()

    def rose(self) -> bool | None:
        """Whether a process was ended for want of memory since the last look; None where that cannot be known."""
        before, self._before = self._before, self._seen()
        return None if before is None or self._before is None else self._before > before

    def _seen(self) -> int | None:
        return None if self._file is None else _count(self._file)


def _count(file: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        found = _COUNT.search(file.read_text())
        return None if found is None else int(found[1])
    return None


def _files(root: Path) -> Iterator[Path]:
    """Where it may be counted, the narrowest first: control groups of version 2, of version 1, the machine."""
    groups = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, kinds, path = (*line.split(":", 2), "", "")[:3]
        if not kinds:  # in a container the group may be the root of what is seen
            yield from (groups / place / "memory.events" for place in (path.lstrip("/"), ""))
        elif "memory" in kinds.split(","):
            yield from (groups / "memory" / place / "memory.oom_control" for place in (path.lstrip("/"), ""))
    yield root / "proc/vmstat"
