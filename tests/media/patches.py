"""Four patches of known colours, as videos in every colour encoding."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

QUAD = ((200, 40, 40), (40, 200, 40), (40, 40, 200), (220, 200, 60))
"""Colours of the patches in sRGB: red and green above, blue and yellow below."""
PQ, HLG = 16, 18
BT2020_FROM_BT709 = np.array(((0.6274, 0.3293, 0.0433), (0.0691, 0.9195, 0.0114), (0.0164, 0.0880, 0.8956)))
"""Conversion of linear light (ITU-R BT.2087, section 3)."""
BT2020, BT709, BT601 = (0.2627, 0.0593), (0.2126, 0.0722), (0.299, 0.114)
"""Weights of red and blue in luma."""


def patches(colours: object = QUAD, size: tuple[int, int] = (120, 160)) -> np.ndarray:
    """Return a picture of four patches, (H, W, 3) float, 0..1."""
    image = np.empty((*size, 3))
    y, x = size[0] // 2, size[1] // 2
    image[:y, :x], image[:y, x:], image[y:, :x], image[y:, x:] = np.asarray(colours) / 255
    return image


def seen(image: np.ndarray) -> np.ndarray:
    """Return the patches' mean colours away from their edges, (4, 3) float, sRGB 0..255."""
    y, x = image.shape[0] // 4, image.shape[1] // 4
    at = [(y, x), (y, 3 * x), (3 * y, x), (3 * y, 3 * x)]
    return np.array([image[top - y // 2 : top + y // 2, left - x // 2 : left + x // 2].mean((0, 1)) for top, left in at])


def linear(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def srgb(light: np.ndarray) -> np.ndarray:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)


def pq(nits: np.ndarray) -> np.ndarray:
    """Return SMPTE ST 2084's values for light in cd/m²."""
    power = (np.maximum(nits, 0) / 10_000) ** 0.1593017578125
    return np.asarray(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def hlg(nits: np.ndarray) -> np.ndarray:
    """Return ARIB STD-B67's values for light, (…, 3), on a screen of 1000 cd/m² with a system gamma of 1.2."""
    luminance = np.maximum(nits @ np.array((0.2627, 0.6780, 0.0593)), 1e-6)[..., None] / 1000
    scene = nits / 1000 * luminance ** (1 / 1.2 - 1)
    return np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    )


def write(
    path: Path,
    values: np.ndarray,
    pix_fmt: str,
    weights: tuple[float, float] = BT709,
    *,
    codec: str = "ffv1",
    full: bool = False,
    tags: Mapping[str, int] | None = None,
    count: int = 2,
) -> Path:
    """Write a still video with 25 pictures per second.

    Args:
        values: (H, W, 3) float, 0..1: red, green and blue as decoded with its matrix.
        pix_fmt: Planes of luma and two of colour, or packed RGB.
        weights: Of red and blue in luma.
        full: Whether black is 0 and white the highest number.
        tags: ``colorspace``, ``color_range``, ``color_trc``, ``color_primaries`` as ITU-T H.273 numbers them; none if left out.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *values.shape[:2], pix_fmt
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        if codec == "libx264":
            stream.options = {"crf": "4"}
        for number in range(count):
            frame = picture(values, pix_fmt, weights, full=full)
            for name, value in (tags or {}).items():
                setattr(frame, name, value)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def picture(values: np.ndarray, pix_fmt: str, weights: tuple[float, float], *, full: bool) -> av.VideoFrame:
    """Convert values to a picture with our own matrix, so that FFmpeg is not tested against itself."""
    height, width = values.shape[:2]
    frame = av.VideoFrame(width, height, pix_fmt)
    if frame.format.is_rgb:
        return av.VideoFrame.from_ndarray(np.rint(values * 255).astype(np.uint8), format="rgb24").reformat(format=pix_fmt)
    red, blue = weights
    luma = values @ np.array((red, 1 - red - blue, blue))
    chroma = [(values[..., 2] - luma) / (2 - 2 * blue), (values[..., 0] - luma) / (2 - 2 * red)]
    for plane, component, part in zip(frame.planes, frame.format.components, (luma, *chroma), strict=False):
        unit = 1 << (component.bits - 8)
        if component.is_luma:
            numbers = part * (256 * unit - 1) if full else (16 + 219 * part) * unit
        else:
            numbers = part * ((256 * unit - 1) if full else 224 * unit) + 128 * unit
            down, across = height // component.height, width // component.width
            numbers = numbers.reshape(component.height, down, component.width, across).mean((1, 3))
        lines = np.frombuffer(plane, np.uint8 if unit == 1 else np.uint16).reshape(component.height, -1)
        lines[:, : component.width] = np.rint(numbers)
    return frame
