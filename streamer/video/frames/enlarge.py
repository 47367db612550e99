"""Frames drawn smaller than they are shown: at half the sides for a third of the work, at the price of sharpness."""

from __future__ import annotations

import cv2
import numpy as np

LEAST_PX = 90
"""Shorter side below which nothing is drawn smaller."""


def reduced(size: tuple[int, int], part: float) -> tuple[int, int]:
    """A frame's (height, width) at a part of its sides; itself where that would be too small to recognise anything."""
    height, width = (max(1, round(side * part)) for side in size)
    return size if min(height, width) < LEAST_PX else (height, width)


def enlarged(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture (h, w) or (h, w, 3) uint8 at a frame's (height, width); itself where it has that."""
    if image.shape[:2] == size:
        return image
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR))
