"""Memory that this process shares with a child process. It has no name, so nothing is left over even if both are killed."""

from __future__ import annotations

import mmap
import os
import secrets
import sys
import tempfile
from multiprocessing import reduction
from typing import Any


class Memory:
    """A block of shared memory, initially zero; pickled as an argument of a new process, it is the same memory there."""

    def __init__(self, size: int, source: int | str | None = None) -> None:
        self._size = size
        if sys.platform == "win32":  # memory has a name there, which disappears with its last user
            self._source = source or f"zoomdream-{secrets.token_hex(8)}"
            self.buffer = mmap.mmap(-1, size, tagname=str(self._source))
        else:
            self._source = _anonymous_file(size) if source is None else source
            self.buffer = mmap.mmap(int(self._source), size)

    def __reduce__(self) -> tuple[Any, ...]:
        source = self._source if sys.platform == "win32" else reduction.DupFd(int(self._source))
        return _received, (self._size, source)

    def close(self) -> None:
        """Release the memory; it is freed when both processes have released it."""
        self.buffer.close()
        if isinstance(self._source, int):
            os.close(self._source)
            self._source = ""


def _anonymous_file(size: int) -> int:
    """Return a descriptor of anonymous memory, or of an unnamed file if the system has no such memory."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("zoomdream")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


def _received(size: int, source: Any) -> Memory:
    return Memory(size, source if isinstance(source, str) else source.detach())
