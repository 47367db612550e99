"""Starts of an ink drawing: a disc, a text, or the dark parts of a picture; all (H, W) bool, true where ink is."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from streamer.media.fit import Fit, fitted

TEXT_FONTS = ("DejaVuSans-Bold.ttf", "NotoSans-Bold.ttf", "LiberationSans-Bold.ttf", "Arial Bold.ttf", "arialbd.ttf")
"""Fonts to try, in this order; Pillow's own is the last resort."""
TEXT_WIDTH = 0.7
"""Share of the picture's width that a text fills, unless ``TEXT_HEIGHT`` limits it first."""
TEXT_HEIGHT = 0.3
"""Largest share of the picture's height that a text fills."""
PAPER = (255, 255, 255)
"""Colour of paper, RGB."""


def disc_mask(size: tuple[int, int], centre: tuple[float, float], radius_px: float) -> np.ndarray:
    """Return a disc.

    Args:
        size: (height, width) in pixels.
        centre: (x, y) in fractions of the picture.
        radius_px: pixels whose centre is within this distance are ink; the central one always is.
    """
    height, width = size
    x = min(width - 1, max(0, round(centre[0] * (width - 1))))
    y = min(height - 1, max(0, round(centre[1] * (height - 1))))
    rows, columns = np.ogrid[:height, :width]
    return np.asarray((columns - x) ** 2 + (rows - y) ** 2 <= radius_px**2)


def text_mask(size: tuple[int, int], text: str) -> np.ndarray:
    """Return a centred text, as large as there is room for; only line breaks of the text break lines."""
    height, width = size
    font = _font(100)
    plate = Image.new("L", (1, 1))
    box = ImageDraw.Draw(plate).multiline_textbbox((0, 0), text, font=font, align="center")
    scale = min(TEXT_WIDTH * width / max(1.0, box[2] - box[0]), TEXT_HEIGHT * height / max(1.0, box[3] - box[1]))
    font = _font(max(6, round(100 * scale)))
    plate = Image.new("L", (width, height))
    ImageDraw.Draw(plate).multiline_text((width / 2, height / 2), text, 255, font, anchor="mm", align="center")
    return np.asarray(np.asarray(plate) >= 128)


def dark_mask(image: np.ndarray, size: tuple[int, int], threshold: float | None, fit: Fit = "crop") -> np.ndarray:
    """Return where a picture is dark.

    Args:
        image: (H, W, 3) uint8 RGB of any size.
        size: (height, width) of the result.
        threshold: grey level, 0..255, below which pixels are ink; None for the one that best separates dark from light.
        fit: how to fit a picture of another aspect ratio; bars are paper.
    """
    grey = fitted(image, size, fit, fine=True, bars=PAPER) @ np.array([0.299, 0.587, 0.114])
    return np.asarray(grey < (otsu_threshold(grey) if threshold is None else threshold))


def otsu_threshold(grey: np.ndarray) -> float:
    """Return the level that splits a grey picture's values into the two most different groups (Otsu 1979)."""
    counts = np.bincount(np.clip(grey.round(), 0, 255).astype(np.int64).ravel(), minlength=256).astype(np.float64)
    below = np.cumsum(counts)
    sums = np.cumsum(counts * np.arange(256))
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    best = np.nan_to_num(apart, nan=0.0, posinf=0.0)
    peak = np.flatnonzero(best == best.max())  # many levels between two groups may be equally good
    return float((peak[0] + peak[-1]) / 2 + 0.5)


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in TEXT_FONTS:
        try:
            return ImageFont.truetype(name, size_px)
        except OSError:  # not on this machine
            continue
    return ImageFont.load_default(size_px)
