"""Which way is up: turns and mirrorings that a film notes down, and pixels that are not square."""

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
"""Where a picture's pixels go, as (a, b, c, d): from (x, y) to (a x + c y, b x + d y), x to the right and y down."""
AS_IT_IS: Turn = (1, 0, 0, 1)
TURNS: tuple[Turn, ...] = (
    AS_IT_IS, (-1, 0, 0, -1), (0, -1, 1, 0), (0, 1, -1, 0),
    (-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0),
)  # fmt: skip
"""All that leave a picture upright or lying: half and quarter turns, and their mirrorings."""

WIDEST = 10.0
"""Pixels that are said to be wider, or narrower, are taken for a mistake and shown square."""
SAME = 0.02
"""Share by which two notes of a pixel's shape may differ and mean the same: Matroska rounds to whole pixels of the picture."""
_PARTS, _BASE = 10_000, 200
"""How finely a pixel's shape is measured, and the base of the two digits that it is written with."""
_UNNAMED = tuple(number for number in range(48) if number not in set(map(attrgetter("value"), Type)))
"""Kinds of side data that FFmpeg may add and PyAV has no name for: it can list none of a frame that has such a one."""


@dataclass(frozen=True, slots=True)
class DisplayShape:
    """How a picture is meant to be seen."""

    pixel: float = 1.0
    """Width of a pixel over its height, before it is turned."""
    turn: Turn = AS_IT_IS
    """How it is turned and mirrored."""


class DisplayShapeReader:
    """Reads what the pictures of a track say of their shape, each for itself. For one thread.

    Where the container notes another shape of pixels than the first picture, it means to correct it and is believed
    throughout.
    """

    def __init__(self, stream: VideoStream) -> None:
        """Look at the track's own notes; nothing is decoded."""
        told, coded = _ratio(stream.sample_aspect_ratio), _ratio(stream.codec_context.sample_aspect_ratio)
        self._told = told if told and abs(told / (coded or 1.0) - 1) > SAME else None
        self._kind: tuple[int, int, str] | None = None
        self._turn = AS_IT_IS

    def of(self, frame: VideoFrame) -> DisplayShape:
        """How a picture of the track, in any format, is meant to be seen."""
        kind = (frame.width, frame.height, frame.format.name)
        if kind != self._kind:
            self._kind, self._graph = kind, _measure(frame)
        self._graph.push(frame)
        noted = self._graph.pull()
        assert isinstance(noted, VideoFrame)
        pixel = self._told or ((noted.width - 1) * _BASE + noted.height - 1) / _PARTS
        if not 1 / WIDEST < pixel < WIDEST:
            pixel = 1.0
        notes: Any = noted.side_data  # a mapping by name, which PyAV declares to hold motion vectors only
        if "DISPLAYMATRIX" in notes:
            self._turn = turn_of(np.frombuffer(bytes(notes["DISPLAYMATRIX"]), np.int32).tolist())
        elif noted.key_frame:  # H.264 and HEVC may note it on the first of a sequence, for all of them
            self._turn = AS_IT_IS
        return DisplayShape(pixel, self._turn)


def turn_of(matrix: Sequence[int]) -> Turn:
    """The turn that comes nearest to a display matrix, nine numbers as FFmpeg keeps them (ISO 14496-12, section 8.3.2)."""
    if len(matrix) != 9:
        return AS_IT_IS
    a, b, _, c, d = matrix[:5]
    return max(TURNS, key=lambda turn: a * turn[0] + b * turn[1] + c * turn[2] + d * turn[3])


def upright(image: np.ndarray, shape: DisplayShape) -> np.ndarray:
    """The picture as it is meant to be seen.

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
    """Filters that write the shape of a picture's pixels into its size, and leave what else is noted on it.

    PyAV does not tell the shape of a frame's pixels; the decoder's, which it tells, is that of a picture some way ahead.
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
    """A ratio as a number; 0 where it is not known."""
    return float(value) if value else 0.0
