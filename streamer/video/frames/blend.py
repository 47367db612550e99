"""The arithmetic of one frame: warps keyframes to a pose and blends two of them. No time and no threads here."""

from __future__ import annotations

import cv2
import numpy as np

from streamer.messages.motion import Pose
from streamer.video.frames.residual_flow import Residual, read_at
from streamer.zoom import sampling_matrix

PosedImage = tuple[np.ndarray, Pose]
"""A picture, (H, W, 3) uint8, best from ``prepare``, and its pose."""

BORDER = cv2.BORDER_REFLECT
OVERSAMPLING = (2.0, 1.5)
"""Pictures are enlarged once, with a good kernel, to at least these multiples of their own and the frame's width. Linear
sampling for each frame then costs little detail, and nearly the same at every pixel offset…"""
SHARPENING = {cv2.INTER_LANCZOS4: 0.10, cv2.INTER_CUBIC: 0.05}
"""…and this much sharpening beforehand, by kernel, compensates for it (measured on dreams)."""
TOO_FINE = 1.34
"""Pictures wider than this multiple of the frame's width are first reduced to the frame's width."""
WIDTH_PER_CELL = 240
"""Weights and motion are computed on a grid of cells of 1 to 8 pixels: the width divided by this. Between dense keyframes,
where the rim is narrow, a grid four times as coarse is enough."""
SEAM_CELLS = 1.0
"""Width of the seam inside the edge of what a keyframe covers, in cells; a wider one wastes detail of the closer keyframe."""
LEAST_COVER = 1e-3
SHARPER_POWER = 6
"""How early the frame switches to the sharper keyframe where both show the same thing."""
DETAIL_KEPT = 0.3
"""Share of the contrast lost by averaging that is restored to details."""
DETAIL_GAIN = 1.6
"""Largest gain of details."""
LEAST_RAISED = 1.02
DETAIL_PX = 0.0034
"""Sigma of the low-pass that separates detail, as a fraction of the frame's width."""


