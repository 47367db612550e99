"""A screen that can be changed for another while the video runs: the two are faded over."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import cv2
import numpy as np

from streamer.config import Config
from streamer.messages.keyframes import Keyframe
from streamer.messages.scenes import Scene
from streamer.video.frames.frame_interpolator import FrameInterpolator

FADE_S = 1.5
"""Seconds from one screen to the other, counted from the first frame of both. Both are drawn meanwhile."""


@dataclass(slots=True)
class _FadingOut:
    """A screen that no keyframes come to any more; it moves on by itself."""

    interpolator: FrameInterpolator
    since_s: float | None = None
    """When it began to fade; None before the other one has a picture."""


class CrossfadeInterpolator:
    """Shows one interpolator and fades to another (see ``FrameInterpolator``). ``switch_to`` may be called from any thread."""

    def __init__(self, interpolator: FrameInterpolator) -> None:
        """Begin with a screen."""
        self._lock = threading.Lock()  # over which screen keyframes go to
        self._interpolator = interpolator
        self._fading_out: list[_FadingOut] = []
        self._eased = (True, 1.0)

    def switch_to(self, interpolator: FrameInterpolator) -> None:
        """Show another one from its first keyframe on; the next keyframe pushed is for it."""
        with self._lock:
            follow, part = self._eased
            interpolator.reduce_load(follow=follow, part=part)
            self._fading_out.append(_FadingOut(self._interpolator))
            self._interpolator = interpolator

    def push(self, keyframe: Keyframe) -> None:
        """As in ``FrameInterpolator``."""
        with self._lock:
            interpolator = self._interpolator
        interpolator.push(keyframe)

    def frame(self, now_s: float) -> tuple[np.ndarray | None, Scene | None]:
        """As in ``FrameInterpolator``."""
        with self._lock:
            interpolator, fading_out = self._interpolator, list(self._fading_out)
        image, scene = interpolator.frame(now_s)
        if not fading_out:
            return image, scene
        newest = fading_out[-1]
        for older in fading_out[:-1]:  # of three screens in a row the first is not worth its time
            self._let_go(older)
        if image is None:
            return newest.interpolator.frame(now_s)
        newest.since_s = now_s if newest.since_s is None else newest.since_s
        share = (now_s - newest.since_s) / FADE_S
        if share >= 1:
            self._let_go(newest)
            return image, scene
        before, _ = newest.interpolator.frame(now_s)
        if before is None:
            return image, scene
        share *= share * (3 - 2 * share)  # it neither starts nor ends with a jerk
        return cv2.addWeighted(before, 1 - share, image, share, 0), scene

    def set_zoom_offset(self, octaves: float) -> None:
        """As in ``FrameInterpolator``; both screens of a fade."""
        for interpolator in self._all():
            interpolator.set_zoom_offset(octaves)

    @property
    def shown_s(self) -> float | None:
        """As in ``FrameInterpolator``; of the screen that is faded to, once it shows anything."""
        with self._lock:
            interpolators = [self._interpolator, *(fading_out.interpolator for fading_out in reversed(self._fading_out))]
        return next((shown_s for interpolator in interpolators if (shown_s := interpolator.shown_s) is not None), None)

    def tune(self, config: Config) -> None:
        """As in ``FrameInterpolator``."""
        for interpolator in self._all():
            interpolator.tune(config)

    @property
    def can_skip_flow(self) -> bool:
        """As in ``FrameInterpolator``."""
        return self._interpolator.can_skip_flow

    def reduce_load(self, *, follow: bool, part: float) -> None:
        """As in ``FrameInterpolator``."""
        with self._lock:
            self._eased = follow, part
        for interpolator in self._all():
            interpolator.reduce_load(follow=follow, part=part)

    def skip(self, now_s: float) -> None:
        """As in ``FrameInterpolator``; nobody sees a fade."""
        self._interpolator.skip(now_s)
        for fading_out in list(self._fading_out):
            self._let_go(fading_out)

    def close(self) -> None:
        """As in ``FrameInterpolator``."""
        for interpolator in self._all():
            interpolator.close()

    def _all(self) -> list[FrameInterpolator]:
        with self._lock:
            return [self._interpolator, *(fading_out.interpolator for fading_out in self._fading_out)]

    def _let_go(self, fading_out: _FadingOut) -> None:
        with self._lock:
            self._fading_out.remove(fading_out)
        fading_out.interpolator.close()
