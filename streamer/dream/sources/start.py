"""Where a dream starts: from a picture, from the first one of a film or a camera, or from noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from streamer.config import SourceConfig
from streamer.dream.sources.picture import read_image


def starting_picture(source: SourceConfig) -> np.ndarray | None:
    """The picture that a dream starts from, (H, W, 3) uint8 RGB; None for noise, and where it rides on a moving one.

    Raises:
        SourceError: it cannot be read.
    """
    if source.kind == "image" and source.path is not None:
        return read_image(Path(source.path))
    if source.kind in ("video", "camera") and not source.ride:
        from streamer.dream.sources.readers import first_picture  # imports PyAV and OpenCV

        return first_picture(source)
    return None
