"""Passes the newest picture of a moving source from this process to the worker, through shared memory.

Neither side waits: one writes each new picture, the other reads the newest when it needs one. Pictures are written to three
slots in turn, each between two copies of its number. If the reader finds different numbers, because the writer has reused the
slot meanwhile, it reads the picture that is newest then.
"""

from __future__ import annotations

import struct

import numpy as np

from streamer.dream.shared_memory import Memory
from streamer.messages.keyframes import SourcePicture

SLOTS = 3
HEAD = struct.Struct("<q")
"""Number of the newest picture; 0 before the first."""
MARK = struct.Struct("<qdii")
"""Number, time, height, width: before a slot's picture, and after it."""
TRIES = 8


class PictureFeed:
    """A channel with one writer and one reader; pickled as an argument of a new process, it is the same channel there.

    Args:
        largest: (height, width) of the largest picture.
    """

    def __init__(self, largest: tuple[int, int], memory: Memory | None = None) -> None:
        self.largest = largest
        """(height, width) of the largest picture."""
        self._slot_bytes = 2 * MARK.size + largest[0] * largest[1] * 3
        self._memory = memory or Memory(HEAD.size + SLOTS * self._slot_bytes)

    def __reduce__(self) -> tuple[type[PictureFeed], tuple[tuple[int, int], Memory]]:
        return PictureFeed, (self.largest, self._memory)

    def put(self, picture: SourcePicture) -> None:
        """Write the newest picture; its number must be above 0 and above all earlier ones.

        Raises:
            ValueError: it is larger than ``largest``.
        """
        height, width = picture.image.shape[:2]
        if height * width > self.largest[0] * self.largest[1]:
            raise ValueError(f"a picture of {width}x{height} is larger than {self.largest[1]}x{self.largest[0]}")
        start = self._start(picture.number)
        mark = (picture.number, picture.time_s, height, width)
        memory = self._memory.buffer
        MARK.pack_into(memory, start, *mark)
        np.ndarray((height, width, 3), np.uint8, memory, start + MARK.size)[...] = picture.image
        MARK.pack_into(memory, start + self._slot_bytes - MARK.size, *mark)
        HEAD.pack_into(memory, 0, picture.number)

    def newest(self, after: int = 0) -> SourcePicture | None:
        """Return a copy of the newest picture; None if there is none with a number above ``after``."""
        memory = self._memory.buffer
        for _ in range(TRIES):
            (number,) = HEAD.unpack_from(memory, 0)
            if number <= after:
                return None
            start = self._start(number)
            mark = MARK.unpack_from(memory, start)
            height, width = mark[2:]
            if mark[0] != number or height * width > self.largest[0] * self.largest[1]:
                continue
            image = np.ndarray((height, width, 3), np.uint8, memory, start + MARK.size).copy()
            if mark == MARK.unpack_from(memory, start) == MARK.unpack_from(memory, start + self._slot_bytes - MARK.size):
                return SourcePicture(image, number, mark[1])
        return None  # written faster than it can be read: the caller keeps the last one

    def close(self) -> None:
        """Release the memory; it is freed when both processes have released it."""
        self._memory.close()

    def _start(self, number: int) -> int:
        return HEAD.size + number % SLOTS * self._slot_bytes
