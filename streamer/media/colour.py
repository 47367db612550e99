"""Converts the pictures of a video to sRGB."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamer.media.colour_lut import ColourLut
from streamer.media.deinterlace import deinterlaced
from streamer.media.tone_mapping import Primaries, Transfer
from streamer.media.transparency import on_backdrop

BT709, BT2020 = 1, 9
"""Matrices from luma and chroma to RGB (ITU-T H.273, table 4)."""
CONSTANT_LUMINANCE = 10
"""BT.2020's other matrix, which FFmpeg does not know; the usual one is close enough."""
KNOWN = (1, 4, 5, 6, 7, BT2020)
STRANGE = {8: "YCgCo", 14: "ICtCp", 15: "IPT-C2", 16: "YCgCo-Re", 17: "YCgCo-Ro"}
"""Matrices that FFmpeg cannot invert."""
LIMITED, FULL = 1, 2
"""FFmpeg's AVColorRange: limited has black at 16 and white at 235, full uses 0..255."""
HD = (720, 1280)
"""(height, width) from which on players assume BT.709 for untagged video; below both they assume BT.601."""
FLAGS = 2 | 1 << 13
"""swscale's SWS_BILINEAR and SWS_FULL_CHR_H_INT. Without the latter, 10 bits and NV12 come out three levels too dark."""
ACCURATE, ACCURATE_PX = 1 << 18, 1280 * 720
"""SWS_ACCURATE_RND, without which everything comes out one or two levels too dark, and the largest picture it is used for: at
1920x1080 it takes 12 ms instead of 1.2."""
UNSTRETCHED = np.clip(np.rint((np.arange(256) - 16.0) * 255 / 219), 0, 255).astype(np.uint8)
"""Maps limited-range grey to full range; swscale treats all grey as full range."""
NAMES = {Transfer.PQ: "PQ", Transfer.HLG: "HLG"}

Tell = Callable[[str], None]


def in_rgb(frames: Iterable[VideoFrame], stream: VideoStream, tell: Tell) -> Iterator[VideoFrame]:
    """Yield a track's pictures in ``rgb24``, each with its time, its duration and its side data.

    Interlaced pictures are deinterlaced, transparency is laid on grey, HDR is tone-mapped to SDR, wide gamuts become sRGB.

    Args:
        tell: Called once for HDR, with a line that says how it is converted.

    Raises:
        av.FFmpegError, ValueError: a picture cannot be converted.
    """
    converter = _RgbConverter(tell)
    for frame in deinterlaced(frames, stream):
        shown = converter.show(frame)
        shown.pts, shown.time_base, shown.duration = frame.pts, frame.time_base, frame.duration
        yield shown


def as_array(frame: VideoFrame) -> np.ndarray:
    """Return the pixels of an ``rgb24`` picture, (H, W, 3) uint8 RGB."""
    return frame.to_ndarray()


class _RgbConverter:
    """Converts the pictures of one track to RGB, in order."""

    def __init__(self, tell: Tell) -> None:
        self._tell: Tell | None = tell
        self._lut: ColourLut | None = None
        self._lut_for: tuple[object, ...] = ()

    def show(self, frame: VideoFrame) -> VideoFrame:
        """Return the picture in ``rgb24``."""
        transfer, primaries = _meaning(frame)
        limited_grey = _is_grey(frame.format) and frame.color_range == LIMITED
        if limited_grey:
            frame.color_range = FULL  # versions of swscale differ in how they handle it
        elif not frame.format.is_rgb:
            frame.colorspace = _matrix(frame, primaries)
        form = "rgba" if _may_be_clear(frame.format) else "rgb24"
        if transfer is Transfer.SDR and primaries is Primaries.BT709:
            flags = FLAGS | ACCURATE if frame.width * frame.height <= ACCURATE_PX else FLAGS
            shown = frame.reformat(format=form, interpolation=flags)
        else:
            shown = self._through_table(frame, form, transfer, primaries)
        if limited_grey:
            pixels = _pixels(shown)
            pixels[..., :3] = UNSTRETCHED[pixels[..., :3]]
        return _flat(shown) if form == "rgba" else shown

    def _through_table(self, frame: VideoFrame, form: str, transfer: Transfer, primaries: Primaries) -> VideoFrame:
        wanted = (transfer, primaries, frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if self._lut is None or self._lut_for != wanted:
            self._lut, self._lut_for = ColourLut(transfer, primaries, frame, form), wanted
        if self._tell is not None and transfer is not Transfer.SDR:
            name = NAMES[transfer]
            self._tell(f"it is HDR ({name}), tone-mapped to SDR: white is 203 cd/m², brighter light rolls off")
            self._tell = None
        return self._lut.look_up(frame)


def _meaning(frame: VideoFrame) -> tuple[Transfer, Primaries]:
    """Return a picture's transfer function and primaries; those close to BT.709 count as BT.709."""
    noted, colours = frame.color_trc, frame.color_primaries
    if noted == Transfer.HLG:
        return Transfer.HLG, Primaries.BT2020  # HLG is defined for no other primaries
    transfer = Transfer.PQ if noted == Transfer.PQ else Transfer.SDR
    usual = Primaries.BT2020 if transfer is Transfer.PQ else Primaries.BT709
    return transfer, Primaries(colours) if colours in list(Primaries) else usual


def _matrix(frame: VideoFrame, primaries: Primaries) -> int:
    """Return the colour matrix of a picture that is not RGB: the tagged one, else the one that players assume.

    Raises:
        ValueError: FFmpeg cannot invert the tagged matrix.
    """
    noted = frame.colorspace
    if noted in STRANGE:
        raise ValueError(f"its colours are written as {STRANGE[noted]}, which cannot be shown; convert it to BT.709 first")
    if noted in KNOWN:
        return noted
    if noted == CONSTANT_LUMINANCE or primaries is Primaries.BT2020:
        return BT2020
    return BT709 if frame.height >= HD[0] or frame.width >= HD[1] else 6


def _is_grey(form: VideoFormat) -> bool:
    return not (form.is_rgb or form.has_palette or form.is_bit_stream) and sum(not one.is_alpha for one in form.components) == 1


def _may_be_clear(form: VideoFormat) -> bool:
    return form.has_palette or any(one.is_alpha for one in form.components)


def _flat(shown: VideoFrame) -> VideoFrame:
    """Convert an ``rgba`` picture to ``rgb24``, over the backdrop where it is transparent."""
    pixels = _pixels(shown)
    flat = shown.reformat(format="rgb24", interpolation=FLAGS)
    _pixels(flat)[...] = on_backdrop(pixels[..., :3], pixels[..., 3])
    return flat


def _pixels(frame: VideoFrame) -> np.ndarray:
    """Return a writable view of the pixels of a packed picture, (H, W, C) uint8."""
    channels = len(frame.format.components)
    lines = np.frombuffer(memoryview(frame.planes[0]), np.uint8).reshape(frame.height, -1)
    return np.asarray(lines[:, : frame.width * channels].reshape(frame.height, frame.width, channels))
