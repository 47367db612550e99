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

from streamer.video.flash.grid_turns import Places, Turns, above, where
from streamer.video.flash.light import Glance

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
FIELD_HEIGHT, FIELD_WIDTH, FIELD_ASPECT = 1 / 3, 1 / 3, 341 / 256
"""Ten degrees are 341x256 pixels of a screen of 1024x768: these parts of one that the picture fills, whatever its shape, and so
wide for their height on one that it fills from top to bottom. Both count: light at both ends of the wider one may be too little
in any of the narrower."""
TOGETHER_S, HELD_TOGETHER_S = 1 / 30, 0.2
"""Turns within this time count together where one frame's would not be enough; and while a part of the video is held back,
whose drift reaches the threshold here a few frames later than there."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What one picture would do to the counts."""

    fine: Turns
    coarse: Turns
    brightening: tuple[np.ndarray, ...]
    darkening: tuple[np.ndarray, ...]
    """Flat indices of the fields, by their shape, for which it is an event."""
    danger: np.ndarray | None
    """(h, w) uint8 on the fine grid, 255 in each field where it would be one flash too many; None if nowhere."""

    @property
    def counts(self) -> bool:
        """Whether it changes any count."""
        return any(part.size for part in (self.fine.places, self.coarse.places, *self.brightening, *self.darkening))


