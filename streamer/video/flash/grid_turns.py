"""Tracks the luminance of each grid cell from turn to turn. A turn is a change to darker or brighter, or to or from red."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from streamer.video.flash.light import Light

CHANGE = 0.08
"""Least change of relative luminance that counts; WCAG says 0.10."""
DARKER = 0.82
"""Luminance that the darker state stays below; WCAG says 0.80."""
NOWHERE = np.empty(0, np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class Turns:
    """What one picture would change in the cells of a grid."""

    state: tuple[np.ndarray, ...]
    """The new values of turned, extreme, red, fresh and lowest."""
    changing: np.ndarray
    """(h, w) uint8, 255 where a cell becomes brighter or darker, or enters or leaves red."""
    places: np.ndarray
    """Flat indices of the changing cells."""
    brighter: np.ndarray
    darker: np.ndarray
    """Those of them that become brighter (or red), and darker (or not red), at most a second after the previous turn: second
    halves of a flash."""


class Places:
    """State of one grid. A turn counts once it is large enough; a further change in the same direction belongs to it."""

    def __init__(self, first: Light) -> None:
        """Begin with a picture."""
        self.size = first.luminance.shape
        self._turned = np.zeros(self.size, np.uint8)  # 255 where the last change was to the darker
        self._extreme = first.luminance  # since the last change; its inverse where turned
        self._red = first.red
        self._fresh = np.full(self.size, 255, np.uint8)  # 255 before the first change, which may be either…
        self._lowest = first.luminance  # …and how dark it was until then
        self._last = np.full(self.size, np.iinfo(np.int64).min)  # the frame of the last turn

    def copy(self) -> Places:
        """Return an independent copy."""
        other = object.__new__(Places)
        other.__dict__.update(self.__dict__)
        other._last = self._last.copy()  # the rest is never changed in place
        return other

    def judge(self, light: Light, since: float) -> Turns:
        """Return what a picture would change, without counting it. A turn after one of frame ``since`` or later is the second
        half of a flash."""
        turned = self._turned
        level = cv2.bitwise_xor(light.luminance, turned)
        extreme = cv2.max(self._extreme, level)
        done = above(cv2.subtract(extreme, level), CHANGE)
        bright = cv2.bitwise_and(above(light.luminance, DARKER), cv2.bitwise_not(turned))
        done = cv2.bitwise_and(done, cv2.bitwise_not(bright))
        cv2.bitwise_not(level, dst=extreme, mask=done)
        lowest = cv2.min(self._lowest, light.luminance)
        first = cv2.bitwise_and(above(cv2.subtract(light.luminance, lowest), CHANGE), self._fresh)
        first = cv2.bitwise_and(first, cv2.bitwise_not(above(lowest, DARKER)))
        first = cv2.bitwise_and(first, cv2.bitwise_not(done))
        fresh = cv2.bitwise_and(self._fresh, cv2.bitwise_not(cv2.bitwise_or(done, first)))
        reddens = cv2.bitwise_and(light.red, cv2.bitwise_not(self._red))
        pales = cv2.bitwise_and(light.other, self._red)
        red = cv2.bitwise_xor(self._red, cv2.bitwise_or(reddens, pales))
        brighter = cv2.bitwise_or(cv2.bitwise_or(cv2.bitwise_and(done, turned), first), reddens)
        darker = cv2.bitwise_or(cv2.bitwise_and(done, cv2.bitwise_not(turned)), pales)
        changing = cv2.bitwise_or(brighter, darker)
        places = where(changing)
        again = places[self._last.reshape(-1)[places] >= since]
        return Turns(
            (cv2.bitwise_xor(turned, done), extreme, red, fresh, lowest),
            changing,
            places,
            again[brighter.reshape(-1)[again] != 0],
            again[darker.reshape(-1)[again] != 0],
        )

    def commit(self, number: int, turns: Turns) -> None:
        """Count what ``judge`` returned, for a frame number."""
        self._turned, self._extreme, self._red, self._fresh, self._lowest = turns.state
        self._last.reshape(-1)[turns.places] = number


def above(values: np.ndarray, part: float) -> np.ndarray:
    """Return 255 where a value is above ``part`` of 255, else 0."""
    return cv2.threshold(values, int(255 * part + 1e-6), 255, cv2.THRESH_BINARY)[1]


def where(mask: np.ndarray) -> np.ndarray:
    """Return the flat indices of nonzero cells."""
    return np.flatnonzero(mask) if cv2.countNonZero(mask) else NOWHERE
