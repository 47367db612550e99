"""OpenCV without lines of its own on the terminal."""

from __future__ import annotations

import cv2


def silence() -> None:
    """Have OpenCV say nothing about broken files and missing devices, which are told otherwise."""
    if hasattr(cv2, "setLogLevel"):  # until version 4
        cv2.setLogLevel(0)
    else:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
