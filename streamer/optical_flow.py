"""Optical flow between pictures, and where it can be trusted. Pure: NumPy and OpenCV; shared by dream and video.

Dense inverse search finds the motion in both directions (Kroeger et al. 2016, 'Fast Optical Flow using Dense Inverse Search').
Where forward and backward flow disagree, something was hidden or came into view (Sundaram, Brox and Keutzer 2010, 'Dense point
trajectories', section 3.1).
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

WIDTH = 256
"""Width in pixels at which flow is computed; twice that finds little more in a camera's picture, at four times the cost."""
LEAST_SIDE = 16
"""Side in pixels below which no flow is computed."""
SLACK_PX2 = 0.5
SLACK = 0.01
"""The forward-backward error may be SLACK_PX2 plus SLACK times the squared motion (Sundaram et al.), in squared pixels."""
UNLIKE = 14.0
"""Smoothed difference, in levels, between a pixel and its source from which on the match is doubtful."""
UNLIKE_PX = 1.5
"""Sigma of that smoothing, px."""
TREMBLE_PX = 0.08
"""Motion that is nowhere larger is camera noise: the picture counts as still."""
LEG_S = 0.4
"""Seconds of a leg: long enough that few legs are joined, short enough that most points are found again."""
ANCHORS = 32
BORDER = cv2.BORDER_REPLICATE


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """The motion from an earlier to a later picture, as maps over the later one."""

    back: np.ndarray
    """(h, w, 2) float32: displacement from each pixel of the later picture to its place in the earlier, (x, y), map pixels."""
    trust: np.ndarray
    """(h, w) float32, 0..1; 0 where the flow is unknown: hidden before, outside the picture, or changed."""

    @property
    def still(self) -> bool:
        """Whether nothing moved and nothing came into view."""
        return not self.back.any() and bool((self.trust == 1).all())


class FlowFinder:
    """Computes flow between pictures that ``search_image`` returns. Not thread-safe."""

    def __init__(self, *, fine: bool = True) -> None:
        """Set up the search; ``fine`` also follows small moving objects, in twice the time."""
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        if fine:
            self._search.setFinestScale(1)

    def between(self, earlier: np.ndarray, later: np.ndarray) -> Flow:
        """Return the flow from one picture to a later one of the same size, both (h, w) uint8."""
        if earlier is later or np.array_equal(earlier, later):
            return unmoved(later.shape)
        if min(later.shape) < LEAST_SIDE:
            return Flow(np.zeros((*later.shape, 2), np.float32), _alike(earlier, later))
        back = self._search.calc(later, earlier, None)  # type: ignore[call-overload]
        there = self._search.calc(earlier, later, None)  # type: ignore[call-overload]
        length = np.hypot(back[..., 0], back[..., 1])
        places = grid(later.shape) + back
        return_trip = back + _read(there, places)
        slack = SLACK_PX2 + SLACK * 2 * length**2
        closed = np.clip(2 - (return_trip**2).sum(2) / slack, 0, 1)
        height, width = later.shape
        inside = (places[..., 0] > -1) & (places[..., 0] < width) & (places[..., 1] > -1) & (places[..., 1] < height)
        trust = cv2.GaussianBlur((closed * inside).astype(np.float32), (0, 0), 1.0)
        trust *= _alike(_read(earlier, places), later)
        trust = np.clip(1.5 * trust - 0.25, 0, 1)
        return unmoved(later.shape) if length.max() < TREMBLE_PX and trust.min() == 1 else Flow(back, trust)


@dataclass(frozen=True, slots=True, eq=False)
class _Anchor:
    """A picture in between, and the flow to it from the previous anchor."""

    number: int
    grey: np.ndarray
    time_s: float
    flow: Flow


