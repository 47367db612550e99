"""Detects that the image has converged: with the zoom removed, it changes far less than when its scene began."""

from __future__ import annotations

from collections import deque
from typing import Literal

import cv2
import numpy as np

from streamer import zoom
from streamer.config import DreamConfig
from streamer.events import Bump
from streamer.messages.motion import Pose

LAG_S = 2.0
"""Seconds over which change is measured. Steps have a finite size, so even a converged image trembles from step to step."""
LOOKS = 8
"""Pictures that are kept within that time; keyframes may come faster."""
WIDTH_PX = 128
"""Width at which pictures are warped to the same pose; they are compared at a quarter of it, to ignore grain."""
MARGIN = 6
"""Inverse of the share of each border that is not compared, since it zooms out of view."""
SMOOTHING = 0.3
QUIET_S = 4.0
"""Seconds after a wake-up in which the dream counts as moving, whatever is measured."""

Wake = Literal["off", "noise", "twist", "alternate"]


class ConvergenceDetector:
    """Watches one dream's keyframes and decides when to wake it. Pure: times are arguments."""

    CHANGES = ("_looks", "_change", "_peak_change", "_moved_s", "_twist_next")

    def __init__(self, settings: DreamConfig) -> None:
        self.tune(settings)
        self._looks: deque[tuple[float, Pose, np.ndarray]] = deque()
        self._change: float | None = None
        self._peak_change = 0.0
        self._moved_s: float | None = None
        self._twist_next = True

    def tune(self, settings: DreamConfig) -> None:
        """Use other settings from now on."""
        self._wake: Wake = settings.wake
        self._share, self._after_s = settings.wake_share, settings.wake_after_s

    @property
    def change(self) -> float | None:
        """RMS change within ``LAG_S``, in levels, with the zoom removed; None before it is known."""
        return self._change

    def reset(self) -> None:
        """Start again for another scene."""
        self._looks.clear()
        self._change, self._peak_change, self._moved_s = None, 0.0, None

    def check(self, time_s: float, pose: Pose, picture: np.ndarray) -> Bump | None:
        """Measure a keyframe.

        Args:
            picture: (H, W, 3) uint8 RGB.

        Returns:
            What to wake the dream with if it has been converged for long enough, else None.
        """
        if self._wake == "off" or (self._looks and time_s - self._looks[-1][0] < LAG_S / LOOKS):
            return None
        if self._moved_s is None:
            self._moved_s = time_s
        small = _small(picture)
        if self._looks and self._looks[0][2].shape != small.shape:  # the canvas has another aspect ratio
            self._looks.clear()
        while len(self._looks) > 1 and self._looks[1][0] <= time_s - LAG_S:
            self._looks.popleft()
        if self._looks and self._looks[0][0] <= time_s - LAG_S:
            self._measure(_difference(self._looks[0][2], self._looks[0][1], small, pose))
        self._looks.append((time_s, pose, small))
        if self._change is None or self._change > self._share * self._peak_change:
            self._moved_s = max(self._moved_s, time_s)
            return None
        if time_s - self._moved_s < self._after_s:
            return None
        self._moved_s = time_s + QUIET_S
        twist = self._wake == "twist" or (self._wake == "alternate" and self._twist_next)
        self._twist_next = not twist
        return Bump(twist)

    def _measure(self, change: float) -> None:
        self._change = change if self._change is None else self._change + SMOOTHING * (change - self._change)
        self._peak_change = max(self._peak_change, self._change)


def _small(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    size = (WIDTH_PX, max(4 * MARGIN, round(WIDTH_PX * height / width)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def _difference(before: np.ndarray, old: Pose, after: np.ndarray, new: Pose) -> float:
    """Return the RMS difference of two small pictures in levels, both warped to the new pose."""
    height, width = after.shape[:2]
    matrix = zoom.sampling_matrix(old, new, (height, width), (height, width))
    moved = cv2.warpAffine(
        before, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT
    )
    coarse = (width // 4, height // 4)
    apart = cv2.resize(moved - after, coarse, interpolation=cv2.INTER_AREA)
    top, left = coarse[1] // MARGIN, coarse[0] // MARGIN
    inner = apart[top : coarse[1] - top, left : coarse[0] - left]
    return float(np.sqrt(np.mean(inner * inner)))
