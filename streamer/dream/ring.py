"""Pictures from one process to another through shared memory.

A slot belongs to the worker until it says, over the pipe, that a picture lies in it, and again once the renderer says that it
was copied out: nobody ever reads what is being written. When the renderer lags and all slots are taken, pictures are left out,
and the next one after that is the newest.

The memory has no name, so nothing of it is left however its processes die.
"""

from __future__ import annotations

import mmap
import os
import secrets
import sys
import tempfile
from multiprocessing import reduction
from typing import Any

import numpy as np

SLOTS = 3
"""One being written, one on its way, one being read."""


class Ring:
    """Slots of equal size in one block of shared memory; pickled as an argument of a new process, it is the same one there.

    Args:
        slot_bytes: The largest picture a slot holds.
    """

    def __init__(self, slot_bytes: int, source: int | str | None = None) -> None:
        self.slot_bytes = slot_bytes
        size = SLOTS * slot_bytes
        if sys.platform == "win32":  # memory there has a name, which goes with its last user
            self._source = source or f"zoomdream-{secrets.token_hex(8)}"
            self._memory = mmap.mmap(-1, size, tagname=str(self._source))
        else:
            self._source = _anonymous_file(size) if source is None else source
            self._memory = mmap.mmap(int(self._source), size)

    def __reduce__(self) -> tuple[Any, ...]:
        source = self._source if sys.platform == "win32" else reduction.DupFd(int(self._source))
        return _received, (self.slot_bytes, source)

    def write(self, slot: int, image: np.ndarray) -> None:
        """Put an (H, W, 3) uint8 picture into a slot.

        Raises:
            ValueError: it does not fit.
        """
        if image.nbytes > self.slot_bytes:
            raise ValueError(f"a picture of {image.shape} does not fit into {self.slot_bytes} bytes")
        np.ndarray(image.shape, np.uint8, self._memory, slot * self.slot_bytes)[...] = image

    def read(self, slot: int, size: tuple[int, int]) -> np.ndarray:
        """A copy, (H, W, 3) uint8, of the (height, width) picture in a slot."""
        return np.ndarray((*size, 3), np.uint8, self._memory, slot * self.slot_bytes).copy()

    def close(self) -> None:
        """Let go of the memory; it is gone when both sides have."""
        self._memory.close()
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


def _received(slot_bytes: int, source: Any) -> Ring:
    return Ring(slot_bytes, source if isinstance(source, str) else source.detach())