class Tracker:
    """Follows motion over seconds, in legs: over short steps errors add up, over long ones points are not found again.

    Thread-safe. Numbers and times of the pictures must increase.
    """

    def __init__(self) -> None:
        self._finder = FlowFinder()
        self._lock = threading.Lock()
        self._anchors: deque[_Anchor] = deque(maxlen=ANCHORS)
        self._leg: tuple[int, Flow] | None = None

    def see(self, number: int, grey: np.ndarray, time_s: float) -> None:
        """Add a picture that ``search_image`` returned; call this at least once per ``LEG_S``."""
        with self._lock:
            if not self._anchors:
                self._anchors.append(_Anchor(number, grey, time_s, unmoved(grey.shape)))
            elif time_s - self._anchors[-1].time_s >= LEG_S and number > self._anchors[-1].number:
                self._anchors.append(_Anchor(number, grey, time_s, self._from_last(number, grey)))

    def flow(self, earlier: tuple[int, np.ndarray], later: tuple[int, np.ndarray]) -> Flow:
        """Return the flow between two pictures, given by number and grey picture, over the anchors in between."""
        if earlier[1].shape != later[1].shape:
            earlier = earlier[0], cv2.resize(earlier[1], later[1].shape[::-1], interpolation=cv2.INTER_AREA)
        with self._lock:
            between = [anchor for anchor in self._anchors if earlier[0] <= anchor.number <= later[0]]
            if not between or later[0] - earlier[0] <= 1:
                return self._finder.between(earlier[1], later[1])
            first, last = between[0], between[-1]
            flow = unmoved(first.grey.shape) if earlier[0] == first.number else self._finder.between(earlier[1], first.grey)
            for anchor in between[1:]:
                flow = joined(flow, anchor.flow)
            if later[0] == last.number:
                return flow
            if last is self._anchors[-1]:
                return joined(flow, self._from_last(*later))
            return joined(flow, self._finder.between(last.grey, later[1]))

    def _from_last(self, number: int, grey: np.ndarray) -> Flow:
        """Return the flow from the last anchor; it is computed once per picture."""
        if self._leg is None or self._leg[0] != number:
            self._leg = number, self._finder.between(self._anchors[-1].grey, grey)
        return self._leg[1]


def joined(first: Flow, second: Flow) -> Flow:
    """Concatenate two flows of the same size; the second starts where the first ends."""
    if first.still or second.still:
        return second if first.still else first
    at = grid(second.back.shape) + second.back
    before = _read(np.dstack([first.back, first.trust]), at)
    return Flow(second.back + before[..., :2], np.minimum(second.trust, before[..., 2]))


def search_image(image: np.ndarray) -> np.ndarray:
    """Reduce a picture (H, W, 3) uint8 RGB to the form in which flow is computed: (h, w) uint8, small and grey."""
    height, width = image.shape[:2]
    if width > WIDTH:
        image = cv2.resize(image, (WIDTH, max(1, round(height * WIDTH / width))), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


def unmoved(size: tuple[int, ...]) -> Flow:
    """Return the flow without motion, as a map of (h, w)."""
    return Flow(np.zeros((*size[:2], 2), np.float32), np.ones(size[:2], np.float32))


def places(flow: Flow, size: tuple[int, int]) -> np.ndarray:
    """Return where each pixel of a later picture of (height, width) was in the earlier: (height, width, 2) float32, (x, y)."""
    height, width = size
    h, w = flow.trust.shape
    back = cv2.resize(flow.back, (width, height), interpolation=cv2.INTER_LINEAR)
    back *= np.array([width / w, height / h], np.float32)
    return np.asarray(back + grid(size))


def warp(picture: np.ndarray, flow: Flow) -> np.ndarray:
    """Warp a layer on the earlier picture to the later one; 0 where the flow is unknown.

    Args:
        picture: (H, W, C) float32, C up to 4, of any size.
    """
    if flow.still:
        return picture.copy()
    size = picture.shape[0], picture.shape[1]
    moved = cv2.remap(picture, places(flow, size), None, cv2.INTER_CUBIC, borderMode=BORDER)  # type: ignore[call-overload]
    trust = cv2.resize(flow.trust, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(moved.reshape(picture.shape) * trust[..., None], np.float32)


def grid(size: tuple[int, ...]) -> np.ndarray:
    """Return the coordinates of a map's pixels, (h, w, 2) float32, (x, y)."""
    height, width = size[:2]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return np.stack(np.meshgrid(x, y), -1)


def _read(maps: np.ndarray, at: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.remap(maps, at, None, cv2.INTER_LINEAR, borderMode=BORDER))  # type: ignore[call-overload]


def _alike(earlier: np.ndarray, later: np.ndarray) -> np.ndarray:
    """Return how much two pictures, (h, w) uint8, agree at each pixel: (h, w) float32, 0..1."""
    apart = cv2.GaussianBlur(cv2.absdiff(earlier, later).astype(np.float32), (0, 0), UNLIKE_PX)
    return np.asarray(np.clip(2 - apart / UNLIKE, 0, 1))
