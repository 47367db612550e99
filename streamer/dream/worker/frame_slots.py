"""Pictures from one process to another through shared memory.

A slot belongs to the worker until it says, over the pipe, that a picture lies in it, and again once the renderer says that it
was copied out: nobody ever reads what is being written. When the renderer lags and all slots are taken, pictures are left out,
and the next one after that is the newest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from streamer.dream.shared_memory import Memory

SLOTS = 3
"""One being written, one on its way, one being read."""


STATE_SLOT = SLOTS
"""Number of the place for what is kept of a dream besides its pictures; given back as slots are."""
ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class ArrayPlace:
    """Where an array lies in the place for what is kept."""

    name: str
    offset: int
    shape: tuple[int, ...]
    dtype: str


class FrameSlots:
    """Slots of equal size in one block of shared memory; pickled as an argument of a new process, it is the same one there.

    Args:
        slot_bytes: The largest picture a slot holds.
        kept_bytes: The most that is kept besides.
    """

    def __init__(self, slot_bytes: int, kept_bytes: int = 0, memory: Memory | None = None) -> None:
        self.slot_bytes, self.kept_bytes = slot_bytes, kept_bytes
        self._memory = memory or Memory(SLOTS * slot_bytes + kept_bytes)

    def __reduce__(self) -> tuple[type[FrameSlots], tuple[int, int, Memory]]:
        return FrameSlots, (self.slot_bytes, self.kept_bytes, self._memory)

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

    def write_state(self, arrays: Mapping[str, np.ndarray]) -> tuple[ArrayPlace, ...] | None:
        """Put arrays into the place for what is kept; where they lie, or None where there is no room for them."""
        places, end = [], 0
        for name, array in arrays.items():
            places.append(ArrayPlace(name, end, array.shape, array.dtype.str))
            end += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
        if end > self.kept_bytes:
            return None
        for place, array in zip(places, arrays.values(), strict=True):
            self._at(place)[...] = array
        return tuple(places)

    def read_state(self, places: tuple[ArrayPlace, ...]) -> dict[str, np.ndarray]:
        """Copies of the arrays that lie there, by name."""
        return {place.name: self._at(place).copy() for place in places}

    def _at(self, place: ArrayPlace) -> np.ndarray:
        offset = SLOTS * self.slot_bytes + place.offset  # numpy minds no crooked address
        return np.ndarray(place.shape, np.dtype(place.dtype), self._memory.buffer, offset)

    def close(self) -> None:
        """Let go of the memory; it is gone when both sides have."""
        self._memory.close()
