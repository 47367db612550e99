"""Pictures from one process to another through shared memory.

A slot belongs to the worker until it says, over the pipe, that a picture lies in it, and again once the renderer says that it
was copied out: nobody ever reads what is being written. When the renderer lags and all slots are taken, pictures are left out,
and the next one after that is the newest.
"""

from __future__ import annotations

import os
import secrets
from multiprocessing.shared_memory import SharedMemory

import numpy as np

SLOTS = 3
"""One being written, one on its way, one being read."""
PREFIX = "zoomdream-"
"""Of the memory's name, which goes on with the process that made it."""


class Ring:
    """Slots of equal size in one block of shared memory.

    Its owner removes the block's name as soon as the other side has opened it. The memory then lives as long as one of the two,
    however they die.
    """

    def __init__(self, memory: SharedMemory, slot_bytes: int, *, owner: bool) -> None:
        self._memory, self._slot_bytes, self._named = memory, slot_bytes, owner

    @classmethod
    def create(cls, slot_bytes: int) -> Ring:
        """A new ring, whose creator owns its name."""
        name = f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}"  # macOS takes 30 characters
        return cls(SharedMemory(name, create=True, size=SLOTS * slot_bytes), slot_bytes, owner=True)

    @classmethod
    def open(cls, name: str, slot_bytes: int) -> Ring:
        """The ring of another process."""
        return cls(SharedMemory(name), slot_bytes, owner=False)

    @property
    def name(self) -> str:
        """What ``open`` needs to find it."""
        return self._memory.name

    @property
    def slot_bytes(self) -> int:
        """The largest picture a slot holds."""
        return self._slot_bytes

    def write(self, slot: int, image: np.ndarray) -> None:
        """Put an (H, W, 3) uint8 picture into a slot.

        Raises:
            ValueError: it does not fit.
        """
        if image.nbytes > self._slot_bytes:
            raise ValueError(f"a picture of {image.shape} does not fit into {self._slot_bytes} bytes")
        np.ndarray(image.shape, np.uint8, self._memory.buf, slot * self._slot_bytes)[...] = image

    def read(self, slot: int, size: tuple[int, int]) -> np.ndarray:
        """A copy, (H, W, 3) uint8, of the picture in a slot."""
        return np.ndarray((*size, 3), np.uint8, self._memory.buf, slot * self._slot_bytes).copy()

    def unlink(self) -> None:
        """Remove the name; both sides keep the memory. Once only, by the owner."""
        if self._named:
            self._named = False
            self._memory.unlink()

    def close(self) -> None:
        """Let go of the memory, and of the name if it is still there."""
        self.unlink()
        self._memory.close()
