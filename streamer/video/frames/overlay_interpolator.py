"""Frames for a moving source: each picture of the film or camera as it arrives, with the dream overlaid.

A dream takes longer than a picture lasts. What it added to its base frame is warped by the optical flow from that frame to the
current one, left out where the flow is unknown, and faded like the dream itself.
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
"""Longest fade from one keyframe to the next, in seconds; otherwise it lasts the time between the two."""
DENSE_S = 0.1
"""Keyframes at most this many seconds apart follow each other without a fade."""
FADE_FIRST_S = 1.0
"""Seconds over which the first keyframe fades in."""
PATIENCE_S, PATIENCE = 2.0, 3.0
"""The overlay starts to fade after so many seconds without a keyframe, or so many intervals of the latest length, if longer."""

Newest = Callable[[], SourcePicture | None]


@dataclass(slots=True)
class _Layer:
    """What a dream added to its base frame."""

    added: np.ndarray
    """(h, w, 3) float32, in levels, at the canvas' size."""
    grey: np.ndarray
    """The base frame in grey, for motion search."""
    time_s: float
    """Time of the keyframe."""
    scene: Scene
    flow: Flow
    """Flow from the base frame to the picture with number ``number``."""
    number: int
    base_number: int
    """Number of the base frame."""


class OverlayInterpolator:
    """Shows the moving source with the dream overlaid, at any rate; see ``FrameInterpolator``."""

    def __init__(self, size: tuple[int, int], newest: Newest, mix: float, decay_s: float) -> None:
        """Prepare to make frames.

        Args:
            size: (height, width) of the frames, and of the source's pictures.
            newest: Returns the source's newest picture; None while there is none.
            mix: Opacity of the dream, 0..1.
            decay_s: Seconds in which the overlay fades to 1/e.
        """
        self.size = self._drawn = size
        self._newest, self._mix, self._decay_s = newest, mix, decay_s
        self._tracker = Tracker()
        self._lock = threading.Lock()
        self._pushed: Keyframe | None = None
        self._alone: Keyframe | None = None
        """A keyframe from before the source's first picture."""
        self._layer: _Layer | None = None
        self._before: _Layer | None = None
        self._fade_from_s, self._fade_s = 0.0, 0.0
        self._apart_s = 0.0
        """Latest interval between keyframes, in seconds."""
        self._now: tuple[int, np.ndarray] = (0, np.zeros((1, 1), np.uint8))
        """Number and grey image of the latest picture."""
        self._seen_s = -math.inf
        self._closer = 0.0
        self._shown_s: float | None = None

    def push(self, keyframe: Keyframe) -> None:
        """See ``FrameInterpolator``."""
        with self._lock:
            self._pushed = keyframe

    def frame(self, now_s: float) -> tuple[np.ndarray | None, Scene | None]:
        """See ``FrameInterpolator``; the newest picture of the source with the newest dream on it."""
        image, scene = self._frame(now_s, self._drawn)
        if image is None:
            return None, scene
        self._shown_s = now_s
        return enlarged(_closer(image, self._closer), self.size), scene

    def _frame(self, now_s: float, size: tuple[int, int]) -> tuple[np.ndarray | None, Scene | None]:
        picture = self._newest()
        with self._lock:
            keyframe, self._pushed = self._pushed, None
        if keyframe is not None and keyframe.source_picture is None:
            self._alone = keyframe
        if picture is None:
            return self._dream_alone(size)
        if keyframe is not None and keyframe.source_picture is not None:
            self._take(keyframe, keyframe.source_picture, now_s)
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
        """See ``FrameInterpolator``."""
        self._closer = octaves

    @property
    def shown_s(self) -> float | None:
        """See ``FrameInterpolator``. There is no camera path: the time shown is the present."""
        return self._shown_s

    def tune(self, config: Config) -> None:
        """See ``FrameInterpolator``."""
        self._mix, self._decay_s = config.source.mix, config.source.decay_s

    @property
    def can_skip_flow(self) -> bool:
        """See ``FrameInterpolator``. The overlay always needs the motion to follow the picture."""
        return False

    def reduce_load(self, *, follow: bool, part: float) -> None:
        """See ``FrameInterpolator``."""
        self._drawn = reduced(self.size, part)

    def skip(self, now_s: float) -> None:
        """See ``FrameInterpolator``. It keeps following motion, so that the overlay fits later."""
        picture = self._newest()
        if picture is not None and now_s - self._seen_s >= LEG_S:
            self._seen(picture)

    def close(self) -> None:
        """See ``FrameInterpolator``."""

    def _dream_alone(self, size: tuple[int, int]) -> tuple[np.ndarray | None, Scene | None]:
        if self._alone is None:
            return None, None
        return _fitted(self._alone.image, size).copy(), self._alone.scene

    def _take(self, keyframe: Keyframe, source_picture: SourcePicture, now_s: float) -> None:
        """Start the fade to a new keyframe."""
        grey = search_image(source_picture.image)
        added = keyframe.image.astype(np.float32) - source_picture.image
        self._before = before = self._layer
        self._layer = _Layer(added, grey, keyframe.time_s, keyframe.scene, unmoved(grey.shape), -1, source_picture.number)
        if before is None:
            self._fade_from_s, self._fade_s = now_s, FADE_FIRST_S
            return
        self._apart_s = apart_s = keyframe.time_s - before.time_s
        self._fade_from_s, self._fade_s = now_s, 0.0 if apart_s <= DENSE_S else min(apart_s, FADE_MOST_S)

    def _seen(self, picture: SourcePicture) -> None:
        """Track the motion up to a picture."""
        if picture.number != self._now[0]:
            self._now = picture.number, search_image(picture.image)
            self._seen_s = picture.time_s
            self._tracker.see(*self._now, picture.time_s)

    def _moved(self, layer: _Layer, strength: float) -> np.ndarray:
        """Return what a layer adds to the latest picture."""
        if layer.number != self._now[0]:
            layer.flow, layer.number = self._tracker.flow((layer.base_number, layer.grey), self._now), self._now[0]
        return warp(layer.added, layer.flow) * np.float32(strength)

    def _kept(self, layer: _Layer, now_s: float) -> float:
        """Return the layer's opacity: full while keyframes arrive at their usual rate, fading once they stop."""
        overdue_s = now_s - layer.time_s - max(PATIENCE_S, PATIENCE * self._apart_s)
        return self._mix * math.exp(-max(0.0, overdue_s) / self._decay_s)


def _laid(image: np.ndarray, added: np.ndarray) -> np.ndarray:
    """Add a layer to a picture, at the picture's size."""
    height, width = image.shape[:2]
    levels = np.rint(added).astype(np.int16)
    if levels.shape[:2] != (height, width):
        shrinks = levels.shape[1] > width
        levels = cv2.resize(levels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.asarray(cv2.add(image, levels, dtype=cv2.CV_8U))


def _closer(image: np.ndarray, octaves: float) -> np.ndarray:
    """Zoom into a picture; its size stays."""
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