class Meter:
    """Keeps the counts of the last second for one sequence of pictures. ``judge`` looks ahead, ``commit`` takes it as shown."""

    def __init__(self, first: Glance, fps: float) -> None:
        """Begin with a picture, of a video of ``fps`` frames a second."""
        self._fps = fps
        self._fine, self._coarse = Places(first.fine), Places(first.coarse)
        self._fields, self._coarse_fields = _fields(self._fine.size, AREA), _fields(self._coarse.size, COARSE_AREA)
        self._brightened = [np.zeros(field.positions, np.uint8) for field in self._fields]
        self._darkened = [np.zeros(field.positions, np.uint8) for field in self._fields]
        self._turns = np.zeros(self._coarse.size, np.uint8)  # of each place of a degree within the last second
        self._second: deque[tuple[int, Change]] = deque()
        self._number = 0

    def copy(self) -> Meter:
        """The same, to go its own way."""
        other = object.__new__(Meter)
        other.__dict__.update(self.__dict__)
        other._fine, other._coarse = self._fine.copy(), self._coarse.copy()
        other._brightened = [count.copy() for count in self._brightened]
        other._darkened = [count.copy() for count in self._darkened]
        other._turns = self._turns.copy()
        other._second = deque(self._second)
        return other

    def advance(self, number: int) -> None:
        """Go to a frame; what is a second old is forgotten."""
        self._number, old = number, number - self._fps
        while self._second and self._second[0][0] <= old:
            self._count(self._second.popleft()[1], np.subtract)

    def judge(self, glance: Glance, *, held: bool = False) -> Change:
        """Tell what a picture would do, by the limits for when the video is held back or not; nothing is counted yet."""
        since = self._number - self._fps  # a pair of changes exactly a second apart is a flash, too
        fine, coarse = self._fine.judge(glance.fine, since), self._coarse.judge(glance.coarse, since)
        brightening = self._events(fine.brighter, "brighter", "brightening", held)
        darkening = self._events(fine.darker, "darker", "darkening", held)
        danger = self._danger(coarse, brightening, darkening, held)
        return Change(fine, coarse, brightening, darkening, danger)

    def commit(self, change: Change) -> None:
        """Count what was judged."""
        self._fine.commit(self._number, change.fine)
        self._coarse.commit(self._number, change.coarse)
        if change.counts:
            self._count(change, np.add)
            self._second.append((self._number, change))

    def _count(self, change: Change, by: np.ufunc) -> None:
        for count, more in zip((*self._brightened, *self._darkened), (*change.brightening, *change.darkening), strict=True):
            count.reshape(-1)[more] = by(count.reshape(-1)[more], 1)
        self._turns.reshape(-1)[change.coarse.places] = by(self._turns.reshape(-1)[change.coarse.places], 1)

    def around(self, danger: np.ndarray, margin: int) -> np.ndarray:
        """The fields in danger, with a margin whose outer half fades: (h, w) float32 0..1."""
        reached = cv2.dilate(danger, np.ones((4 * margin + 1,) * 2, np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        soft = cv2.blur(reached, (2 * margin + 1, 2 * margin + 1), borderType=cv2.BORDER_REPLICATE)
        return np.asarray(soft, np.float32) / 255

    def _events(self, places: np.ndarray, of_places: str, of_fields: str, held: bool) -> tuple[np.ndarray, ...]:
        """The fields that brighten (or darken) now: with this frame, or with it and those just before, if they did not then.

        When held back, whether they did then or not.
        """
        frames = max(1, round((HELD_TOGETHER_S if held else TOGETHER_S) * self._fps))
        recent = [change for number, change in self._second if number > self._number - frames]
        now = self._marked([places])
        parts = [places, *(getattr(change.fine, of_places) for change in recent)]
        together = self._marked(parts) if recent and places.size else None
        events = []
        for shape, field in enumerate(self._fields):
            found = np.zeros(field.positions, np.uint8) if together is None else field.over(together)
            for change in recent if not held else ():
                found.reshape(-1)[getattr(change, of_fields)[shape]] = 0
            events.append(where(found if now is None else cv2.bitwise_or(found, field.over(now))))
        return tuple(events)

    def _marked(self, parts: list[np.ndarray]) -> np.ndarray | None:
        """255 at these places; None where they are too few for any field."""
        if sum(part.size for part in parts) <= min(field.least for field in self._fields):
            return None
        mask = np.zeros(self._fine.size, np.uint8)
        for part in parts:
            mask.reshape(-1)[part] = 255
        return mask

    def _danger(
        self, coarse: Turns, brightening: tuple[np.ndarray, ...], darkening: tuple[np.ndarray, ...], held: bool
    ) -> np.ndarray | None:
        """Where the counts would be too high; when held back, only where this picture adds to them."""
        danger = np.zeros(self._fine.size, np.uint8)
        for shape, field in enumerate(self._fields):
            found = np.zeros(field.positions, np.uint8)
            for count, more in ((self._brightened[shape], brightening[shape]), (self._darkened[shape], darkening[shape])):
                if not held:
                    found[count > EVENTS] = 255
                found.reshape(-1)[more[count.reshape(-1)[more] >= (HELD_EVENTS if held else EVENTS)]] = 255
            if cv2.countNonZero(found):
                cv2.bitwise_or(danger, field.whole(found), dst=danger)
        often = self._often(coarse, held)
        if often is not None:
            cv2.bitwise_or(danger, cv2.resize(often, danger.shape[::-1], interpolation=cv2.INTER_NEAREST), dst=danger)
        return danger if cv2.countNonZero(danger) else None

    def _often(self, coarse: Turns, held: bool) -> np.ndarray | None:
        """The fields, (h, w) uint8 on the coarse grid, too many of whose places turn too often; None if there is none."""
        turns = cv2.add(self._turns, cv2.threshold(coarse.changing, 0, 1, cv2.THRESH_BINARY)[1])
        busy = above(turns, (HELD_TURNS if held else TURNS) / 255)
        if cv2.countNonZero(busy) <= min(field.least for field in self._coarse_fields):
            return None
        often = np.zeros(self._coarse.size, np.uint8)
        for field in self._coarse_fields:
            found = field.over(busy)
            if held:
                found = cv2.bitwise_and(found, field.over(cv2.bitwise_and(busy, coarse.changing), ANY))
            cv2.bitwise_or(often, field.whole(found), dst=often)
        return often


def _fields(grid: tuple[int, int], part: float) -> list[Field]:
    """Each shape of a field on a grid."""
    high = max(1, round(grid[0] * FIELD_HEIGHT))
    widths = {max(1, min(grid[1], round(wide))) for wide in (grid[1] * FIELD_WIDTH, high * FIELD_ASPECT)}
    return [Field(grid, (high, wide), part) for wide in sorted(widths)]


class Field:
    """Ten degrees on a grid, at every position where it fits."""

    def __init__(self, grid: tuple[int, int], shape: tuple[int, int], part: float) -> None:
        self._grid, self._shape, self._part = grid, shape, part
        (high, wide) = shape
        self.positions = (grid[0] - high + 1, grid[1] - wide + 1)
        self.least = int(part * high * wide)
        """Places that are not too many even if all lie in one field."""
        self._inside = (slice(high // 2, high // 2 + self.positions[0]), slice(wide // 2, wide // 2 + self.positions[1]))

    def over(self, mask: np.ndarray, part: float | None = None) -> np.ndarray:
        """255 for each position where more than the allowed, or this, part of the field is marked."""
        share = cv2.blur(mask, self._shape[::-1], borderType=cv2.BORDER_CONSTANT)
        return above(np.ascontiguousarray(share[self._inside]), self._part if part is None else part)

    def whole(self, positions: np.ndarray) -> np.ndarray:
        """The fields at the marked positions, all of each: (h, w) uint8."""
        marked = np.zeros(self._grid, np.uint8)
        marked[: self.positions[0], : self.positions[1]] = positions  # where each begins, at the top and left
        end = (self._shape[1] - 1, self._shape[0] - 1)
        return cv2.dilate(marked, np.ones(self._shape, np.uint8), anchor=end, borderType=cv2.BORDER_CONSTANT, borderValue=0)
