"""Pictures from one process to another through shared memory.

A slot belongs to the worker until it says, over the pipe, that a picture lies in it, and again once the renderer says that it
was copied out: nobody ever reads what is being written. When the renderer lags and all slots are taken, pictures are left out,
and the next one after that is the newest.
"""

from __future__ import annotations

import numpy as np

from streamer.dream.worker.memory import Memory

SLOTS = 3
"""One being written, one on its way, one being read."""


class Ring:
    """Slots of equal size in one block of shared memory; pickled as an argument of a new process, it is the same one there.

    Args:
        slot_bytes: The largest picture a slot holds.
    """

    def __init__(self, slot_bytes: int, memory: Memory | None = None) -> None:
        self.slot_bytes = slot_bytes
        self._memory = memory or Memory(SLOTS * slot_bytes)

    def __reduce__(self) -> tuple[type[Ring], tuple[int, Memory]]:
        return Ring, (self.slot_bytes, self._memory)

    def write(self, slot: int, image: np.ndarray) -> None:
        """Put an (H, W, 3) uint8 picture into a slot.

        Raises:
            ValueError: it does not fit.
        """
        if image.nbytes > self.slot_bytes:
            raise ValueError(f"a picture of {image.shape} does not fit into {self.slot_bytes} bytes")
        np.ndarray(image.shape, np.uint8, self._memory.buffer, slot * self.slot_bytes)[...] = image

    def read(self, slot: int, size: tuple[int, int]) -> np.ndarray:
        """A copy, (H, W, 3) uint8, of the (height, width) picture in a slot."""
        return np.ndarray((*size, 3), np.uint8, self._memory.buffer, slot * self.slot_bytes).copy()

    def close(self) -> None:
        """Let go of the memory; it is gone when both sides have."""
        self._memory.close()
