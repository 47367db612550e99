"""The screen for a moving source: every picture of the film or the camera as it comes, with what was dreamt laid upon it.

A dream takes longer than a picture lasts. What it added to the picture it was dreamt on is carried along by the flow from that
picture to the one to be shown, left out where that is not known, and faded as the dream itself fades it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from streamer.config import Config
from streamer.messages.keyframes import Keyframe, SourcePicture
from streamer.messages.motion import Pose
from streamer.messages.scenes import Scene
from streamer.optical_flow import LEG_S, Flow, Tracker, search_image, unmoved, warp
from streamer.video.frames.enlarge import enlarged, reduced
from streamer.zoom import sampling_matrix

FADE_MOST_S = 0.5
"""Longest time over which one dreamt picture takes over from the one before; it is the time between the two otherwise."""
DENSE_S = 0.1
"""Dreamt pictures so close to each other follow without a fade."""
FADE_FIRST_S = 1.0
"""The first one fades in over so long."""
PATIENCE_S, PATIENCE = 2.0, 3.0
"""What was dreamt begins to fade when for so many seconds, and for so many times the usual pause, nothing newer came."""

Newest = Callable[[], SourcePicture | None]


@dataclass(slots=True)
class _Layer:
    """What a dream added to a picture."""

    added: np.ndarray
    """(h, w, 3) float32, in levels, at the canvas' size."""
    grey: np.ndarray
    """The picture it was dreamt on, as motion is sought in it."""
    time_s: float
    """When it was dreamt."""
    scene: Scene
    flow: Flow
    """From that picture to the one of number ``number``."""
    number: int
    dreamt_on: int
    """Number of the picture it was dreamt on."""


