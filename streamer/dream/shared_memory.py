"""Memory that this process shares with one that it starts. It has no name, so nothing of it is left however they die."""

from __future__ import annotations

import mmap
import os
import secrets
import sys
import tempfile
from multiprocessing import reduction
from typing import Any


class Memory:
    """A block of shared memory, all zeros at first; pickled as an argument of a new process, it is the same one there."""

    def __init__(self, size: int, source: int | str | None = None) -> None:
        self._size = size
        if sys.platform == "win32":  # memory there has a name, which goes with its last user
            self._source = source or f"zoomdream-{secrets.token_hex(8)}"
            self.buffer = mmap.mmap(-1, size, tagname=str(self._source))
        else:
            self._source = _anonymous_file(size) if source is None else source
            self.buffer = mmap.mmap(int(self._source), size)

    def __reduce__(self) -> tuple[Any, ...]:
        source = self._source if sys.platform == "win32" else reduction.DupFd(int(self._source))
        return _received, (self._size, source)

    def close(self) -> None:
        """Let go of it; it is gone when both sides have."""
        self.buffer.close()
        if isinstance(self._source, int):
            os.close(self._source)
            self._source = ""


def _anonymous_file(size: int) -> int:
    """A descriptor of memory, or where the system has no such thing of a file without a name."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("zoomdream")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


def _received(size: int, source: Any) -> Memory:
    return Memory(size, source if isinstance(source, str) else source.detach())
