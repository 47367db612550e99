"""Measures a picture for the flash limiter: relative luminance and saturated red, on two grids.

Relative luminance is of linear light (W3C, Web Content Accessibility Guidelines 2.2, 2024, 'relative luminance'). A saturated
red has R / (R + G + B) >= 0.8; a colour more than 0.2 away from one in the CIE 1976 diagram has less than 0.67. A change from
above the first to below the second therefore counts as that distance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

LOOK_PX = 480
"""Pictures are halved as long as they stay at least this wide, then linearised and halved once more."""
COARSE = 22
"""Rows of the coarse grid: its cells are one degree high if the picture fills a screen from top to bottom."""
RED_ENTER, RED_LEAVE = 3.6, 2.2
"""Red as a multiple of green plus blue: 0.78 and 0.69 of the sum of all three, stricter than 0.8 and 0.67."""
RED_LEAST = 5
"""Red below this, of 255 in linear light, counts as black."""
LUMINANCE = np.array([[0.2126, 0.7152, 0.0722]], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """A picture measured on one grid; all fields are (h, w) uint8."""

    luminance: np.ndarray
    """Relative luminance, linear, 0..255."""
    red: np.ndarray
    """255 where the colour is a saturated red."""
    other: np.ndarray
    """255 where the colour is clearly not a saturated red."""


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """A picture measured on both grids."""

    fine: Light
    coarse: Light


class LuminanceReducer:
    """Reduces pictures of one size, (height, width), to the two grids."""

    def __init__(self, size: tuple[int, int]) -> None:
        halvings = max(0, math.floor(math.log2(size[1] / LOOK_PX)))
        height, width = (max(2, (side >> halvings) // 2 * 2) for side in size)
        self._whole = (height << halvings, width << halvings)
        self._halves = [
            np.empty((self._whole[0] >> level, self._whole[1] >> level, 3), np.uint8) for level in range(1, halvings + 1)
        ]
        self.fine = (height // 2, width // 2)
        """(height, width) of the fine grid."""
        rows = min(COARSE, self.fine[0])
        self.coarse = (rows, max(1, round(self.fine[1] * rows / self.fine[0])))
        self._linear = np.empty((height, width, 3), np.uint8)
        self._small = np.empty((*self.fine, 3), np.uint8)
        encoded = np.arange(256) / 255
        linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
        self._table = np.rint(linear * 255).astype(np.uint8)

    def reduce(self, image: np.ndarray) -> np.ndarray:
        """Reduce a picture, still in sRGB, so that blending commutes with it. Valid until the next call."""
        looked = image[: self._whole[0], : self._whole[1]]
        for half in self._halves:  # by factors of two, which are fast in OpenCV
            looked = cv2.resize(looked, half.shape[1::-1], dst=half, interpolation=cv2.INTER_AREA)
        return looked

    def glance(self, looked: np.ndarray) -> Glance:
        """Measure a picture that ``reduce`` returned."""
        cv2.LUT(looked, self._table, dst=self._linear)
        cv2.resize(self._linear, self.fine[::-1], dst=self._small, interpolation=cv2.INTER_AREA)
        return Glance(_light(self._small), _light(cv2.resize(self._small, self.coarse[::-1], interpolation=cv2.INTER_AREA)))


def _light(linear: np.ndarray) -> Light:
    red, green, blue = cv2.split(linear)
    enter = cv2.addWeighted(green, RED_ENTER, blue, RED_ENTER, RED_LEAST)
    leave = cv2.addWeighted(green, RED_LEAVE, blue, RED_LEAVE, RED_LEAST - 1)
    return Light(cv2.transform(linear, LUMINANCE), cv2.compare(red, enter, cv2.CMP_GT), cv2.compare(red, leave, cv2.CMP_LE))
