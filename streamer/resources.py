"""What this program takes of the machine, as Linux tells it; nothing elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Resources:
    """What it holds at one moment."""

    memory_bytes: int
    """Of this process, resident."""
    children_bytes: int
    """Of all processes that it has started, and those that they have: dreaming, the chat bot, connections to servers. What they
    share is counted in each."""
    children: int
    """How many these are."""
    threads: int
    descriptors: int


def held() -> Resources | None:
    """What the program holds now; None where the system does not tell."""
    try:
        children = list(_descendants(os.getpid()))
        return Resources(
            _resident(os.getpid()),
            sum(map(_resident_of_any, children)),
            len(children),
            len(list(PROC.joinpath("self", "task").iterdir())),
            len(list(PROC.joinpath("self", "fd").iterdir())) - 1,  # that of the folder being read
        )
    except OSError:
        return None


def _descendants(process: int) -> Iterator[int]:
    """All processes below one; those that begin or end meanwhile may be missing."""
    for file in PROC.glob(f"{process}/task/*/children"):
        try:
            found = [int(number) for number in file.read_text().split()]
        except OSError:  # gone since
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
