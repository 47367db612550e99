"""Passes pictures from one process to another through shared memory.

A slot belongs to the worker until it reports, over the pipe, that the slot holds a picture, and again once the renderer reports
that it has copied the picture: so nothing is read while it is written. When the renderer lags and all slots are taken, pictures
are skipped, and the next one sent is the newest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from streamer.dream.shared_memory import Memory

SLOTS = 3
"""Number of slots: one being written, one in transit, one being read."""


STATE_SLOT = SLOTS
"""Number of the slot for the dream's state; it is freed like the other slots."""
ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class ArrayPlace:
    """Where an array is in the state slot."""

    name: str
    offset: int
    shape: tuple[int, ...]
    dtype: str


class FrameSlots:
    """Slots of equal size, and one for the dream's state, in a block of shared memory.

    Pickled as an argument of a new process, it refers to the same memory there.

    Args:
        slot_bytes: Size of the largest picture.
        kept_bytes: Size of the state slot.
    """

    def __init__(self, slot_bytes: int, kept_bytes: int = 0, memory: Memory | None = None) -> None:
        self.slot_bytes, self.kept_bytes = slot_bytes, kept_bytes
        self._memory = memory or Memory(SLOTS * slot_bytes + kept_bytes)

    def __reduce__(self) -> tuple[type[FrameSlots], tuple[int, int, Memory]]:
        return FrameSlots, (self.slot_bytes, self.kept_bytes, self._memory)

    def write(self, slot: int, image: np.ndarray) -> None:
        """Write an (H, W, 3) uint8 picture to a slot.

        Raises:
            ValueError: it does not fit.
        """
        if image.nbytes > self.slot_bytes:
            raise ValueError(f"a picture of {image.shape} does not fit into {self.slot_bytes} bytes")
        np.ndarray(image.shape, np.uint8, self._memory.buffer, slot * self.slot_bytes)[...] = image

    def read(self, slot: int, size: tuple[int, int]) -> np.ndarray:
        """Return a copy, (H, W, 3) uint8, of the picture of (height, width) in a slot."""
        return np.ndarray((*size, 3), np.uint8, self._memory.buffer, slot * self.slot_bytes).copy()

    def write_state(self, arrays: Mapping[str, np.ndarray]) -> tuple[ArrayPlace, ...] | None:
        """Write arrays to the state slot; return where they are, or None if they do not fit."""
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
        """Return copies of arrays in the state slot, by name."""
        return {place.name: self._at(place).copy() for place in places}

    def _at(self, place: ArrayPlace) -> np.ndarray:
        offset = SLOTS * self.slot_bytes + place.offset  # may be unaligned, which numpy allows
        return np.ndarray(place.shape, np.dtype(place.dtype), self._memory.buffer, offset)

    def close(self) -> None:
        """Release the memory; it is freed once both sides have done so."""
        self._memory.close()
