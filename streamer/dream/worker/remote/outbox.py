"""Holds the worker's reports until the relay fetches them, and decides when the worker may send another picture.

A picture is sent only once the link can take it: until then its slot of the worker's shared memory is held back, and the worker
keeps stepping towards a later, newer picture. So no step is lost, and no picture waits for long.
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
"""Most log records that wait. When full, the oldest are dropped."""


@dataclass(frozen=True, slots=True, eq=False)
class OutgoingKeyframe:
    """A keyframe report with the contents of its slots."""

    keyframe_ready: KeyframeReady
    picture: np.ndarray
    """(H, W, 3) uint8 RGB; with a moving source, its picture below."""
    kept: DreamState | None


class Outbox:
    """The worker's reports, in order. Thread-safe. It holds no more pictures than the window allows.

    Slots belong to the worker (``SLOTS`` of them at first), or are held back here until as many pictures have arrived.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Report | OutgoingKeyframe] = deque()
        self._lent, self._back = SLOTS, deque[int]()
        self._sent = self._acknowledged = 0
        self._window = SLOTS

    def put(self, said: Report | OutgoingKeyframe) -> list[int]:
        """Add a report; return the slots to give back to the worker."""
        with self._changed:
            if isinstance(said, Heartbeat | Busy):  # the new one replaces the old one
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
        """Note the total of arrived pictures, and how many may be in flight; return the slots to give back to the worker."""
        with self._changed:
            self._acknowledged, self._window = max(self._acknowledged, pictures), max(1, window)
            return self._free()

    def take(self, seconds: float) -> list[Report | OutgoingKeyframe]:
        """Return the next reports, up to and including one picture; wait for them, but no longer than ``seconds``."""
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
        """Give back as many slots as pictures may still be sent."""
        freed = []
        while self._back and self._sent - self._acknowledged + self._lent < self._window:
            freed.append(self._back.popleft())
            self._lent += 1
        return freed

    def _records(self) -> int:
        return sum(isinstance(each, logging.LogRecord) for each in self._waiting)

    def _drop(self, kind: type) -> None:
        """Drop the oldest report of a kind."""
        found = next((each for each in self._waiting if isinstance(each, kind)), None)
        if found is not None:
            self._waiting.remove(found)
