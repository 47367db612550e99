"""Converts pictures to sRGB through lookup tables, with FFmpeg's ``lut3d`` and ``lut1d``.

A picture of 1920x1080 takes 45 ms of CPU time, which FFmpeg spreads over the cores.
"""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame

from streamer.media.filter_graphs import buffer_for
from streamer.media.tone_mapping import Primaries, Transfer, from_display_light, to_display_light, to_linear_light

GRID = 33
"""Steps along each axis of the 3D table."""
BELOW_WHITE = 0.75
"""Share of these steps up to graphics white, spaced perceptually; the rest is for HDR highlights."""
SHAPE = 1025
"""Points of the curve that spaces them."""
CUT_OFF = -1.0
"""Lowest light in the table: colours outside BT.709 have components below 0, which are clipped only after interpolation.
Black is then a step of its own in the curve."""
SWSCALE_WHITE = 65_280 / 65_535
"""The value that swscale gives limited-range white in 16 bits, and takes for white when it converts back to 8."""
FULL = 2
"""FFmpeg's AVCOL_RANGE_JPEG."""
CURVE = 16_385
"""Steps of the curve from light to values: many, because its dark end is steep."""


class ColourLut:
    """A lookup table for pictures of one layout and tagging. For one thread."""

    def __init__(self, transfer: Transfer, primaries: Primaries, like: VideoFrame, form: str) -> None:
        """Build the tables for pictures like ``like``.

        Args:
            form: ``rgb24``, or ``rgba`` to keep the alpha channel.

        Raises:
            av.FFmpegError: such pictures cannot be converted.
        """
        self._graph = Graph()
        add = self._graph.add
        with tempfile.TemporaryDirectory(prefix="zoomdream-") as folder:
            space, curve = Path(folder) / "light.csp", Path(folder) / "values.cube"
            limited = like.color_range != FULL and not like.format.is_rgb
            space.write_text(_space(transfer, primaries, SWSCALE_WHITE if limited else 1.0))
            curve.write_text(_curve(transfer))
            chain = [
                buffer_for(self._graph, like),
                add("scale", flags="bilinear+full_chroma_int"),
                add("format", "gbrpf32le" if form == "rgb24" else "gbrapf32le"),  # fastest for the tables
                add("lut3d", file=str(space), interp="tetrahedral"),
                add("lut1d", file=str(curve), interp="linear"),
                add("scale", flags="bilinear"),
                add("format", form),
                add("buffersink"),
            ]
        self._graph.link_nodes(*chain)
        self._graph.configure()

    def look_up(self, frame: VideoFrame) -> VideoFrame:
        """Return the picture in sRGB, with its metadata.

        Raises:
            av.FFmpegError: the picture cannot be converted.
        """
        self._graph.vpush(frame)
        return self._graph.vpull()


def picture_in_srgb(values: np.ndarray, transfer: Transfer, primaries: Primaries) -> np.ndarray:
    """Convert a single picture to sRGB, as ``ColourLut`` converts those of a video.

    Args:
        values: (H, W, 3) uint8 or uint16.

    Returns:
        (H, W, 3) uint8.
    """
    form = "rgb24" if values.dtype == np.uint8 else "rgb48le"
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(values), format=form)
    return ColourLut(transfer, primaries, frame, "rgb24").look_up(frame).to_ndarray()


@lru_cache(maxsize=4)
def _space(transfer: Transfer, primaries: Primaries, white: float) -> str:
    """Return values to display light as cineSpace's .csp: a curve per channel, then a table whose red index runs fastest.

    Args:
        white: The input value that stands for 1.
    """
    values = np.linspace(0, 1, SHAPE)
    places = _place(values, transfer)
    steps = np.interp(np.linspace(0, 1, GRID), places, values)
    table = to_display_light(np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1), transfer, primaries)
    numbers = (np.maximum(table, CUT_OFF) - CUT_OFF) / (1 - CUT_OFF)
    shape = f"{SHAPE}\n{' '.join(f'{one:.6f}' for one in values * white)}\n{' '.join(f'{one:.6f}' for one in places)}\n"
    lines = (f"{red:.6f} {green:.6f} {blue:.6f}\n" for red, green, blue in numbers.transpose(2, 1, 0, 3).reshape(-1, 3))
    return f"CSPLUTV100\n3D\n\n{shape * 3}\n{GRID} {GRID} {GRID}\n{''.join(lines)}"


def _place(values: np.ndarray, transfer: Transfer) -> np.ndarray:
    """Return the positions of values along an axis of the table, 0..1."""
    grey = to_linear_light(np.repeat(values[:, None], 3, axis=1), transfer)[:, 0]
    if transfer is Transfer.SDR:
        return values
    white = np.interp(1.0, grey, values)
    up_to_white = BELOW_WHITE * from_display_light(grey, transfer)
    return np.where(values <= white, up_to_white, BELOW_WHITE + (1 - BELOW_WHITE) * (values - white) / (1 - white))


@lru_cache(maxsize=2)
def _curve(transfer: Transfer) -> str:
    """Return the curve from light to values, in Adobe's .cube format."""
    values = from_display_light(np.linspace(CUT_OFF, 1, CURVE), transfer) * SWSCALE_WHITE
    return f"LUT_1D_SIZE {CURVE}\n" + "".join(f"{one:.6f} {one:.6f} {one:.6f}\n" for one in values)
