"""What moves from one picture to the next, and where that can be believed. Pure: NumPy and OpenCV; shared by dream and video.

Dense inverse search finds the motion both ways (Kroeger et al. 2016, 'Fast Optical Flow using Dense Inverse Search'); where the
way there and back does not end where it began, something was hidden or came into view (Sundaram, Brox and Keutzer 2010, 'Dense
point trajectories', section 3.1).
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

WIDTH = 256
"""Width at which motion is sought, pixels; finer finds little more in a camera's picture, at four times the cost."""
LEAST_SIDE = 16
"""Pixels below which nothing is sought."""
SLACK_PX2 = 0.5
SLACK = 0.01
"""A round trip may miss by SLACK_PX2 and SLACK of the motion's square (Sundaram et al.), in squared pixels."""
UNLIKE = 14.0
"""Smoothed difference, in levels, between a place and where it is said to come from, at which the match is doubted."""
UNLIKE_PX = 1.5
TREMBLE_PX = 0.08
"""Motion that is nowhere larger is a camera's noise: the picture stands."""
LEG_S = 0.4
"""Seconds of a leg: long enough that few are joined, short enough that most is found again."""
ANCHORS = 32
BORDER = cv2.BORDER_REPLICATE


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """The motion from an earlier to a later picture, as maps over the later one."""

    back: np.ndarray
    """(h, w, 2) float32: from each place of the later picture to where it was in the earlier, (x, y) in pixels of the map."""
    trust: np.ndarray
    """(h, w) float32, 0..1: 0 where that is not known: hidden before, outside the picture, or changed."""

    @property
    def still(self) -> bool:
        """Whether nothing moved and nothing came into view."""
        return not self.back.any() and bool((self.trust == 1).all())


class FlowFinder:
    """Finds motion between pictures as ``search_image`` makes them. For one thread."""

    def __init__(self, *, fine: bool = True) -> None:
        """``fine`` also follows small things that move by themselves, at twice the time."""
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        if fine:
            self._search.setFinestScale(1)

    def between(self, earlier: np.ndarray, later: np.ndarray) -> Flow:
        """The motion from one picture to a later one of the same size, (h, w) uint8."""
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
    """A picture on the way, and the motion to it from the anchor before."""

    number: int
    grey: np.ndarray
    time_s: float
    flow: Flow


class Tracker:
    """Follows motion over seconds, in legs: from picture to picture errors add up, over a long stretch nothing is found again.

    Thread-safe; numbers and times of the pictures seen rise.
    """

    def __init__(self) -> None:
        self._finder = FlowFinder()
        self._lock = threading.Lock()
        self._anchors: deque[_Anchor] = deque(maxlen=ANCHORS)
        self._leg: tuple[int, Flow] | None = None

    def see(self, number: int, grey: np.ndarray, time_s: float) -> None:
        """Pass by a picture, as ``search_image`` makes it; at least one in ``LEG_S`` seconds is worth passing."""
        with self._lock:
            if not self._anchors:
                self._anchors.append(_Anchor(number, grey, time_s, unmoved(grey.shape)))
            elif time_s - self._anchors[-1].time_s >= LEG_S and number > self._anchors[-1].number:
                self._anchors.append(_Anchor(number, grey, time_s, self._from_last(number, grey)))

    def flow(self, earlier: tuple[int, np.ndarray], later: tuple[int, np.ndarray]) -> Flow:
        """The motion between two pictures, numbers and greys, by way of what was seen in between."""
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
        """The motion from the last anchor; of one picture it is sought but once."""
        if self._leg is None or self._leg[0] != number:
            self._leg = number, self._finder.between(self._anchors[-1].grey, grey)
        return self._leg[1]


def joined(first: Flow, second: Flow) -> Flow:
    """The motion over two stretches, the end of the first being the beginning of the second; maps of one size."""
    if first.still or second.still:
        return second if first.still else first
    at = grid(second.back.shape) + second.back
    before = _read(np.dstack([first.back, first.trust]), at)
    return Flow(second.back + before[..., :2], np.minimum(second.trust, before[..., 2]))


def search_image(image: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) uint8 RGB as motion is sought in it: (h, w) uint8, small and grey."""
    height, width = image.shape[:2]
    if width > WIDTH:
        image = cv2.resize(image, (WIDTH, max(1, round(height * WIDTH / width))), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


def unmoved(size: tuple[int, ...]) -> Flow:
    """The motion of what stands still, over a map of (h, w)."""
    return Flow(np.zeros((*size[:2], 2), np.float32), np.ones(size[:2], np.float32))


def places(flow: Flow, size: tuple[int, int]) -> np.ndarray:
    """Where each pixel of a later picture of (height, width) was in the earlier one, (height, width, 2) float32, (x, y)."""
    height, width = size
    h, w = flow.trust.shape
    back = cv2.resize(flow.back, (width, height), interpolation=cv2.INTER_LINEAR)
    back *= np.array([width / w, height / h], np.float32)
    return np.asarray(back + grid(size))


def warp(picture: np.ndarray, flow: Flow) -> np.ndarray:
    """Move what lies on the earlier picture along to the later one; 0 where nothing is known to have come.

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
    """The places of a map's own pixels, (h, w, 2) float32, (x, y)."""
    height, width = size[:2]
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return np.stack(np.meshgrid(x, y), -1)


def _read(maps: np.ndarray, at: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.remap(maps, at, None, cv2.INTER_LINEAR, borderMode=BORDER))  # type: ignore[call-overload]


def _alike(earlier: np.ndarray, later: np.ndarray) -> np.ndarray:
    """How much two pictures, (h, w) uint8, agree at each place: (h, w) float32, 0..1."""
    apart = cv2.GaussianBlur(cv2.absdiff(earlier, later).astype(np.float32), (0, 0), UNLIKE_PX)
    return np.asarray(np.clip(2 - apart / UNLIKE, 0, 1))
