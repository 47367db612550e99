"""Reads the kernel's count of out-of-memory kills. Linux only; elsewhere it is unknown."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

LOOK_S = 1.0
"""Seconds between reads of the counter while a process lives. A kill after the last read is taken for the end of it."""
_COUNT = re.compile(r"^oom_kill (\d+)$", re.M)


class OomKillCounter:
    """Watches the number of out-of-memory kills in this process's control group, or else on the machine.

    Args:
        root: The folder that contains ``proc`` and ``sys``.
        clock: Monotonic seconds.
    """

    def __init__(self, root: Path = Path("/"), clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._file = next((file for file in _files(root) if _count(file) is not None), None)
        self._before = self._seen()
        self._looked_s = clock()

    def update_baseline(self) -> None:
        """Take the current count as the baseline while the process is alive. Cheap to call often."""
        if self._clock() - self._looked_s >= LOOK_S:
            self._looked_s, self._before = self._clock(), self._seen()

    def rose(self) -> bool | None:
        """Return whether a process was killed since the baseline because memory ran out; None if that is unknown."""
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
    """Yield the files that may hold the counter, narrowest scope first: control groups v2, v1, then the machine."""
    groups = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, kinds, path = (*line.split(":", 2), "", "")[:3]
        if not kinds:  # in a container the group may be the visible root
            yield from (groups / place / "memory.events" for place in (path.lstrip("/"), ""))
        elif "memory" in kinds.split(","):
            yield from (groups / "memory" / place / "memory.oom_control" for place in (path.lstrip("/"), ""))
    yield root / "proc/vmstat"
