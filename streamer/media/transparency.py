"""Composites transparent pictures over a backdrop."""

from __future__ import annotations

import numpy as np

BACKDROP = (128, 128, 128)
"""Mid-grey, which biases the dream neither to dark nor to light."""


def on_backdrop(rgb: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Composite a picture over ``BACKDROP``.

    Args:
        rgb: (H, W, 3) uint8.
        opacity: (H, W) uint8, 0 where only the backdrop shows; straight alpha: the colours are not multiplied by it.

    Returns:
        (H, W, 3) uint8.
    """
    if opacity.min(initial=255) == 255:
        return rgb
    share = opacity[..., None].astype(np.uint16)
    laid = rgb * share + np.array(BACKDROP, np.uint16) * (255 - share)
    return np.asarray((laid + 127) // 255, np.uint8)
