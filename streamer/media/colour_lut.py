"""A film's pictures through tables of colours, by FFmpeg's ``lut3d`` and ``lut1d``.

One of 1920x1080 takes 45 ms of CPU time, which FFmpeg shares among the cores.
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
"""Steps along each axis of the table of three axes."""
BELOW_WHITE = 0.75
"""Share of these steps up to graphics white, as evenly as the eye sees them; the rest is for HDR's highlights."""
SHAPE = 1025
"""Points of the curve that puts them so."""
CUT_OFF = -1.0
"""Light at which the table begins: colours beyond BT.709's have parts below 0, which go only after values are interpolated.
Black is then a step of its own in the curve."""
SWSCALE_WHITE = 65_280 / 65_535
"""What swscale makes of the white of limited range on its way to 16 bits, and what it takes for white on its way to 8."""
FULL = 2
"""FFmpeg's AVCOL_RANGE_JPEG."""
CURVE = 16_385
"""Steps of the curve from light to values: the darkest ones are steep."""


class ColourLut:
    """Tables of colours, set up for pictures that are all laid out and tagged as one of them. For one thread."""

    def __init__(self, transfer: Transfer, primaries: Primaries, like: VideoFrame, form: str) -> None:
        """Set them up.

        Args:
            form: ``rgb24``, or ``rgba`` to keep how clear each place is.

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
                add("format", "gbrpf32le" if form == "rgb24" else "gbrapf32le"),  # what the tables are quick with
                add("lut3d", file=str(space), interp="tetrahedral"),
                add("lut1d", file=str(curve), interp="linear"),
                add("scale", flags="bilinear"),
                add("format", form),
                add("buffersink"),
            ]
        self._graph.link_nodes(*chain)
        self._graph.configure()

    def look_up(self, frame: VideoFrame) -> VideoFrame:
        """The picture in sRGB, with all that is noted with it.

        Raises:
            av.FFmpegError: it cannot be converted.
        """
        self._graph.vpush(frame)
        return self._graph.vpull()


def picture_in_srgb(values: np.ndarray, transfer: Transfer, primaries: Primaries) -> np.ndarray:
    """A single picture in sRGB, as a film's.

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
    """The light shown for values, as cineSpace's .csp: a curve for each channel, then a table whose red runs fastest.

    Args:
        white: What comes instead of a value of 1.
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
    """Where values lie along an axis of the table, 0..1."""
    grey = to_linear_light(np.repeat(values[:, None], 3, axis=1), transfer)[:, 0]
    if transfer is Transfer.SDR:
        return values
    white = np.interp(1.0, grey, values)
    up_to_white = BELOW_WHITE * from_display_light(grey, transfer)
    return np.where(values <= white, up_to_white, BELOW_WHITE + (1 - BELOW_WHITE) * (values - white) / (1 - white))


@lru_cache(maxsize=2)
def _curve(transfer: Transfer) -> str:
    """The values for light, as Adobe's .cube."""
    values = from_display_light(np.linspace(CUT_OFF, 1, CURVE), transfer) * SWSCALE_WHITE
    return f"LUT_1D_SIZE {CURVE}\n" + "".join(f"{one:.6f} {one:.6f} {one:.6f}\n" for one in values)
