"""Single pictures of the video: scaled to an encode's size, and as JPEG files; each is made once and shared."""

from __future__ import annotations

import threading

import cv2
import numpy as np

from streamer.media.fit import fitted
from streamer.messages.keyframes import Frame

SHAPE_TOLERANCE = 0.02
"""Largest difference in aspect ratio for which a picture is stretched; beyond it, it gets black bars."""


class FrameImages:
    """Makes the pictures of one encode, in the thread of the first caller. Thread-safe."""

    def __init__(self, size: tuple[int, int], quality: int) -> None:
        """Make pictures of ``size``, (height, width), and JPEGs of ``quality``, 1..100."""
        self._size, self._quality = size, quality
        self._lock = threading.Lock()
        self._scaled: tuple[Frame, np.ndarray] | None = None
        self._jpeg: tuple[Frame, bytes] | None = None

    def image(self, frame: Frame) -> np.ndarray:
        """Return the frame's picture in this size, (h, w, 3) uint8 RGB; read-only."""
        if frame.image.shape[:2] == self._size:
            return frame.image
        with self._lock:
            if self._scaled is None or self._scaled[0] is not frame:
                self._scaled = (frame, letterboxed(frame.image, self._size))
            return self._scaled[1]

    def jpeg(self, frame: Frame) -> bytes:
        """Return the frame's picture as a JPEG file."""
        image = self.image(frame)
        with self._lock:
            if self._jpeg is None or self._jpeg[0] is not frame:
                quality = [cv2.IMWRITE_JPEG_QUALITY, self._quality]
                ok, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
                assert ok
                self._jpeg = (frame, data.tobytes())
            return self._jpeg[1]


def letterboxed(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale an (H, W, 3) uint8 picture to (height, width), with black bars if the aspect ratios differ noticeably."""
    (height, width), (from_height, from_width) = size, image.shape[:2]
    alike = abs(width * from_height / (height * from_width) - 1) <= SHAPE_TOLERANCE
    return fitted(image, size, "stretch" if alike else "pad")
