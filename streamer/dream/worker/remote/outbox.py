"""What a worker said and a relay has yet to fetch; and whether the worker may make another picture.

A picture is made only once the link can take it: until then its slot of the worker's shared memory is kept back, the worker
goes on dreaming, and what it does leads to a later picture, which is newer. So nothing that was done is lost, and no picture
waits for long.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from streamer.dream.worker.frame_slots import SLOTS
from streamer.dream.worker.protocol import Busy, Heartbeat, KeyframeReady, Report
from streamer.dream_state import DreamState

MOST_RECORDS = 200
"""Lines for the log that wait. When full: the oldest go."""


@dataclass(frozen=True, slots=True, eq=False)
class OutgoingKeyframe:
    """A shot with what lay in its slots."""

    keyframe_ready: KeyframeReady
    picture: np.ndarray
    """(H, W, 3) uint8 RGB; below it the picture that it rode on, if it did."""
    kept: DreamState | None


class Outbox:
    """In the order in which the worker said it. Thread-safe. There are no more pictures in it than the window has.

    Slots belong to the worker (``SLOTS`` of them at first), or are kept back here until as many pictures have arrived.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Report | OutgoingKeyframe] = deque()
        self._lent, self._back = SLOTS, deque[int]()
        self._sent = self._acknowledged = 0
        self._window = SLOTS

    def put(self, said: Report | OutgoingKeyframe) -> list[int]:
        """Take what the worker said; returns the slots that are its again."""
        with self._changed:
            if isinstance(said, Heartbeat | Busy):  # what it says now goes before what it said
                self._drop(type(said))
            elif isinstance(said, logging.LogRecord) and self._records() >= MOST_RECORDS:
                self._drop(logging.LogRecord)
            self._waiting.append(said)
            if isinstance(said, OutgoingKeyframe):
                self._lent -= 1
                self._sent += 1
                self._back.append(said.keyframe_ready.slot)
            self._changed.notify()
            return self._free()

    def acknowledge(self, pictures: int, window: int) -> list[int]:
        """So many pictures have arrived in all, and so many may be under way; returns the slots that are the worker's again."""
        with self._changed:
            self._acknowledged, self._window = max(self._acknowledged, pictures), max(1, window)
            return self._free()

    def take(self, seconds: float) -> list[Report | OutgoingKeyframe]:
        """What is to be sent next, up to and with one picture; waited for, and nothing where there is nothing in time."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(seconds)
            taken: list[Report | OutgoingKeyframe] = []
            while self._waiting:
                taken.append(self._waiting.popleft())
                if isinstance(taken[-1], OutgoingKeyframe):
                    break
            return taken

    def _free(self) -> list[int]:
        """Give back as many slots as pictures may still be made."""
        freed = []
        while self._back and self._sent - self._acknowledged + self._lent < self._window:
            freed.append(self._back.popleft())
            self._lent += 1
        return freed

    def _records(self) -> int:
        return sum(isinstance(each, logging.LogRecord) for each in self._waiting)

    def _drop(self, kind: type) -> None:
        """Leave out the oldest of a kind."""
        found = next((each for each in self._waiting if isinstance(each, kind)), None)
        if found is not None:
            self._waiting.remove(found)
