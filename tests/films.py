"""Small films for tests."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def picture(shade: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Grey of a shade, with a white corner at the top left."""
    image = np.full((*size, 3), shade, np.uint8)
    image[: size[0] // 4, : size[1] // 4] = 255
    return image


def write_film(
    path: Path,
    shades: Sequence[int] = (40, 80, 120, 160),
    times_s: Sequence[float] | None = None,
    size: tuple[int, int] = (48, 64),
    rotation: int = 0,
    shape: Fraction = Fraction(1),
) -> Path:
    """Write a film of grey pictures, one per shade.

    Args:
        times_s: When each is to be seen; None: 10 a second.
        rotation: Degrees counter-clockwise noted in the file, a multiple of 90.
        shape: Width of a pixel over its height.
    """
    times_s = [number / 10 for number in range(len(shades))] if times_s is None else times_s
    odd = size[0] % 2 or size[1] % 2
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264" if not odd else "ffv1", rate=10)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p" if not odd else "bgr0"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.sample_aspect_ratio = shape
        stream.sample_aspect_ratio = shape
        if not odd:
            stream.options = {"crf": "10", "tune": "zerolatency"}
        container.start_encoding()  # also where there is nothing to encode
        for shade, time_s in zip(shades, times_s, strict=True):
            frame = av.VideoFrame.from_ndarray(picture(shade, size), format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    if rotation:
        _note_rotation(path, rotation)
    return path


def _note_rotation(path: Path, rotation: int) -> None:
    """Write a rotation into the track header of an MP4, as phones do: the 3x3 matrix of ISO 14496-12, section 8.3.2."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8  # type, version and flags, times to duration, reserved, layer to volume
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[round(rotation / 90) % 4]
    matrix = (cos << 16, -sin << 16, 0, sin << 16, cos << 16, 0, 0, 0, 1 << 30)
    data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    path.write_bytes(data)
