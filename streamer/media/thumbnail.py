"""Small square pictures for pages and contact sheets."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from streamer.media.fit import fitted

SIDE_PX = 112
"""Of a thumbnail."""
SUFFIX = ".webp"
QUALITY = 72
"""WebP's: some 2 kB a picture, and no blocks to be seen."""
EFFORT = 6
"""The most that WebP takes to make it small; 10 ms."""


def thumbnail(image: np.ndarray) -> bytes:
    """A picture's middle as a WebP file.

    Args:
        image: (H, W, 3) uint8 RGB of any size; what sticks out of a square is cut equally on both sides.
    """
    small = Image.fromarray(fitted(image, (SIDE_PX, SIDE_PX), "crop", fine=True))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=QUALITY, method=EFFORT)
    return file.getvalue()