class OverlayInterpolator:
    """Shows the moving source with the dream on it, at any rate; see ``FrameInterpolator``."""

    def __init__(self, size: tuple[int, int], newest: Newest, mix: float, decay_s: float) -> None:
        """Prepare to make frames.

        Args:
            size: (height, width) of the frames, and of the source's pictures.
            newest: Gives the source's newest picture; None while there is none.
            mix: How much of the dream is shown, 0..1.
            decay_s: Seconds in which what was added fades to 1/e.
        """
        self.size = self._drawn = size
        self._newest, self._mix, self._decay_s = newest, mix, decay_s
        self._tracker = Tracker()
        self._lock = threading.Lock()
        self._pushed: Keyframe | None = None
        self._alone: Keyframe | None = None
        """Dreamt before the source gave its first picture."""
        self._layer: _Layer | None = None
        self._before: _Layer | None = None
        self._fade_from_s, self._fade_s = 0.0, 0.0
        self._apart_s = 0.0
        """Seconds from one dreamt picture to the next, lately."""
        self._now: tuple[int, np.ndarray] = (0, np.zeros((1, 1), np.uint8))
        """Number and grey of the picture seen last."""
        self._seen_s = -math.inf
        self._closer = 0.0
        self._shown_s: float | None = None

    def push(self, keyframe: Keyframe) -> None:
        """As in ``FrameInterpolator``."""
        with self._lock:
            self._pushed = keyframe

    def frame(self, now_s: float) -> tuple[np.ndarray | None, Scene | None]:
        """As in ``FrameInterpolator``; the newest picture of the source with the newest dream on it."""
        image, scene = self._frame(now_s, self._drawn)
        if image is None:
            return None, scene
        self._shown_s = now_s
        return enlarged(_closer(image, self._closer), self.size), scene

    def _frame(self, now_s: float, size: tuple[int, int]) -> tuple[np.ndarray | None, Scene | None]:
        picture = self._newest()
        with self._lock:
            keyframe, self._pushed = self._pushed, None
        if keyframe is not None and keyframe.ridden is None:
            self._alone = keyframe
        if picture is None:
            return self._dream_alone(size)
        if keyframe is not None and keyframe.ridden is not None:
            self._take(keyframe, keyframe.ridden, now_s)
        self._seen(picture)
        image, layer = _fitted(picture.image, size), self._layer
        if layer is None:
            return image.copy(), None
        share = 1.0 if self._fade_s <= 0 else min(1.0, (now_s - self._fade_from_s) / self._fade_s)
        if share >= 1:
            self._before = None
        added = self._moved(layer, share * self._kept(layer, now_s))
        if self._before is not None:
            added = added + self._moved(self._before, (1 - share) * self._kept(self._before, now_s))
        return _laid(image, added), layer.scene

    def set_zoom_offset(self, octaves: float) -> None:
        """As in ``FrameInterpolator``."""
        self._closer = octaves

    @property
    def shown_s(self) -> float | None:
        """As in ``FrameInterpolator``: there is no path, and what is shown is the present."""
        return self._shown_s

    def tune(self, config: Config) -> None:
        """As in ``FrameInterpolator``."""
        self._mix, self._decay_s = config.source.mix, config.source.decay_s

    @property
    def can_skip_flow(self) -> bool:
        """As in ``FrameInterpolator``: without the motion nothing dreamt could be laid where it belongs."""
        return False

    def reduce_load(self, *, follow: bool, part: float) -> None:
        """As in ``FrameInterpolator``."""
        self._drawn = reduced(self.size, part)

    def skip(self, now_s: float) -> None:
        """As in ``FrameInterpolator``: what moves is followed, or later what was dreamt could not be laid where it belongs."""
        picture = self._newest()
        if picture is not None and now_s - self._seen_s >= LEG_S:
            self._seen(picture)

    def close(self) -> None:
        """As in ``FrameInterpolator``."""

    def _dream_alone(self, size: tuple[int, int]) -> tuple[np.ndarray | None, Scene | None]:
        if self._alone is None:
            return None, None
        return _fitted(self._alone.image, size).copy(), self._alone.scene

    def _take(self, keyframe: Keyframe, ridden: SourcePicture, now_s: float) -> None:
        """Let a new dream take over."""
        grey = search_image(ridden.image)
        added = keyframe.image.astype(np.float32) - ridden.image
        self._before = before = self._layer
        self._layer = _Layer(added, grey, keyframe.time_s, keyframe.scene, unmoved(grey.shape), -1, ridden.number)
        if before is None:
            self._fade_from_s, self._fade_s = now_s, FADE_FIRST_S
            return
        self._apart_s = apart_s = keyframe.time_s - before.time_s
        self._fade_from_s, self._fade_s = now_s, 0.0 if apart_s <= DENSE_S else min(apart_s, FADE_MOST_S)

    def _seen(self, picture: SourcePicture) -> None:
        """Follow what moves up to a picture."""
        if picture.number != self._now[0]:
            self._now = picture.number, search_image(picture.image)
            self._seen_s = picture.time_s
            self._tracker.see(*self._now, picture.time_s)

    def _moved(self, layer: _Layer, strength: float) -> np.ndarray:
        """What a layer adds to the picture seen last."""
        if layer.number != self._now[0]:
            layer.flow, layer.number = self._tracker.flow((layer.dreamt_on, layer.grey), self._now), self._now[0]
        return warp(layer.added, layer.flow) * np.float32(strength)

    def _kept(self, layer: _Layer, now_s: float) -> float:
        """How much of a layer is left: all while dreams come as they use to, less once none comes any more."""
        overdue_s = now_s - layer.time_s - max(PATIENCE_S, PATIENCE * self._apart_s)
        return self._mix * math.exp(-max(0.0, overdue_s) / self._decay_s)


def _laid(image: np.ndarray, added: np.ndarray) -> np.ndarray:
    """The picture with what is added, at the picture's size."""
    height, width = image.shape[:2]
    levels = np.rint(added).astype(np.int16)
    if levels.shape[:2] != (height, width):
        shrinks = levels.shape[1] > width
        levels = cv2.resize(levels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.asarray(cv2.add(image, levels, dtype=cv2.CV_8U))


def _closer(image: np.ndarray, octaves: float) -> np.ndarray:
    """A picture from closer by, as large as it is."""
    if not octaves:
        return image
    size = (image.shape[0], image.shape[1])
    matrix = sampling_matrix(Pose(), Pose(octaves), size, size)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT)


def _fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if image.shape[:2] == size:
        return image
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC))
