"""Limits flashes to three in any second, for viewers whom flashing can harm.

Frames pass unchanged, as the same object, until one would be a flash too many. From then on, in that part of the picture, the
video follows its source slowly, and returns to it smoothly once the source has calmed down.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from streamer.video.flash.light import Glance, LuminanceReducer
from streamer.video.flash.meter import Meter

FOLLOW_S = 1.0
"""Time constant in seconds with which the video follows a flashing source: of four full flashes a second, what remains is below
the threshold."""
RELEASE_S = 0.5
"""Time constant in seconds with which it returns to its source."""
LONGEST_STEP_S = 0.25
"""Longest time step in seconds; a longer gap between frames counts as this."""
RELEASED = 0.02
"""Strength below which limiting is invisible and ends."""
MARGIN = 1 / 24
"""Half the width of the soft edge around the limited part, as a fraction of the height."""
ROUNDS = 4
"""Most rounds of slowing down further while a frame still flashes; the last round freezes the flashing part."""


class FlashLimiter:
    """Limits one video. Belongs to one thread; the same frames give the same frames."""

    CHANGES = ("_shown", "_source", "_image", "_number", "_strength", "limited")

    def __init__(self, size: tuple[int, int], fps: float) -> None:
        """Prepare for frames of ``size``, (height, width), at ``fps`` a second."""
        self._fps = fps
        self._reducer = LuminanceReducer(size)
        self._margin = max(1, round(self._reducer.fine[0] * MARGIN))
        self._size = size
        self._shown: Meter | None = None
        self._source: Meter | None = None  # meter of the source; only while the video is limited
        self._image: np.ndarray | None = None
        self._number = 0
        self._strength = np.zeros(self._reducer.fine, np.float32)
        self.limited = 0
        """Number of frames changed so far."""

    def limit(self, image: np.ndarray, number: int) -> np.ndarray:
        """Pass a frame on, or limit its change.

        Args:
            image: (h, w, 3) uint8 RGB; do not write to it before the next call.
            number: Its frame number; frames may be missing. A number not above the last restarts the limiter.

        Returns:
            ``image`` itself if possible, else a new picture between the last one shown and this one.
        """
        looked = self._reducer.reduce(image)
        glance = self._reducer.glance(looked)
        if self._shown is None or self._image is None or number <= self._number:
            self._shown, self._source = Meter(glance, self._fps), None
            return self._show(image, number)
        step_s = min((number - self._number) / self._fps, LONGEST_STEP_S)
        self._shown.advance(number)
        if self._source is None:
            change = self._shown.judge(glance)
            if change.danger is None:
                self._shown.commit(change)
                return self._show(image, number)
            self._source = self._shown.copy()
            self._strength[:] = 0.0
        else:
            self._source.advance(number)
            change = self._source.judge(glance)
        self._source.commit(change)
        self._strength *= math.exp(-step_s / RELEASE_S)
        if change.danger is not None:
            np.maximum(self._strength, self._source.around(change.danger, self._margin), out=self._strength)
        elif float(self._strength.max()) < RELEASED and self._released(self._shown, glance):
            return self._show(image, number)
        self.limited += 1
        return self._show(self._held_back(self._shown, image, looked, step_s), number)

    def _show(self, image: np.ndarray, number: int) -> np.ndarray:
        self._image, self._number = image, number
        return image

    def _released(self, shown: Meter, glance: Glance) -> bool:
        """Return whether the source can be shown unchanged again; if so, count it as shown."""
        change = shown.judge(glance)
        if change.danger is not None:
            return False
        shown.commit(change)
        self._source = None
        return True

    def _held_back(self, shown: Meter, image: np.ndarray, looked: np.ndarray, step_s: float) -> np.ndarray:
        """Return a picture between the last one and this one, as close to this one as possible without flashing."""
        assert self._image is not None
        follow = 1 - self._strength * math.exp(-step_s / FOLLOW_S)
        now, before = looked.copy(), self._reducer.reduce(self._image).copy()
        for left in reversed(range(ROUNDS)):
            change = shown.judge(self._reducer.glance(_between(before, now, follow)), held=True)
            if change.danger is None:
                break
            still = shown.around(change.danger, self._margin)
            follow *= 1 - still * (0.75 if left else 1.0)
        result = _between(self._image, image, follow)
        shown.commit(shown.judge(self._reducer.glance(self._reducer.reduce(result))))
        return result


def _between(before: np.ndarray, now: np.ndarray, follow: np.ndarray) -> np.ndarray:
    """Blend two pictures, (h, w, 3) uint8, with a coarse map of the second one's weight."""
    share = cv2.resize(follow, now.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return cv2.blendLinear(np.ascontiguousarray(now), before, share, 1 - share)
