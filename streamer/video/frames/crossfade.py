"""Switches from one frame interpolator to another while the video runs, with a cross-fade."""

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
"""Length of the cross-fade in seconds, from the first frame of the new interpolator. Both are drawn meanwhile."""


@dataclass(slots=True)
class _FadingOut:
    """An interpolator that gets no more keyframes; its camera moves on."""

    interpolator: FrameInterpolator
    since_s: float | None = None
    """When it started to fade; None before the new one has a picture."""


class CrossfadeInterpolator:
    """Shows one interpolator and fades to another (see ``FrameInterpolator``). ``switch_to`` may be called from any thread."""

    def __init__(self, interpolator: FrameInterpolator) -> None:
        """Start with one interpolator."""
        self._lock = threading.Lock()  # guards which interpolator gets the keyframes
        self._interpolator = interpolator
        self._fading_out: list[_FadingOut] = []
        self._load = (True, 1.0)

    def switch_to(self, interpolator: FrameInterpolator) -> None:
        """Fade to another one from its first keyframe on; it gets the next keyframe pushed."""
        with self._lock:
            follow, part = self._load
            interpolator.reduce_load(follow=follow, part=part)
            self._fading_out.append(_FadingOut(self._interpolator))
            self._interpolator = interpolator

    def push(self, keyframe: Keyframe) -> None:
        """See ``FrameInterpolator``."""
        with self._lock:
            interpolator = self._interpolator
        interpolator.push(keyframe)

    def frame(self, now_s: float) -> tuple[np.ndarray | None, Scene | None]:
        """See ``FrameInterpolator``."""
        with self._lock:
            interpolator, fading_out = self._interpolator, list(self._fading_out)
        image, scene = interpolator.frame(now_s)
        if not fading_out:
            return image, scene
        newest = fading_out[-1]
        for older in fading_out[:-1]:  # of three, the oldest is not worth its time
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
        share *= share * (3 - 2 * share)  # ease in and out
        return cv2.addWeighted(before, 1 - share, image, share, 0), scene

    def set_zoom_offset(self, octaves: float) -> None:
        """See ``FrameInterpolator``; applies to both sides of a fade."""
        for interpolator in self._all():
            interpolator.set_zoom_offset(octaves)

    @property
    def shown_s(self) -> float | None:
        """See ``FrameInterpolator``; that of the new interpolator, once it shows anything."""
        with self._lock:
            interpolators = [self._interpolator, *(fading_out.interpolator for fading_out in reversed(self._fading_out))]
        return next((shown_s for interpolator in interpolators if (shown_s := interpolator.shown_s) is not None), None)

    def tune(self, config: Config) -> None:
        """See ``FrameInterpolator``."""
        for interpolator in self._all():
            interpolator.tune(config)

    @property
    def can_skip_flow(self) -> bool:
        """See ``FrameInterpolator``."""
        return self._interpolator.can_skip_flow

    def reduce_load(self, *, follow: bool, part: float) -> None:
        """See ``FrameInterpolator``."""
        with self._lock:
            self._load = follow, part
        for interpolator in self._all():
            interpolator.reduce_load(follow=follow, part=part)

    def skip(self, now_s: float) -> None:
        """See ``FrameInterpolator``; a fade ends immediately, because nobody sees it, once the new one has a picture."""
        self._interpolator.skip(now_s)
        fading_out = list(self._fading_out)
        if fading_out and self._interpolator.shown_s is None:  # a viewer who comes now needs the picture from before
            fading_out.pop().interpolator.skip(now_s)
        for older in fading_out:
            self._let_go(older)

    def close(self) -> None:
        """See ``FrameInterpolator``."""
        for interpolator in self._all():
            interpolator.close()

    def _all(self) -> list[FrameInterpolator]:
        with self._lock:
            return [self._interpolator, *(fading_out.interpolator for fading_out in self._fading_out)]

    def _let_go(self, fading_out: _FadingOut) -> None:
        with self._lock:
            self._fading_out.remove(fading_out)
        fading_out.interpolator.close()
