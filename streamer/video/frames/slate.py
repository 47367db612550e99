"""The slate: the last picture, dimmed, with a line of text, shown when no keyframes have come for long.

Until then the picture zooms on, as it does between keyframes; after a minute of that, little of it is left.
"""

from __future__ import annotations

import math
from collections import deque

import cv2
import numpy as np
from PIL import Image

from streamer.config import VideoConfig
from streamer.video.frames.lettering import Lettering

FADE_S = 2.0
"""Seconds over which it fades in, and out once there is a keyframe."""
DIMMED = 0.35
"""Brightness of the dimmed picture, as a factor."""
INTERVALS = 4.0
"""Number of keyframe intervals to wait at least, because on a slow machine they may be long…"""
INTERVAL_MOST_S = 60.0
"""…up to this many seconds each."""
STALL_S = 1.5
"""Most seconds between two frames that count as waiting: after an hour in which the program was stopped, the slate
must not appear immediately. While nobody watches, frames are further apart than usual, but less than this."""
SAFE = 0.05
"""Fraction of the width at each side that stays free of letters."""
SIZES = (0.055, 0.045, 0.036, 0.028)
"""Em sizes of the letters, as fractions of the video's height; the largest that fits is used."""
COLOUR = (255, 255, 255)


class Slate:
    """Draws the slate over frames. ``keyframe`` and ``tune`` may be called from any thread; the rest belongs to one."""

    def __init__(self, video: VideoConfig) -> None:
        """Prepare for frames with these settings."""
        self._size = (video.height, video.width)
        self._keyframes = self._seen = 0
        self._waited_s = self._opacity = 0.0
        self._intervals: deque[float] = deque(maxlen=2)  # the shorter counts: the longer may be the outage
        self._now_s: float | None = None
        self._last: np.ndarray | None = None
        self._made: tuple[str, np.ndarray] | None = None
        self.tune(video)

    @property
    def shown(self) -> bool:
        """Whether the slate is visible, even faintly."""
        return self._opacity > 0.0

    def tune(self, video: VideoConfig) -> None:
        """Apply other settings from the next frame on."""
        self._text, self._after_s = video.slate_text, video.slate_s

    def keyframe(self) -> None:
        """Note that a keyframe has come."""
        self._keyframes += 1

    def draw(self, image: np.ndarray, now_s: float) -> np.ndarray:
        """Draw it over a frame of the dream, with its current opacity.

        Args:
            image: (h, w, 3) uint8 RGB; not changed, and the caller does not change it later.
            now_s: time of the frame in seconds.

        Returns:
            (h, w, 3) uint8 RGB; ``image`` itself while all is well.
        """
        step_s = 0.0 if self._now_s is None else min(max(0.0, now_s - self._now_s), STALL_S)
        self._now_s = now_s
        self._waited_s += step_s
        if (keyframes := self._keyframes) != self._seen:
            if self._seen:
                self._intervals.append(min(self._waited_s, INTERVAL_MOST_S))
            self._seen, self._waited_s = keyframes, 0.0
            if not self.shown:
                self._last = image
        allowed_s = max(self._after_s, INTERVALS * min(self._intervals, default=0.0)) if self._after_s else math.inf
        wanted = self._waited_s > allowed_s and self._last is not None
        before, change = self._opacity, step_s / FADE_S
        self._opacity = min(1.0, before + change) if wanted else max(0.0, before - change)
        if self._opacity == 0.0:
            self._made = None
            return image
        slate = self._slate(image if self._last is None else self._last)
        if self._opacity == 1.0:
            return slate
        share = self._opacity * self._opacity * (3 - 2 * self._opacity)  # ease in and out
        return cv2.addWeighted(image, 1 - share, slate, share, 0)

    def _slate(self, last: np.ndarray) -> np.ndarray:
        if self._made is None or self._made[0] != self._text:
            self._made = self._text, _laid(cv2.convertScaleAbs(last, alpha=DIMMED), self._text)
        return self._made[1]


def _laid(image: np.ndarray, text: str) -> np.ndarray:
    """Return a new picture with a centred line of text; the same picture if none of the text can be shown."""
    height, width = image.shape[:2]
    room = max(1, round(width * (1 - 2 * SAFE)))
    lines = (Lettering(round(height * size)).line(text, 100 * width, COLOUR) for size in SIZES)
    line = next((each for each in lines if each is None or each.width <= room), None)
    if line is None:
        line = Lettering(round(height * SIZES[-1])).line(text, room, COLOUR)  # cut, with an ellipsis
    if line is None:
        return image
    picture = Image.fromarray(image)
    picture.paste(line, ((width - line.width) // 2, (height - line.height) // 2), line)
    return np.asarray(picture)
