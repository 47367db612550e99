"""Silences OpenCV's own output on the terminal."""

from __future__ import annotations

import cv2


def silence() -> None:
    """Silence OpenCV's messages about broken files and missing devices, which zoomdream reports itself."""
    if hasattr(cv2, "setLogLevel"):  # until version 4
        cv2.setLogLevel(0)
    else:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
