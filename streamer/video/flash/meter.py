"""Counts flashes, frame by frame, by the definition of WCAG 2.2, success criterion 2.3.1.

A *general flash* is a pair of opposing changes of relative luminance, each by 10 % or more of the maximum, where the darker
state is below 0.80; a *red flash* is a pair of opposing changes to or from a saturated red. More than three in one second,
concurrently over more than a quarter of a field of 10 degrees, are too many.

What concurrent means is left open there. Here a field counts in two ways: the frames in which much of it, down to the smallest
place, turns at once; and how often each of its places of a degree turns, in step with others or not. Fine texture that moves
turns every place of it, but neither at once nor over a degree.

Source: W3C, Web Content Accessibility Guidelines 2.2, 2024, 'general flash and red flash thresholds'. Nearly all limits here
are tighter than the source's, so that rounding, scaling and encoding afterwards don't reach them.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from streamer.video.flash.light import Glance
from streamer.video.flash.places import NOWHERE, Places, Turns, above, where

AREA = 0.20
"""Part of a field that must turn at once to count; the source says a quarter."""
COARSE_AREA = 0.25
"""The same for places of a degree, which count even where only a part of them flashes."""
ANY = 0.004
"""Part of a field that is more than nothing."""
TURNS = 6
"""Turns that one place of a degree may make in a second: three pairs."""
EVENTS = 3
"""Frames in a second in which a field may brighten again, and in which it may darken again, wherever in it."""
HELD_TURNS, HELD_EVENTS = 2, 1
"""The same while a part of the video is held back: it drifts then, and when exactly a drift becomes a change is uncertain."""
FIELD_HEIGHT, FIELD_ASPECT = 1 / 3, 341 / 256
"""Ten degrees: 341x256 pixels of a screen with 768 lines, which the picture fills from top to bottom."""
TOGETHER_S = 1 / 30
"""Turns within this time count together where one frame's would not be enough."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What one picture would do to the counts."""

    fine: Turns
    coarse: Turns
    brightening: np.ndarray
    darkening: np.ndarray
    """Flat indices of the fields for which it is an event."""
    danger: np.ndarray | None
    """(h, w) uint8 on the fine grid, 255 at the middle of each field where it would be one flash too many; None if nowhere."""


