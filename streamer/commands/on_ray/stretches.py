"""Takes the items of a dream that nodes render in stretches."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import numpy as np

from streamer.commands.on_ray.node import Stretch
from streamer.commands.on_ray.node_pool import NodeTask

T = TypeVar("T")

FIRST = 2
"""Items of the first stretch, before their duration is known."""
MOST_BYTES = 64 << 20
"""Most bytes of pictures in a stretch."""

Ask = Callable[[bytes | None, int], NodeTask[Stretch[T]] | None]
"""Requests the stretch after a state (None for the first), of about that many items; returns None if there is none."""


class StretchPace:
    """Chooses the number of items of a stretch for a duration, from earlier stretches. Thread-safe."""

    def __init__(self, stretch_s: float, item_bytes: int, one_s: float | None = None) -> None:
        """Prepare for items of a size in bytes, each of which takes ``one_s`` seconds if that is known."""
        self._stretch_s, self._most = stretch_s, max(1, MOST_BYTES // max(1, item_bytes))
        self._one_s, self._lock = one_s, threading.Lock()

    def learn(self, items: int, seconds: float) -> None:
        """Record a finished stretch."""
        with self._lock:
            one_s = seconds / max(1, items)
            self._one_s = one_s if self._one_s is None else (self._one_s + one_s) / 2

    def items(self) -> int:
        """Return the number of items of the next stretch."""
        with self._lock:
            wanted = FIRST if self._one_s is None else int(self._stretch_s / max(1e-6, self._one_s))
            return max(1, min(self._most, wanted))


class Stretches(Iterator[T], Generic[T]):
    """The items of a dream; the next stretch is rendered while the items of one are taken.

    Can be saved (see ``saved_state``) where ``can_checkpoint``.
    """

    CHANGES = ("_state",)

    def __init__(self, ask: Ask[T], pace: StretchPace) -> None:
        self._ask, self._pace = ask, pace
        self._state: np.ndarray | None = None  # after the last stretch that was taken
        self._next_state: bytes | None = None
        self._items: deque[T] = deque()
        self._coming: NodeTask[Stretch[T]] | None = None
        self._begun = False

    @property
    def can_checkpoint(self) -> bool:
        """Whether all received items are taken."""
        return not self._items

    def more(self) -> bool:
        """Return whether there is another item; assumed before the dream has started."""
        return bool(self._items) or self._coming is not None or not self._begun

    def __next__(self) -> T:
        if not self._items:
            self._take()
        item = self._items.popleft()
        if not self._items:
            self._state = None if self._next_state is None else np.frombuffer(self._next_state, np.uint8)
        return item

    def _take(self) -> None:
        if not self._begun:
            self._begun = True
            self._coming = self._ask(None if self._state is None else self._state.tobytes(), self._pace.items())
        if self._coming is None:
            raise StopIteration
        stretch = self._coming.result()
        self._pace.learn(len(stretch.items), stretch.seconds)
        self._items.extend(stretch.items)
        self._next_state = stretch.state
        self._coming = None if stretch.state is None else self._ask(stretch.state, self._pace.items())
