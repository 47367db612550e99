"""Animated WebP, which FFmpeg does not decode: what it says of itself."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

LEAST_MS = 10
"""A picture that is to be seen for no time is seen for so long, as browsers have it."""
ANIMATED = 0x02
"""The flag in a WebP's header (RFC 9649, section 2.7)."""


def is_animated_webp(path: Path) -> bool:
    """Whether a file is one, by its first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(21)
    except OSError:
        return False
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) == 21 and bool(head[20] & ANIMATED)


def picture_durations(path: Path) -> list[float]:
    """The seconds that each picture of an animation is seen. Raises OSError and what Pillow raises for a broken file."""
    with Image.open(path) as image:
        found = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            found.append(max(LEAST_MS, image.info.get("duration", 0)) / 1000)
        return found
