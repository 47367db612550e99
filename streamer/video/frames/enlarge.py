"""Draws frames at a reduced size and enlarges them: at half the sides for a third of the work, but less sharp."""

from __future__ import annotations

import cv2
import numpy as np

LEAST_PX = 90
"""Least shorter side of a reduced frame, in pixels."""


def reduced(size: tuple[int, int], part: float) -> tuple[int, int]:
    """Return (height, width) scaled by ``part``; the size itself if that would be too small to recognise anything."""
    height, width = (max(1, round(side * part)) for side in size)
    return size if min(height, width) < LEAST_PX else (height, width)


def enlarged(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale a picture, (h, w) or (h, w, 3) uint8, to (height, width); return it unchanged if it has that size."""
    if image.shape[:2] == size:
        return image
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR))
