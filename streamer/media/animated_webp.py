"""Detects animated WebP, which FFmpeg does not decode, and reads its picture durations."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

LEAST_MS = 10
"""Duration of a picture whose own duration is 0, in milliseconds; browsers do the same."""
ANIMATED = 0x02
"""The flag in a WebP's header (RFC 9649, section 2.7)."""


def is_animated_webp(path: Path) -> bool:
    """Return whether a file is an animated WebP, by its first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(21)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) == 21 and bool(head[20] & ANIMATED)


def picture_durations(path: Path) -> list[float]:
    """Return how long each picture of an animation is shown, in seconds.

    Raises:
        OSError, and what Pillow raises for a broken file.
    """
    with Image.open(path) as image:
        found = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            found.append(max(LEAST_MS, image.info.get("duration", 0)) / 1000)
        return found