class Blend:
    """Draws frames of one size, (height, width). Belongs to one thread."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self._grid = _Grid(size, min(8, max(1, size[1] // WIDTH_PER_CELL)))
        self._coarse = _Grid(size, min(8, max(1, size[1] // (WIDTH_PER_CELL // 4))))
        self._buffers: dict[str, np.ndarray] = {}

    def one(self, image: np.ndarray, own: Pose, pose: Pose) -> np.ndarray:
        """Return a picture with pose ``own`` as seen from ``pose``, (h, w, 3) uint8."""
        matrix = sampling_matrix(own, pose, _size(image), self.size)
        return cv2.warpAffine(image, matrix, self.size[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=BORDER)

    def dense(self, older: PosedImage, newer: PosedImage, pose: Pose, fraction: float) -> np.ndarray:
        """Blend two keyframes close in time: a plain cross-fade, except at the rim that one of them does not cover."""
        first, second = (self.one(image, own, pose) for image, own in (older, newer))
        result = cv2.addWeighted(first, 1 - fraction, second, fraction, 0.0)
        rims = self._rims(older, newer, pose)
        if rims:
            weight, rest = self._shares(self._weight(older, newer, pose, fraction, self._coarse), self._coarse)
            for rim in rims:
                result[rim] = cv2.blendLinear(first[rim], second[rim], rest[rim], weight[rim])
        return result

    def sparse(
        self, older: PosedImage, newer: PosedImage, pose: Pose, fraction: float, residual: Residual | None, strength: float
    ) -> np.ndarray:
        """Blend two keyframes far apart in time, using their residual flow with a weight of ``strength``, 0..1."""
        if residual is None or strength == 0.0:
            first, second = (self.one(image, own, pose) for image, own in (older, newer))
            weight, rest = self._shares(self._weight(older, newer, pose, fraction, self._grid), self._grid)
            return cv2.blendLinear(first, second, rest, weight)
        to_map = self._grid.to_frame(sampling_matrix(residual.pose, pose, residual.size, self.size))
        look = self._grid.read(residual.look, to_map)
        if residual.moves:
            flow = self._grid.read(residual.flow, to_map)
            shares = zip((older, newer), _in_between(fraction), strict=True)
            first, second = (self._moved(source, pose, residual, flow, strength * share) for source, share in shares)
        else:
            first, second = (self.one(image, own, pose) for image, own in (older, newer))
        share = fraction + look[..., 0] * strength * (_sharper(older, newer, fraction) - fraction)
        weight, rest = self._shares(self._weight(older, newer, pose, share, self._grid), self._grid)
        blended = cv2.blendLinear(first, second, rest, weight)
        raised = (_detail_gain(look, share) - 1) * (1 - look[..., 0]) * (DETAIL_KEPT * strength)
        return self._raise_detail(blended, 1 + raised)

    def _moved(self, source: PosedImage, pose: Pose, residual: Residual, flow: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Return a keyframe as seen from ``pose``, displaced by a (2, 4) ``share`` of the forward and backward flow."""
        image, own = source
        places = cv2.transform(self._grid.places, sampling_matrix(own, pose, _size(image), self.size))
        to_source = sampling_matrix(own, residual.pose, _size(image), residual.size)
        places = cv2.add(places, cv2.transform(flow, to_source[:, :2] @ share), dst=places)
        return read_at(image, self._enlarge("places", places, self._grid), cv2.INTER_LINEAR, BORDER)

    def _weight(
        self, older: PosedImage, newer: PosedImage, pose: Pose, fraction: float | np.ndarray, grid: _Grid
    ) -> np.ndarray:
        """Return the newer keyframe's weight on the grid: ``fraction``, except where only one of the two covers the frame."""
        first, second = (self._cover(source, pose, grid) for source in (older, newer))
        weight = fraction * second
        return np.asarray(weight / (weight + (1 - fraction) * first), np.float32)

    def _cover(self, source: PosedImage, pose: Pose, grid: _Grid) -> np.ndarray:
        """Return how far each grid point is inside a picture: nearly 0 at its edge and outside, 1 beyond the seam."""
        height, width = _size(source[0])
        places = cv2.transform(grid.places, sampling_matrix(source[1], pose, (height, width), self.size))
        x, y = places[..., 0], places[..., 1]
        inside = np.minimum(np.minimum(x + 0.5, width - 0.5 - x), np.minimum(y + 0.5, height - 0.5 - y))
        return np.asarray(np.clip(inside / (grid.seam_px * width / self.size[1]), LEAST_COVER, 1.0))

    def _shares(self, weight: np.ndarray, grid: _Grid) -> tuple[np.ndarray, np.ndarray]:
        """Return a weight and its complement to 1 over the whole frame; valid until the next call."""
        full = self._enlarge("weight", weight, grid)
        rest = cv2.subtract(1.0, full, dst=self._buffers.get("rest"))  # type: ignore[call-overload]
        self._buffers["rest"] = rest
        return full, rest

    def _enlarge(self, name: str, values: np.ndarray, grid: _Grid) -> np.ndarray:
        """Return values of a grid over the whole frame; valid until the next call with this name."""
        values = np.ascontiguousarray(values, np.float32)
        self._buffers[name] = full = cv2.resize(
            values, grid.extent, dst=self._buffers.get(name), interpolation=cv2.INTER_LINEAR
        )
        pad, (height, width) = grid.cell_px, self.size
        return full[pad : pad + height, pad : pad + width]

    def _rims(self, older: PosedImage, newer: PosedImage, pose: Pose) -> list[tuple[slice, slice]]:
        """Return the four strips around the part of the frame that both cover; empty if both cover all of it."""
        height, width = self.size
        part = 1.0
        for image, own in (older, newer):
            matrix = sampling_matrix(own, pose, _size(image), self.size)
            seam = (self._coarse.seam_px + self._coarse.cell_px) * image.shape[1] / width
            for row, side in ((0, image.shape[1]), (1, image.shape[0])):
                reach = abs(matrix[row, 0]) * width / 2 + abs(matrix[row, 1]) * height / 2
                part = min(part, (side / 2 - seam) / max(reach, 1e-9))
        x = int(np.clip(np.ceil(width / 2 * (1 - part)), 0, width // 2))
        y = int(np.clip(np.ceil(height / 2 * (1 - part)), 0, height // 2))
        if x == 0 and y == 0:
            return []
        middle = slice(y, height - y)
        rims = [
            (slice(0, y), slice(0, width)),
            (slice(height - y, height), slice(0, width)),
            (middle, slice(0, x)),
            (middle, slice(width - x, width)),
        ]
        return [rim for rim in rims if rim[0].stop > rim[0].start and rim[1].stop > rim[1].start]

    def _raise_detail(self, image: np.ndarray, gain: np.ndarray) -> np.ndarray:
        if float(gain.max()) < LEAST_RAISED:
            return image
        smooth = cv2.GaussianBlur(image, (0, 0), max(0.5, DETAIL_PX * self.size[1]))
        full, rest = self._shares(gain, self._grid)
        return cv2.blendLinear(image, smooth, full, rest)


def prepare(image: np.ndarray, size: tuple[int, int], kernel: int) -> np.ndarray:
    """Prepare a keyframe's picture for ``Blend`` with frames of ``size``.

    Args:
        image: (H, W, 3) uint8.
        kernel: ``cv2.INTER_LANCZOS4``, or ``cv2.INTER_CUBIC`` at a tenth of the cost.
    """
    height, width = image.shape[:2]
    if width > TOO_FINE * size[1]:
        reduced = (size[1], max(1, round(height * size[1] / width)))
        image, (width, height) = cv2.resize(image, reduced, interpolation=cv2.INTER_AREA), reduced
    if width > size[1]:
        return image
    scale = max(OVERSAMPLING[0], OVERSAMPLING[1] * size[1] / width)
    large = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=kernel)
    side = SHARPENING[kernel]
    taps = np.array([-side, 1 + 2 * side, -side], np.float32)
    return cv2.sepFilter2D(large, -1, taps, taps, borderType=BORDER)


class _Grid:
    """Cells over the frame plus one on each side, so that enlarging them is exact up to the frame's edge."""

    def __init__(self, size: tuple[int, int], cell_px: int) -> None:
        height, width = size
        self.cell_px = cell_px
        self.seam_px = SEAM_CELLS * self.cell_px
        rows, columns = -(-height // self.cell_px) + 2, -(-width // self.cell_px) + 2
        self.size = (rows, columns)
        self.extent = (columns * self.cell_px, rows * self.cell_px)
        """(width, height) that the cells cover, in pixels."""
        self._first = (self.cell_px - 1) / 2 - self.cell_px
        x, y = (np.arange(count, dtype=np.float32) * self.cell_px + np.float32(self._first) for count in (columns, rows))
        self.places = np.stack(np.meshgrid(x, y), -1)
        """(rows, columns, 2) float32: (x, y) of the cells' centres, in frame pixels."""

    def to_frame(self, matrix: np.ndarray) -> np.ndarray:
        """Convert an affine map of frame pixels to one of cells."""
        result = matrix * self.cell_px
        result[:, 2] = matrix[:, 2] + matrix[:, :2].sum(1) * self._first
        return result

    def read(self, maps: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """Sample maps, (h, w, up to 4), at every cell."""
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(maps, matrix, self.size[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _size(image: np.ndarray) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def _in_between(fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Return two (2, 4) matrices from forward and backward flow to the displacement of an in-between point in each picture.

    Jiang et al. 2018, 'Super SloMo', section 3.2: both flows, each weighted more near its own picture.
    """
    t, both = fraction, np.eye(2)
    return np.hstack([-(1 - t) * t * both, t * t * both]), np.hstack([(1 - t) ** 2 * both, -t * (1 - t) * both])


def _sharper(older: PosedImage, newer: PosedImage, fraction: float) -> float:
    """Return the newer picture's weight where both show the same thing: it soon favours the one taken closer."""
    if newer[1].log_zoom >= older[1].log_zoom:
        return 1 - (1 - fraction) ** SHARPER_POWER
    return float(fraction**SHARPER_POWER)


def _detail_gain(look: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the gain that makes details as strong as in the two keyframes, 1..DETAIL_GAIN."""
    older, newer, common = look[..., 1], look[..., 2], look[..., 3]
    rest = 1 - share
    wanted = rest * older + share * newer
    got = rest * rest * older + share * share * newer + 2 * rest * share * common
    return np.asarray(np.clip(np.sqrt((wanted + 1.0) / (np.maximum(got, 0.0) + 1.0)), 1.0, DETAIL_GAIN))
