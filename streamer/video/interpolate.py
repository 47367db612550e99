"""Two keyframes and a moment to one picture: both are warped along the exact camera path and blended."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import cv2
import numpy as np

from streamer.messages import Keyframe, Motion, Pose, Scene
from streamer.video.pace import Playhead, Shot, View
from streamer.zoom import sampling_matrix

BORDER = cv2.BORDER_REFLECT
PUSHED = 8
"""Keyframes that wait for the next frame to be asked for. When full: the oldest is dropped; the newest win."""
FINE_ENOUGH = 0.7
"""Keyframes up to this part of the video's width are enlarged once on arrival; linear sampling keeps their detail then."""
MARGIN_PX = 12.0
"""Width of the seam at the edge of what the nearer keyframe covers, in pixels of the video."""
CELL_PX = 8
"""Weights are computed on a grid this coarse."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A keyframe's picture, made ready to be sampled."""

    image: np.ndarray
    """(H, W, 3) uint8."""
    sampling: int
    """OpenCV's interpolation flag that keeps its detail."""


class Interpolator:
    """Shows the dream at any rate, a little behind the present.

    ``push`` may be called from any thread; ``frame`` and ``close`` belong to one.
    """

    def __init__(
        self, size: tuple[int, int], residual_flow: bool, *, motion: Motion | None = None, offline: bool = False
    ) -> None:
        """Prepare to make frames.

        Args:
            size: (height, width) of the frames.
            residual_flow: Whether to follow what moves besides the zoom between sparse keyframes.
            motion: How the camera is taken to move until the second keyframe tells.
            offline: Whether ``frame`` is asked for moments of the path itself, with the keyframes around them pushed before.
        """
        self.size = size
        self._lock = threading.Lock()
        self._pushed: list[tuple[Keyframe, Picture]] = []
        self._playhead: Playhead[Picture] = Playhead(motion or Motion(), offline=offline)
        self._offline = offline
        self._flow = residual_flow

    @property
    def delay_s(self) -> float:
        """Seconds that the show runs behind the keyframes' clock, lately."""
        return self._playhead.delay_s

    def push(self, keyframe: Keyframe) -> None:
        """Take the next keyframe."""
        picture = _prepare(keyframe.image, self.size)
        with self._lock:
            self._pushed.append((keyframe, picture))
            if len(self._pushed) > PUSHED and not self._offline:
                del self._pushed[0]

    def frame(self, now_s: float) -> tuple[np.ndarray | None, Scene | None]:
        """Make the picture for a moment.

        Args:
            now_s: Seconds on the keyframes' clock; does not go back.

        Returns:
            (h, w, 3) uint8 RGB, the caller's own, and the scene it shows; both None before the first keyframe.
        """
        with self._lock:
            arrived, self._pushed = self._pushed, []
        for keyframe, picture in arrived:
            self._playhead.add(keyframe, picture, now_s)
        view = self._playhead.at(now_s)
        if view is None:
            return None, None
        nearer = view.newer if view.fraction >= 0.5 else view.older
        return self._draw(view), nearer.keyframe.scene

    def close(self) -> None:
        """Free what it holds."""

    def _draw(self, view: View[Picture]) -> np.ndarray:
        older, newer, fraction = view.older, view.newer, view.fraction
        if older is newer or fraction == 0.0:
            return self._seen(older, view.pose)
        if fraction == 1.0:
            return self._seen(newer, view.pose)
        first, second = self._seen(older, view.pose), self._seen(newer, view.pose)
        weight = _weights(self.size, self._matrix(older, view.pose), self._matrix(newer, view.pose), older, newer, fraction)
        return cv2.blendLinear(first, second, 1.0 - weight, weight)

    def _matrix(self, shot: Shot[Picture], pose: Pose) -> np.ndarray:
        return sampling_matrix(shot.pose, pose, shot.payload.image.shape[:2], self.size)

    def _seen(self, shot: Shot[Picture], pose: Pose) -> np.ndarray:
        """A keyframe as seen from ``pose``."""
        flags = shot.payload.sampling | cv2.WARP_INVERSE_MAP
        height, width = self.size
        return cv2.warpAffine(shot.payload.image, self._matrix(shot, pose), (width, height), flags=flags, borderMode=BORDER)


def _prepare(image: np.ndarray, size: tuple[int, int]) -> Picture:
    height, width = image.shape[:2]
    scale = size[1] / width
    if width <= FINE_ENOUGH * size[1]:
        large = (size[1], max(1, round(height * scale)))
        return Picture(cv2.resize(image, large, interpolation=cv2.INTER_CUBIC), cv2.INTER_LINEAR)
    if width > 1.5 * size[1]:
        small = (size[1], max(1, round(height * scale)))
        return Picture(cv2.resize(image, small, interpolation=cv2.INTER_AREA), cv2.INTER_CUBIC)
    return Picture(image, cv2.INTER_CUBIC)


def _coverage(grid: np.ndarray, matrix: np.ndarray, shape: tuple[int, ...], margin_px: float) -> np.ndarray:
    """How surely each place of the grid lies within a picture: 0 at its edge and outside, 1 from a margin inwards."""
    places = cv2.transform(grid, matrix)
    height, width = shape[:2]
    x, y = places[..., 0], places[..., 1]
    inside = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
    return np.clip((inside + 1.0) / margin_px, 1e-3, 1.0)


def _weights(
    size: tuple[int, int], first: np.ndarray, second: np.ndarray, older: Shot[Picture], newer: Shot[Picture], fraction: float
) -> np.ndarray:
    """The newer picture's share at every pixel, (h, w) float32 in 0..1."""
    height, width = size
    rows, columns = max(2, height // CELL_PX), max(2, width // CELL_PX)
    x = (np.arange(columns, dtype=np.float32) + 0.5) * (width / columns) - 0.5
    y = (np.arange(rows, dtype=np.float32) + 0.5) * (height / rows) - 0.5
    grid = np.stack(np.meshgrid(x, y), -1)
    a = (1 - fraction) * _coverage(grid, first, older.payload.image.shape, MARGIN_PX)
    b = fraction * _coverage(grid, second, newer.payload.image.shape, MARGIN_PX)
    return cv2.resize((b / (a + b)).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
