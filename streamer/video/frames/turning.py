"""A screen that can be changed for another while the video runs: the two are faded over."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import cv2
import numpy as np

from streamer.config import Config
from streamer.messages import Keyframe, Scene
from streamer.video.frames.screen import Screen

FADE_S = 1.5
"""Seconds from one screen to the other, counted from the first frame of both. Both are drawn meanwhile."""


@dataclass(slots=True)
class _Going:
    """A screen that no keyframes come to any more; it moves on by itself."""

    screen: Screen
    since_s: float | None = None
    """When it began to fade; None before the other one has a picture."""


class TurningScreen:
    """Shows one screen, and fades to another when told to; see ``Screen``. ``turn`` may be called from any thread, too."""

    def __init__(self, screen: Screen) -> None:
        """Begin with a screen."""
        self._lock = threading.Lock()  # over which screen keyframes go to
        self._screen = screen
        self._going: list[_Going] = []
        self._eased = (True, 1.0)

    def turn(self, screen: Screen) -> None:
        """Show another one from its first keyframe on; the next keyframe pushed is for it."""
        with self._lock:
            follow, part = self._eased
            screen.ease(follow=follow, part=part)
            self._going.append(_Going(self._screen))
            self._screen = screen

    def push(self, keyframe: Keyframe) -> None:
        """As ``Screen`` has it."""
        with self._lock:
            screen = self._screen
        screen.push(keyframe)

    def frame(self, now_s: float) -> tuple[np.ndarray | None, Scene | None]:
        """As ``Screen`` has it."""
        with self._lock:
            screen, going = self._screen, list(self._going)
        image, scene = screen.frame(now_s)
        if not going:
            return image, scene
        newest = going[-1]
        for older in going[:-1]:  # of three screens in a row the first is not worth its time
            self._let_go(older)
        if image is None:
            return newest.screen.frame(now_s)
        newest.since_s = now_s if newest.since_s is None else newest.since_s
        share = (now_s - newest.since_s) / FADE_S
        if share >= 1:
            self._let_go(newest)
            return image, scene
        before, _ = newest.screen.frame(now_s)
        if before is None:
            return image, scene
        share *= share * (3 - 2 * share)  # it neither starts nor ends with a jerk
        return cv2.addWeighted(before, 1 - share, image, share, 0), scene

    def lean(self, octaves: float) -> None:
        """As ``Screen`` has it; both screens of a fade."""
        for screen in self._all():
            screen.lean(octaves)

    @property
    def shown_s(self) -> float | None:
        """As ``Screen`` has it; of the screen that is faded to, once it shows anything."""
        with self._lock:
            screens = [self._screen, *(going.screen for going in reversed(self._going))]
        return next((shown_s for screen in screens if (shown_s := screen.shown_s) is not None), None)

    def tune(self, config: Config) -> None:
        """As ``Screen`` has it."""
        for screen in self._all():
            screen.tune(config)

    @property
    def may_follow_less(self) -> bool:
        """As ``Screen`` has it."""
        return self._screen.may_follow_less

    def ease(self, *, follow: bool, part: float) -> None:
        """As ``Screen`` has it."""
        with self._lock:
            self._eased = follow, part
        for screen in self._all():
            screen.ease(follow=follow, part=part)

    def skip(self, now_s: float) -> None:
        """As ``Screen`` has it; nobody sees a fade."""
        self._screen.skip(now_s)
        for going in list(self._going):
            self._let_go(going)

    def close(self) -> None:
        """As ``Screen`` has it."""
        for screen in self._all():
            screen.close()

    def _all(self) -> list[Screen]:
        with self._lock:
            return [self._screen, *(going.screen for going in self._going)]

    def _let_go(self, going: _Going) -> None:
        with self._lock:
            self._going.remove(going)
        going.screen.close()
