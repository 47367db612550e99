"""Counts flashes frame by frame, as defined by WCAG 2.2, success criterion 2.3.1.

A *general flash* is a pair of opposing changes of relative luminance, each by 10 % or more of the maximum, where the darker
state is below 0.80; a *red flash* is a pair of opposing changes to or from a saturated red. More than three in one second,
concurrently over more than a quarter of a field of 10 degrees, are too many.

WCAG leaves open what concurrent means. Here a field is measured in two ways: by the frames in which much of it, at the finest
resolution, turns at the same time; and by how often each of its one-degree cells turns, in step with others or not. Fine moving
texture turns every point, but neither simultaneously nor over a degree.

Source: W3C, Web Content Accessibility Guidelines 2.2, 2024, 'general flash and red flash thresholds'. Nearly all limits here
are stricter, so that later rounding, scaling and encoding do not exceed those of the source.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from streamer.video.flash.grid_turns import Places, Turns, above, where
from streamer.video.flash.light import Glance

AREA = 0.20
"""Fraction of a field that counts when it turns at the same time; WCAG says a quarter."""
COARSE_AREA = 0.25
"""The same for one-degree cells, which count even if only a part of them flashes."""
ANY = 0.004
"""Fraction of a field that counts as any change at all."""
TURNS = 6
"""Most turns of a one-degree cell in a second: three pairs."""
EVENTS = 3
"""Most frames in a second in which a field brightens again, and in which it darkens again, anywhere in it."""
HELD_TURNS, HELD_EVENTS = 2, 1
"""The same while a part of the video is limited: it drifts then, and when exactly a drift counts as a change is uncertain."""
FIELD_HEIGHT, FIELD_WIDTH, FIELD_ASPECT = 1 / 3, 1 / 3, 341 / 256
"""Size of a ten-degree field, 341x256 pixels of a screen of 1024x768: these fractions of the screen if the picture fills it, or
this aspect ratio if the picture fills it only from top to bottom. Both count: flashes at both ends of the wider field may be
too small in any narrower one."""
TOGETHER_S, HELD_TOGETHER_S = 1 / 30, 0.2
"""Turns within this many seconds count together if one frame's are not enough. The second applies while a part of the video is
limited, because its drift reaches the threshold in some cells a few frames later than in others."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What one picture would add to the counts."""

    fine: Turns
    coarse: Turns
    brightening: tuple[np.ndarray, ...]
    darkening: tuple[np.ndarray, ...]
    """Flat indices of the fields, by shape, that brighten (or darken) with this picture."""
    danger: np.ndarray | None
    """(h, w) uint8 on the fine grid, 255 in each field where it would be one flash too many; None if there is none."""

    @property
    def counts(self) -> bool:
        """Whether this changes any count."""
        return any(part.size for part in (self.fine.places, self.coarse.places, *self.brightening, *self.darkening))


