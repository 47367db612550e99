"""Fits a picture into another aspect ratio: cropped, padded or stretched. Photographs, videos and cameras share it."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from PIL import Image

Fit = Literal["crop", "pad", "stretch"]
"""crop: fill the target and cut what sticks out, equally on both sides. pad: show the whole picture between bars. stretch: fill
the target and distort the picture."""

BARS = (0, 0, 0)
"""Colour of the bars: black, as players show them."""


def fitted(
    image: np.ndarray, size: tuple[int, int], fit: Fit = "crop", *, fine: bool = False, bars: tuple[int, int, int] = BARS
) -> np.ndarray:
    """Bring a picture to a size.

    Args:
        image: (H, W, 3) uint8 of any size from 1x1 on.
        size: (height, width) wanted.
        fit: how to treat another aspect ratio.
        fine: use Lanczos with subpixel cropping, for single pictures. Otherwise area averaging shrinks and bicubic
            interpolation enlarges, in a tenth of the time, for video.
        bars: RGB of the bars with ``pad``.

    Returns:
        (height, width, 3) uint8, C-contiguous; the picture itself if it has that size.
    """
    if image.shape[:2] == size:
        return np.ascontiguousarray(image)
    (from_height, from_width), (height, width) = image.shape[:2], size
    across, down = from_width / width, from_height / height  # source pixels per target pixel
    inner, kept = size, (float(from_height), float(from_width))
    if fit == "crop":
        scale = min(across, down)
        kept = (height * scale, width * scale)
    elif fit == "pad":
        scale = max(across, down)
        inner = (max(1, round(from_height / scale)), max(1, round(from_width / scale)))
    scaled = _finely(image, kept, inner) if fine else _quickly(image, kept, inner)
    if inner == size:
        return scaled
    result = np.full((height, width, 3), bars, np.uint8)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    result[top : top + inner[0], left : left + inner[1]] = scaled
    return result


def resampled(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scale an (H, W, 3) uint8 picture to (height, width): area averaging where it shrinks, bicubic where it grows.

    OpenCV averages areas only if both sides shrink, so a picture that grows in one direction is scaled in two passes.
    """
    height, width = image.shape[:2]
    smaller = (min(height, size[0]), min(width, size[1]))
    if smaller != (height, width):
        image = cv2.resize(image, smaller[::-1], interpolation=cv2.INTER_AREA)
    if smaller != size:
        image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(image)


def _finely(image: np.ndarray, kept: tuple[float, float], size: tuple[int, int]) -> np.ndarray:
    """Scale the middle of a picture, ``kept`` (height, width), to a size."""
    height, width = image.shape[:2]
    top, left = max(0.0, (height - kept[0]) / 2), max(0.0, (width - kept[1]) / 2)
    box = (left, top, min(left + kept[1], width), min(top + kept[0], height))
    return np.array(Image.fromarray(image).resize(size[::-1], Image.Resampling.LANCZOS, box=box))


def _quickly(image: np.ndarray, kept: tuple[float, float], size: tuple[int, int]) -> np.ndarray:
    """Scale like ``_finely``, but crop to whole pixels."""
    height, width = (min(side, max(1, round(part))) for side, part in zip(image.shape[:2], kept, strict=True))
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return resampled(image[top : top + height, left : left + width], size)