class Meter:
    """Keeps the counts of the last second for one sequence of pictures. ``judge`` looks ahead, ``commit`` takes it as shown."""

    def __init__(self, first: Glance, fps: float) -> None:
        """Begin with a picture, of a video of ``fps`` frames a second."""
        self._fps = fps
        self._merge = max(1, round(TOGETHER_S * fps))
        self._fine, self._coarse = Places(first.fine), Places(first.coarse)
        self._field, self._coarse_field = _Field(self._fine.size, AREA), _Field(self._coarse.size, COARSE_AREA)
        self._brightened = np.zeros(self._field.positions, np.uint8)
        self._darkened = np.zeros(self._field.positions, np.uint8)
        self._second: deque[tuple[int, Change]] = deque()
        self._number = 0

    def copy(self) -> Meter:
        """The same, to go its own way."""
        other = object.__new__(Meter)
        other.__dict__.update(self.__dict__)
        other._fine, other._coarse = self._fine.copy(), self._coarse.copy()
        other._brightened, other._darkened = self._brightened.copy(), self._darkened.copy()
        other._second = deque(self._second)
        return other

    def advance(self, number: int) -> None:
        """Go to a frame; what is a second old is forgotten."""
        self._number, old = number, number - self._fps
        self._fine.forget(old)
        self._coarse.forget(old)
        while self._second and self._second[0][0] <= old:
            change = self._second.popleft()[1]
            self._brightened.reshape(-1)[change.brightening] -= 1
            self._darkened.reshape(-1)[change.darkening] -= 1

    def judge(self, glance: Glance, *, held: bool = False) -> Change:
        """Tell what a picture would do, by the limits for when the video is held back or not; nothing is counted yet."""
        fine, coarse = self._fine.judge(glance.fine), self._coarse.judge(glance.coarse)
        brightening = self._events(fine.brighter, "brighter", "brightening")
        darkening = self._events(fine.darker, "darker", "darkening")
        danger = self._danger(coarse, brightening, darkening, held)
        return Change(fine, coarse, brightening, darkening, danger)

    def commit(self, change: Change) -> None:
        """Count what was judged."""
        self._fine.commit(self._number, change.fine)
        self._coarse.commit(self._number, change.coarse)
        if change.fine.places.size or change.brightening.size or change.darkening.size:
            self._brightened.reshape(-1)[change.brightening] += 1
            self._darkened.reshape(-1)[change.darkening] += 1
            self._second.append((self._number, change))

    def around(self, danger: np.ndarray, margin: int) -> np.ndarray:
        """The places of the fields in danger, with a margin whose outer half fades: (h, w) float32 0..1."""
        high, wide = self._field.shape
        kernel = np.ones((high + 4 * margin + 1, wide + 4 * margin + 1), np.uint8)
        reached = cv2.dilate(danger, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        soft = cv2.blur(reached, (2 * margin + 1, 2 * margin + 1), borderType=cv2.BORDER_REPLICATE)
        return np.asarray(soft, np.float32) / 255

    def _events(self, places: np.ndarray, of_places: str, of_fields: str) -> np.ndarray:
        """The fields that brighten (or darken) now: with this frame, or with it and those just before, if they did not then."""
        fields = self._fields_with([places])
        recent = [change for number, change in self._second if number > self._number - self._merge]
        parts = [places, *(getattr(change.fine, of_places) for change in recent)]
        together = self._fields_with(parts) if recent else None
        if together is None:
            return NOWHERE if fields is None else where(fields)
        for change in recent:
            together.reshape(-1)[getattr(change, of_fields)] = 0
        return where(together if fields is None else cv2.bitwise_or(together, fields))

    def _fields_with(self, parts: list[np.ndarray]) -> np.ndarray | None:
        """255 for each field of which these places are more than the allowed part; None where they are too few for any."""
        if sum(part.size for part in parts) <= self._field.least:
            return None
        mask = np.zeros(self._fine.size, np.uint8)
        for part in parts:
            mask.reshape(-1)[part] = 255
        return self._field.over(mask)

    def _danger(self, coarse: Turns, brightening: np.ndarray, darkening: np.ndarray, held: bool) -> np.ndarray | None:
        """Where the counts would be too high; when held back, only where this picture adds to them."""
        found = np.zeros(self._field.positions, np.uint8)
        for count, more in ((self._brightened, brightening), (self._darkened, darkening)):
            if not held:
                found[count > EVENTS] = 255
            found.reshape(-1)[more[count.reshape(-1)[more] >= (HELD_EVENTS if held else EVENTS)]] = 255
        danger = self._field.middles(found) if cv2.countNonZero(found) else None
        turns = cv2.add(self._coarse.turns, cv2.threshold(coarse.changing, 0, 1, cv2.THRESH_BINARY)[1])
        busy = above(turns, (HELD_TURNS if held else TURNS) / 255)
        if cv2.countNonZero(busy) <= self._coarse_field.least:
            return danger
        often = self._coarse_field.over(busy)
        if held:
            often = cv2.bitwise_and(often, self._coarse_field.over(cv2.bitwise_and(busy, coarse.changing), ANY))
        if not cv2.countNonZero(often):
            return danger
        middles = self._coarse_field.middles(often)
        enlarged = cv2.resize(middles, self._fine.size[::-1], interpolation=cv2.INTER_NEAREST)
        return enlarged if danger is None else cv2.bitwise_or(danger, enlarged)


class _Field:
    """Ten degrees on a grid, at every position where it fits."""

    def __init__(self, grid: tuple[int, int], part: float) -> None:
        self._grid, self._part = grid, part
        high = max(1, round(grid[0] * FIELD_HEIGHT))
        self.shape = (high, min(grid[1], max(1, round(high * FIELD_ASPECT))))
        self.positions = (grid[0] - self.shape[0] + 1, grid[1] - self.shape[1] + 1)
        self.least = int(part * self.shape[0] * self.shape[1])
        """Places that are not too many even if all lie in one field."""
        (high, wide), (rows, columns) = self.shape, self.positions
        self._inside = (slice(high // 2, high // 2 + rows), slice(wide // 2, wide // 2 + columns))

    def over(self, mask: np.ndarray, part: float | None = None) -> np.ndarray:
        """255 for each position where more than the allowed, or this, part of the field is marked."""
        share = cv2.blur(mask, self.shape[::-1], borderType=cv2.BORDER_CONSTANT)
        return above(np.ascontiguousarray(share[self._inside]), self._part if part is None else part)

    def middles(self, positions: np.ndarray) -> np.ndarray:
        """Positions marked at the places in the middle of the field."""
        marked = np.zeros(self._grid, np.uint8)
        marked[self._inside] = positions
        return marked
