"""Counts how often each place of a picture flashes, frame by frame, by the definition of WCAG 2.2, success criterion 2.3.1.

A *general flash* is a pair of opposing changes of relative luminance, each by 10 % or more of the maximum, where the darker
state is below 0.80. A *red flash* is a pair of opposing changes to or from a saturated red, R / (R + G + B) >= 0.8 in linear
light, by more than 0.2 in the CIE 1976 diagram; whatever is so far from a saturated red has R / (R + G + B) below 0.67, so that
leaving the one and reaching the other counts here. More than three flashes in a second, over more than a quarter of a field of
10 degrees, are too many: be it that each of its places flashes so often, or that flashes come so often wherever in it.

A change is done once it is as large as this; what follows in the same direction belongs to it. It is the second of a pair where
the one before it in the same place is less than a second old.

Source: W3C, Web Content Accessibility Guidelines 2.2, 2024, 'general flash and red flash thresholds' and 'relative luminance'.
All limits here are tighter than the source's, so that rounding, scaling and encoding afterwards don't reach them.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

CHANGE = 0.08
"""Least change of relative luminance that counts; the source says 0.10."""
DARKER = 0.82
"""The darker state must be below this; the source says 0.80."""
AREA = 0.20
"""Part of a field that must flash at once to count; the source says a quarter."""
ANY = 0.004
"""Part of a field that is more than nothing."""
TURNS = 6
"""Changes that one place may make in a second: three pairs."""
EVENTS = 3
"""Frames in a second in which a field may brighten again, and in which it may darken again, wherever in it."""
HELD_TURNS, HELD_EVENTS = 2, 1
"""The same while a part of the video is held back: it drifts then, and when exactly a drift becomes a change is uncertain."""
FIELD_HEIGHT, FIELD_ASPECT = 1 / 3, 341 / 256
"""Ten degrees: 341x256 pixels of a screen with 768 lines, which the picture fills from top to bottom."""
TOGETHER_S = 0.05
"""Changes of different places within this time count together where one frame's would not be enough."""
LOOK_PX = 480
"""Pictures are halved while at least so many pixels of width are left, then linearised and halved once more."""
RED_ENTER, RED_LEAVE = 3.6, 2.2
"""Red as a multiple of green plus blue: 0.78 and 0.69 of their sum; the source's are 0.8 and, by the distance, 0.67."""
RED_LEAST = 5
"""Red below this, of 255 in linear light, is black."""
LUMINANCE = np.array([[0.2126, 0.7152, 0.0722]], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """A picture as the meter sees it; all (h, w) uint8 on its grid, valid until the next look."""

    luminance: np.ndarray
    """Relative luminance, linear, 0..255."""
    red: np.ndarray
    """255 where it is a saturated red."""
    other: np.ndarray
    """255 where it is clearly not."""


class Eye:
    """Reduces pictures of one size, (height, width), to what is counted."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._halvings = max(0, math.floor(math.log2(size[1] / LOOK_PX)))
        self._whole = tuple(max(2, (side >> self._halvings) // 2 * 2) << self._halvings for side in size)
        self._halves = [
            np.empty((self._whole[0] >> level, self._whole[1] >> level, 3), np.uint8) for level in range(1, self._halvings + 1)
        ]
        self.look_size = (self._whole[0] >> self._halvings, self._whole[1] >> self._halvings)
        self.size = (self.look_size[0] // 2, self.look_size[1] // 2)
        self._linear = np.empty((*self.look_size, 3), np.uint8)
        self._small = np.empty((*self.size, 3), np.uint8)
        encoded = np.arange(256) / 255
        linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
        self._table = np.rint(linear * 255).astype(np.uint8)

    def look(self, image: np.ndarray) -> np.ndarray:
        """Reduce a picture, still in sRGB: blending commutes with it. Valid until the next call."""
        looked = image[: self._whole[0], : self._whole[1]]
        for half in self._halves:  # by two at a time, which OpenCV has a fast way for
            looked = cv2.resize(looked, half.shape[1::-1], dst=half, interpolation=cv2.INTER_AREA)
        return looked

    def light(self, looked: np.ndarray) -> Light:
        """Measure what ``look`` returned."""
        cv2.LUT(looked, self._table, dst=self._linear)
        cv2.resize(self._linear, self.size[::-1], dst=self._small, interpolation=cv2.INTER_AREA)
        red, green, blue = cv2.split(self._small)
        enter = cv2.addWeighted(green, RED_ENTER, blue, RED_ENTER, RED_LEAST)
        leave = cv2.addWeighted(green, RED_LEAVE, blue, RED_LEAVE, RED_LEAST - 1)
        return Light(
            cv2.transform(self._small, LUMINANCE),
            cv2.compare(red, enter, cv2.CMP_GT),
            cv2.compare(red, leave, cv2.CMP_LE),
        )


@dataclass(slots=True, eq=False)
class Change:
    """What one picture would do to the counts."""

    state: tuple[np.ndarray, ...]
    """Turned, extreme, red, fresh and lowest as they would be."""
    places: np.ndarray
    """Flat indices of the places that change."""
    brighter: np.ndarray
    darker: np.ndarray
    """Those of them that become brighter (or red) again, and darker (or red no longer) again: second changes of a pair."""
    brightening: np.ndarray
    darkening: np.ndarray
    """Flat indices of the fields for which it is an event."""
    danger: np.ndarray | None
    """(fields) uint8, 255 where the picture would be one flash too many; None if nowhere."""


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    number: int
    change: Change


class Meter:
    """Keeps the counts of the last second for one sequence of pictures. ``judge`` looks ahead, ``commit`` takes it as shown."""

    def __init__(self, first: Light, fps: float) -> None:
        """Begin with a picture, of a video of ``fps`` frames a second."""
        self._fps = fps
        self._merge = max(1, round(TOGETHER_S * fps))
        self._size = first.luminance.shape
        height, width = self._size
        field = max(1, round(height * FIELD_HEIGHT))
        self.field = (field, min(width, max(1, round(field * FIELD_ASPECT))))
        self._fields = (height - self.field[0] + 1, width - self.field[1] + 1)
        self._least = int(AREA * self.field[0] * self.field[1])
        self._turned = np.zeros(self._size, np.uint8)  # 255 where the last change was to the darker
        self._extreme = first.luminance.copy()  # since the last change; its inverse where turned
        self._red = first.red.copy()
        self._fresh = np.full(self._size, 255, np.uint8)  # 255 before the first change, which may be either…
        self._lowest = self._extreme  # …and how dark it was until then
        self._turns = np.zeros(self._size, np.uint8)
        self._brightened = np.zeros(self._fields, np.uint8)
        self._darkened = np.zeros(self._fields, np.uint8)
        self._second: deque[_Moment] = deque()
        self._number = 0

    def copy(self) -> Meter:
        """A meter that goes its own way from here."""
        other = object.__new__(Meter)
        other.__dict__.update(self.__dict__)
        for name in ("_turns", "_brightened", "_darkened"):  # the only ones that are changed in place
            setattr(other, name, getattr(self, name).copy())
        other._second = deque(self._second)
        return other

    def advance(self, number: int) -> None:
        """Go to a frame; what is a second old is forgotten."""
        self._number = number
        while self._second and self._second[0].number <= number - self._fps:
            change = self._second.popleft().change
            self._turns.reshape(-1)[change.places] -= 1
            self._brightened.reshape(-1)[change.brightening] -= 1
            self._darkened.reshape(-1)[change.darkening] -= 1

    def judge(self, light: Light, *, held: bool = False) -> Change:
        """Tell what a picture would do, by the limits for when the video is held back or not; nothing is counted yet."""
        turned = self._turned
        level = cv2.bitwise_xor(light.luminance, turned)
        extreme = cv2.max(self._extreme, level)
        done = _above(cv2.subtract(extreme, level), CHANGE)
        bright = cv2.bitwise_and(_above(light.luminance, DARKER), cv2.bitwise_not(turned))
        done = cv2.bitwise_and(done, cv2.bitwise_not(bright))
        cv2.bitwise_not(level, dst=extreme, mask=done)
        lowest = cv2.min(self._lowest, light.luminance)
        first = cv2.bitwise_and(_above(cv2.subtract(light.luminance, lowest), CHANGE), self._fresh)
        first = cv2.bitwise_and(first, cv2.bitwise_not(_above(lowest, DARKER)))
        first = cv2.bitwise_and(first, cv2.bitwise_not(done))
        fresh = cv2.bitwise_and(self._fresh, cv2.bitwise_not(cv2.bitwise_or(done, first)))
        reddens = cv2.bitwise_and(light.red, cv2.bitwise_not(self._red))
        pales = cv2.bitwise_and(light.other, self._red)
        red = cv2.bitwise_xor(self._red, cv2.bitwise_or(reddens, pales))
        state = cv2.bitwise_xor(turned, done), extreme, red, fresh, lowest
        brighter = cv2.bitwise_or(cv2.bitwise_or(cv2.bitwise_and(done, turned), first), reddens)
        darker = cv2.bitwise_or(cv2.bitwise_and(done, cv2.bitwise_not(turned)), pales)
        changing = cv2.bitwise_or(brighter, darker)
        places = _where(changing)
        again = places[self._turns.reshape(-1)[places] != 0]
        up, down = again[brighter.reshape(-1)[again] != 0], again[darker.reshape(-1)[again] != 0]
        risen, fallen = self._events(up, "brighter", "brightening"), self._events(down, "darker", "darkening")
        return Change(state, places, up, down, risen, fallen, self._danger(changing, risen, fallen, held))

    def commit(self, change: Change) -> None:
        """Count what was judged."""
        self._turned, self._extreme, self._red, self._fresh, self._lowest = change.state
        if not change.places.size and not change.brightening.size and not change.darkening.size:
            return
        self._turns.reshape(-1)[change.places] += 1
        self._brightened.reshape(-1)[change.brightening] += 1
        self._darkened.reshape(-1)[change.darkening] += 1
        self._second.append(_Moment(self._number, change))

    def within(self, fields: np.ndarray, margin: int) -> np.ndarray:
        """The places of the fields marked, with a margin whose outer part fades: (h, w) float32 0..1."""
        (high, wide), (rows, columns) = self.field, fields.shape
        centres = np.zeros(self._size, np.uint8)
        centres[high // 2 : high // 2 + rows, wide // 2 : wide // 2 + columns] = fields
        kernel = np.ones((high + 4 * margin + 1, wide + 4 * margin + 1), np.uint8)
        reached = cv2.dilate(centres, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        soft = cv2.blur(reached, (2 * margin + 1, 2 * margin + 1), borderType=cv2.BORDER_REPLICATE)
        return np.asarray(soft, np.float32) / 255

    def _events(self, places: np.ndarray, of_places: str, of_fields: str) -> np.ndarray:
        """The fields that brighten (or darken) now: with this frame, or with it and those just before, if they did not then."""
        fields = self._fields_with([places])
        recent = [moment.change for moment in self._second if moment.number > self._number - self._merge]
        together = self._fields_with([places, *(getattr(change, of_places) for change in recent)]) if recent else None
        if together is None:
            return _NOWHERE if fields is None else _where(fields)
        for change in recent:
            together.reshape(-1)[getattr(change, of_fields)] = 0
        return _where(together if fields is None else cv2.bitwise_or(together, fields))

    def _fields_with(self, parts: list[np.ndarray]) -> np.ndarray | None:
        """255 for each field of which these places are more than the allowed part; None where they are too few for any."""
        if sum(part.size for part in parts) <= self._least:
            return None
        mask = np.zeros(self._size, np.uint8)
        for part in parts:
            mask.reshape(-1)[part] = 255
        return self._over(mask)

    def _danger(self, changing: np.ndarray, risen: np.ndarray, fallen: np.ndarray, held: bool) -> np.ndarray | None:
        """The fields whose counts would be too high; when held back, only those that this picture adds to."""
        found = np.zeros(self._fields, np.uint8)
        turns = cv2.add(self._turns, cv2.threshold(changing, 0, 1, cv2.THRESH_BINARY)[1])
        busy = _above(turns, (HELD_TURNS if held else TURNS) / 255)
        if cv2.countNonZero(busy) > self._least:
            found = self._over(busy)
            if held:
                found = cv2.bitwise_and(found, self._over(cv2.bitwise_and(busy, changing), ANY))
        for count, more in ((self._brightened, risen), (self._darkened, fallen)):
            if not held:
                found[count > EVENTS] = 255
            found.reshape(-1)[more[count.reshape(-1)[more] >= (HELD_EVENTS if held else EVENTS)]] = 255
        return found if cv2.countNonZero(found) else None

    def _over(self, mask: np.ndarray, part: float = AREA) -> np.ndarray:
        """255 for each field of which more than a part is marked."""
        (high, wide), (rows, columns) = self.field, self._fields
        share = cv2.blur(mask, (wide, high), borderType=cv2.BORDER_CONSTANT)
        inside = share[high // 2 : high // 2 + rows, wide // 2 : wide // 2 + columns]
        return _above(np.ascontiguousarray(inside), part)


_NOWHERE = np.empty(0, np.intp)


def _above(values: np.ndarray, part: float) -> np.ndarray:
    """255 where a value is above this part of 255."""
    return cv2.threshold(values, int(255 * part + 1e-6), 255, cv2.THRESH_BINARY)[1]


def _where(mask: np.ndarray) -> np.ndarray:
    """Flat indices of what is set."""
    if not cv2.countNonZero(mask):
        return _NOWHERE
    return np.flatnonzero(mask)