class Meter:
    """Counts the last second of one sequence of pictures. ``judge`` evaluates a picture, ``commit`` counts it as shown."""

    def __init__(self, first: Glance, fps: float) -> None:
        """Begin with a picture, for a video of ``fps`` frames per second."""
        self._fps = fps
        self._fine, self._coarse = Places(first.fine), Places(first.coarse)
        self._fields, self._coarse_fields = _fields(self._fine.size, AREA), _fields(self._coarse.size, COARSE_AREA)
        self._brightened = [np.zeros(field.positions, np.uint8) for field in self._fields]
        self._darkened = [np.zeros(field.positions, np.uint8) for field in self._fields]
        self._turns = np.zeros(self._coarse.size, np.uint8)  # of each one-degree cell within the last second
        self._second: deque[tuple[int, Change]] = deque()
        self._number = 0

    def copy(self) -> Meter:
        """Return an independent copy."""
        other = object.__new__(Meter)
        other.__dict__.update(self.__dict__)
        other._fine, other._coarse = self._fine.copy(), self._coarse.copy()
        other._brightened = [count.copy() for count in self._brightened]
        other._darkened = [count.copy() for count in self._darkened]
        other._turns = self._turns.copy()
        other._second = deque(self._second)
        return other

    def advance(self, number: int) -> None:
        """Advance to a frame; drop counts older than a second."""
        self._number, old = number, number - self._fps
        while self._second and self._second[0][0] <= old:
            self._count(self._second.popleft()[1], np.subtract)

    def judge(self, glance: Glance, *, held: bool = False) -> Change:
        """Return what a picture would change, without counting it. ``held`` uses the limits for a limited video."""
        since = self._number - self._fps  # a pair of changes exactly a second apart is a flash, too
        fine, coarse = self._fine.judge(glance.fine, since), self._coarse.judge(glance.coarse, since)
        brightening = self._events(fine.brighter, "brighter", "brightening", held)
        darkening = self._events(fine.darker, "darker", "darkening", held)
        danger = self._danger(coarse, brightening, darkening, held)
        return Change(fine, coarse, brightening, darkening, danger)

    def commit(self, change: Change) -> None:
        """Count what ``judge`` returned."""
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
        """Return the fields in danger, with a margin whose outer half fades, (h, w) float32, 0..1."""
        reached = cv2.dilate(danger, np.ones((4 * margin + 1,) * 2, np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        soft = cv2.blur(reached, (2 * margin + 1, 2 * margin + 1), borderType=cv2.BORDER_REPLICATE)
        return np.asarray(soft, np.float32) / 255

    def _events(self, places: np.ndarray, of_places: str, of_fields: str, held: bool) -> tuple[np.ndarray, ...]:
        """Return the fields that brighten (or darken) with this frame, or with it and those just before, if they did not then.

        With ``held``, also those that did.
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
        """Return a mask with 255 at these cells; None if they are too few for any field."""
        if sum(part.size for part in parts) <= min(field.least for field in self._fields):
            return None
        mask = np.zeros(self._fine.size, np.uint8)
        for part in parts:
            mask.reshape(-1)[part] = 255
        return mask

    def _danger(
        self, coarse: Turns, brightening: tuple[np.ndarray, ...], darkening: tuple[np.ndarray, ...], held: bool
    ) -> np.ndarray | None:
        """Return where the counts would be too high; with ``held``, only where this picture adds to them."""
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
        """Return the fields where too many cells turn too often, (h, w) uint8 on the coarse grid; None if there is none."""
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
    """Return the shapes of a field on a grid."""
    high = max(1, round(grid[0] * FIELD_HEIGHT))
    widths = {max(1, min(grid[1], round(wide))) for wide in (grid[1] * FIELD_WIDTH, high * FIELD_ASPECT)}
    return [Field(grid, (high, wide), part) for wide in sorted(widths)]


class Field:
    """A ten-degree field on a grid, at every position where it fits."""

    def __init__(self, grid: tuple[int, int], shape: tuple[int, int], part: float) -> None:
        self._grid, self._shape, self._part = grid, shape, part
        (high, wide) = shape
        self.positions = (grid[0] - high + 1, grid[1] - wide + 1)
        self.least = int(part * high * wide)
        """Number of cells that is not too many even if all are in one field."""
        self._inside = (slice(high // 2, high // 2 + self.positions[0]), slice(wide // 2, wide // 2 + self.positions[1]))

    def over(self, mask: np.ndarray, part: float | None = None) -> np.ndarray:
        """Return 255 for each position where more than ``part`` of the field is marked; None: the allowed part."""
        share = cv2.blur(mask, self._shape[::-1], borderType=cv2.BORDER_CONSTANT)
        return above(np.ascontiguousarray(share[self._inside]), self._part if part is None else part)

    def whole(self, positions: np.ndarray) -> np.ndarray:
        """Return a mask of the whole fields at the marked positions, (h, w) uint8."""
        marked = np.zeros(self._grid, np.uint8)
        marked[: self.positions[0], : self.positions[1]] = positions  # the top left corner of each
        end = (self._shape[1] - 1, self._shape[0] - 1)
        return cv2.dilate(marked, np.ones(self._shape, np.uint8), anchor=end, borderType=cv2.BORDER_CONSTANT, borderValue=0)
