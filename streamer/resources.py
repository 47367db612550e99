"""Measures the resources that this program uses. Linux only; elsewhere they are unknown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Resources:
    """Resources in use, at one moment."""

    memory_bytes: int
    """Resident memory of this process."""
    children_bytes: int
    """Resident memory of all descendants, such as workers and the chat bot. Shared memory counts in each."""
    children: int
    """Number of descendants."""
    threads: int
    descriptors: int


def held() -> Resources | None:
    """Return the resources in use now; None if the system does not report them."""
    try:
        children = list(_descendants(os.getpid()))
        return Resources(
            _resident(os.getpid()),
            sum(map(_resident_of_any, children)),
            len(children),
            len(list(PROC.joinpath("self", "task").iterdir())),
            len(list(PROC.joinpath("self", "fd").iterdir())) - 1,  # without the folder being read
        )
    except OSError:
        return None


def _descendants(process: int) -> Iterator[int]:
    """Yield all descendants of a process; those that start or end meanwhile may be missing."""
    for file in PROC.glob(f"{process}/task/*/children"):
        try:
            found = [int(number) for number in file.read_text().split()]
        except OSError:  # it has ended meanwhile
            continue
        for child in found:
            yield child
            yield from _descendants(child)


def _resident(process: int) -> int:
    return int(PROC.joinpath(str(process), "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _resident_of_any(process: int) -> int:
    try:
        return _resident(process)
    except OSError:
        return 0
