"""Compares two sparse keyframes, with the exact zoom removed, to improve the frames between them.

The dream mostly grows in place, so a plain blend is right for most of it. Three maps, computed once per pair, improve it: the
motion to follow, where that makes the two agree better; the sharper keyframe, where they agree anyway; and a gain for the
contrast that details lose when two different pictures are averaged.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from streamer.messages.motion import Pose
from streamer.optical_flow import grid
from streamer.zoom import between, sampling_matrix

COMPARE_WIDTH = 480
"""Width at which the two are compared, in pixels."""
FLOW_SCALE = 0.5
"""Scale of the flow relative to the compared size; a finer flow finds no more, at four times the cost."""
LEAST_SIDE_PX = 24
"""Least shorter side at the flow's size; smaller pictures are not compared."""
CONSISTENT_PX = 3.0
"""Error of the forward-backward round trip at which a flow vector's trust has fallen to 1/e, in compared pixels."""
SMOOTH_PX = 6.0
"""Sigma over which trusted vectors replace the others, in compared pixels."""
BELIEF = 2.0
DOUBT = 0.15
"""Weight of the flow: BELIEF times (the share of the mismatch that it removes minus DOUBT)."""
MISMATCH_FLOOR = 1.0
"""Mean squared difference that counts as noise, in squared levels."""
AGREE_RMS = (0.6, 1.2)
"""Smoothed difference, in levels, up to which the two show the same thing, and from which on they do not."""
DETAIL_PX = 1.6
"""Sigma of the Gaussian that separates detail, in compared pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Residual:
    """Maps at the pose half way between two keyframes, (h, w, …) float32 at the flow's size."""

    pose: Pose
    flow: np.ndarray
    """(h, w, 4): motion (x, y) from the older to the newer, and back, in the map's pixels; 0 where it is not followed."""
    look: np.ndarray
    """(h, w, 4): how much the two show the same thing, 0..1; energy of detail in the older, in the newer, and in common."""
    moves: bool
    """Whether there is any flow to follow."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the maps."""
        return self.flow.shape[0], self.flow.shape[1]


def compare(older: np.ndarray, older_pose: Pose, newer: np.ndarray, newer_pose: Pose) -> Residual | None:
    """Compare two keyframes; return None if they are too small.

    Args:
        older, newer: (H, W, 3) uint8 RGB, each of any size.
    """
    width = min(COMPARE_WIDTH, older.shape[1], newer.shape[1])
    size = (round(width * older.shape[0] / older.shape[1]), width)
    small = (round(size[0] * FLOW_SCALE), round(size[1] * FLOW_SCALE))
    if min(small) < LEAST_SIDE_PX:
        return None
    pose = between(older_pose, newer_pose, 0.5)
    first, second = _grey(older, older_pose, pose, size), _grey(newer, newer_pose, pose, size)
    covered = _covered(newer.shape, newer_pose, pose, small) & _covered(older.shape, older_pose, pose, small)
    flow = _flow(_shrink(first, small), _shrink(second, small))
    flow *= (_gain(_shrink(first, small), _shrink(second, small), flow) * covered)[..., None]
    return Residual(pose, flow, _look(first, second, small, covered), moves=bool(np.abs(flow).max() > 0.1))


def _grey(image: np.ndarray, source: Pose, target: Pose, size: tuple[int, int]) -> np.ndarray:
    """Return the grey picture as seen from ``target``, (h, w) float32."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if image.shape[1] > 1.5 * size[1]:
        reduced = (size[1], max(1, round(image.shape[0] * size[1] / image.shape[1])))
        grey = cv2.resize(grey, reduced, interpolation=cv2.INTER_AREA)
    matrix = sampling_matrix(source, target, grey.shape[:2], size)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(grey, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT).astype(np.float32)


def _covered(shape: tuple[int, ...], source: Pose, target: Pose, size: tuple[int, int]) -> np.ndarray:
    inside = np.full(shape[:2], 255, np.uint8)
    matrix = sampling_matrix(source, target, (shape[0], shape[1]), size)
    return cv2.warpAffine(inside, matrix, size[::-1], flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP) > 0


def _shrink(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)


def _flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return forward and backward flow, (h, w, 4) float32, smoothed from where the two are consistent."""
    a, b = first.astype(np.uint8), second.astype(np.uint8)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    forward, backward = search.calc(a, b, None), search.calc(b, a, None)  # type: ignore[call-overload]
    return np.concatenate([_trusted(forward, backward), _trusted(backward, forward)], axis=2)


def _trusted(flow: np.ndarray, opposite: np.ndarray) -> np.ndarray:
    trip = flow + read_at(opposite, grid(flow.shape) + flow, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    trust = np.exp(-(trip**2).sum(2) / (CONSISTENT_PX * FLOW_SCALE) ** 2)
    reach = SMOOTH_PX * FLOW_SCALE
    weighted = cv2.GaussianBlur(flow * trust[..., None], (0, 0), reach)
    smoothed: np.ndarray = weighted / (cv2.GaussianBlur(trust, (0, 0), reach)[..., None] + 0.05)
    return smoothed


def _gain(first: np.ndarray, second: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Return the weight of the flow at each point, 0..1: how much better the two agree half way along it."""
    places = grid(first.shape)
    moved = [
        read_at(image, places - 0.5 * flow[..., part], cv2.INTER_LINEAR, cv2.BORDER_REFLECT)
        for image, part in ((first, slice(0, 2)), (second, slice(2, 4)))
    ]
    reach = SMOOTH_PX * FLOW_SCALE
    still_error = cv2.GaussianBlur((first - second) ** 2, (0, 0), reach)
    moved_error = cv2.GaussianBlur((moved[0] - moved[1]) ** 2, (0, 0), reach)
    gain: np.ndarray = np.clip(BELIEF * (1 - moved_error / (still_error + MISMATCH_FLOOR) - DOUBT), 0, 1)
    return cv2.GaussianBlur(gain, (0, 0), 2.0)


def _look(first: np.ndarray, second: np.ndarray, size: tuple[int, int], covered: np.ndarray) -> np.ndarray:
    smooth = [cv2.GaussianBlur(image, (0, 0), DETAIL_PX) for image in (first, second)]
    difference = np.sqrt(_shrink(cv2.GaussianBlur((smooth[0] - smooth[1]) ** 2, (0, 0), 4.0), size))
    low, high = AGREE_RMS
    same = np.clip((high - difference) / (high - low), 0, 1) * covered
    fine = first - smooth[0], second - smooth[1]
    energies = [
        _shrink(cv2.GaussianBlur(product, (0, 0), 6.0), size)
        for product in (fine[0] * fine[0], fine[1] * fine[1], fine[0] * fine[1])
    ]
    return np.dstack([same, *energies]).astype(np.float32)


def read_at(image: np.ndarray, places: np.ndarray, sampling: int, border: int) -> np.ndarray:
    """Sample the image at ``places``, (h, w, 2) float32 of (x, y)."""
    read: np.ndarray = cv2.remap(image, places, None, sampling, borderMode=border)  # type: ignore[call-overload]
    return read
