"""Applies the rotation, mirroring and pixel aspect ratio that a video's metadata gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import attrgetter
from typing import Any, SupportsFloat

import cv2
import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamer.media.fit import resampled

Turn = tuple[int, int, int, int]
"""A rotation or mirroring as (a, b, c, d): moves (x, y) to (a x + c y, b x + d y), x to the right and y down."""
AS_IT_IS: Turn = (1, 0, 0, 1)
TURNS: tuple[Turn, ...] = (
    AS_IT_IS, (-1, 0, 0, -1), (0, -1, 1, 0), (0, 1, -1, 0),
    (-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0),
)  # fmt: skip
"""All turns by multiples of 90 degrees, and their mirrorings."""

WIDEST = 10.0
"""A pixel aspect ratio above this, or below its inverse, counts as a mistake: pixels are taken as square."""
SAME = 0.02
"""Relative difference up to which two pixel aspect ratios count as equal: Matroska rounds to whole pixels of the picture."""
_PARTS, _BASE = 10_000, 200
"""Resolution with which a pixel aspect ratio is measured, and the base of the two digits that encode it."""
_UNNAMED = tuple(number for number in range(48) if number not in set(map(attrgetter("value"), Type)))
"""Kinds of side data that PyAV has no name for: it cannot list any side data of a frame that has one of them."""


@dataclass(frozen=True, slots=True)
class DisplayShape:
    """How a picture is displayed."""

    pixel: float = 1.0
    """Width of a pixel over its height, before it is turned."""
    turn: Turn = AS_IT_IS
    """Rotation and mirroring."""


class DisplayShapeReader:
    """Reads the display shape of each picture of a track. For one thread.

    If the container gives another pixel aspect ratio than the first picture, the container's is used throughout: it is there to
    correct the pictures.
    """

    def __init__(self, stream: VideoStream) -> None:
        """Read the track's own metadata; nothing is decoded."""
        noted, coded = _ratio(stream.sample_aspect_ratio), _ratio(stream.codec_context.sample_aspect_ratio)
        self._noted = noted if noted and abs(noted / (coded or 1.0) - 1) > SAME else None
        self._kind: tuple[int, int, str] | None = None
        self._turn = AS_IT_IS

    def of(self, frame: VideoFrame) -> DisplayShape:
        """Return the display shape of a picture of the track, in any format."""
        kind = (frame.width, frame.height, frame.format.name)
        if kind != self._kind:
            self._kind, self._graph = kind, _measure(frame)
        self._graph.push(frame)
        measured = self._graph.pull()
        assert isinstance(measured, VideoFrame)
        pixel = self._noted or ((measured.width - 1) * _BASE + measured.height - 1) / _PARTS
        if not 1 / WIDEST < pixel < WIDEST:
            pixel = 1.0
        side_data: Any = measured.side_data  # a mapping by name; PyAV's types allow motion vectors only
        if "DISPLAYMATRIX" in side_data:
            self._turn = turn_of(np.frombuffer(bytes(side_data["DISPLAYMATRIX"]), np.int32).tolist())
        elif measured.key_frame:  # H.264 and HEVC may have it on the first of a sequence only
            self._turn = AS_IT_IS
        return DisplayShape(pixel, self._turn)


def turn_of(matrix: Sequence[int]) -> Turn:
    """Return the turn closest to a display matrix, nine numbers in FFmpeg's layout (ISO 14496-12, section 8.3.2)."""
    if len(matrix) != 9:
        return AS_IT_IS
    a, b, _, c, d = matrix[:5]
    return max(TURNS, key=lambda turn: a * turn[0] + b * turn[1] + c * turn[2] + d * turn[3])


def upright(image: np.ndarray, shape: DisplayShape) -> np.ndarray:
    """Return the picture as it is displayed.

    Args:
        image: (H, W, 3) uint8.

    Returns:
        (h, w, 3) uint8, C-contiguous.
    """
    if shape.pixel != 1:
        image = resampled(image, (image.shape[0], max(1, round(image.shape[1] * shape.pixel))))
    a, b, c, d = shape.turn
    if a == 0:
        image = cv2.transpose(image)
    to_left, to_top = min(a, c) < 0, min(b, d) < 0
    if to_left or to_top:
        image = cv2.flip(image, -1 if to_left and to_top else 1 if to_left else 0)
    return np.ascontiguousarray(image)


def _measure(frame: VideoFrame) -> Graph:
    """Build filters that encode a picture's pixel aspect ratio in its size and keep its side data.

    PyAV does not expose a frame's pixel aspect ratio; the decoder's, which it exposes, belongs to a later picture.
    """
    graph = Graph()
    graph.threads = 1
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000))
    named = [graph.add("sidedata", f"mode=delete:type={number}") for number in _UNNAMED]
    corner = graph.add("crop", w="min(2,iw)", h="min(2,ih)", x="0", y="0")
    number = f"round({_PARTS}*min(sar,{2 * WIDEST}))"
    digits = {"w": f"1+floor({number}/{_BASE})", "h": f"1+mod({number},{_BASE})"}
    written = graph.add("scale", **digits, eval="frame", flags="neighbor")
    graph.link_nodes(source, *named, corner, written, graph.add("buffersink")).configure()
    return graph


def _ratio(value: SupportsFloat | None) -> float:
    """Return a ratio as a number; 0 if it is unknown."""
    return float(value) if value else 0.0
