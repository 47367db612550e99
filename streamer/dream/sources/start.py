"""The start of a dream: a picture, the first one of a film or a camera, or noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from streamer.config import SourceConfig
from streamer.dream.sources.picture import read_image


def starting_picture(source: SourceConfig) -> np.ndarray | None:
    """Return the picture that a dream starts from, (H, W, 3) uint8 RGB; None for noise or a dream on a moving source.

    Raises:
        SourceError: the source cannot be read.
    """
    if source.kind == "image" and source.path is not None:
        return read_image(Path(source.path))
    if source.kind in ("video", "camera") and not source.ride:
        from streamer.dream.sources.readers import first_picture  # imports PyAV and OpenCV

        return first_picture(source)
    return None
