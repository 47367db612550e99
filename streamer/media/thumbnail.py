"""Makes small square pictures for pages and contact sheets."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from streamer.media.fit import fitted

SIDE_PX = 112
"""Side of a thumbnail."""
SUFFIX = ".webp"
QUALITY = 72
"""WebP quality: about 2 kB a picture, without visible blocks."""
EFFORT = 6
"""WebP's slowest and smallest method; 10 ms."""


def thumbnail(image: np.ndarray) -> bytes:
    """Return the middle of a picture as a WebP file.

    Args:
        image: (H, W, 3) uint8 RGB of any size; the longer side is cut equally at both ends.
    """
    small = Image.fromarray(fitted(image, (SIDE_PX, SIDE_PX), "crop", fine=True))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=QUALITY, method=EFFORT)
    return file.getvalue()
