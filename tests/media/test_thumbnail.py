"""Thumbnails of large and small pictures."""

import io

import numpy as np
from PIL import Image

from streamer.media.thumbnail import SIDE_PX, thumbnail


def test_a_thumbnail_is_the_middle_of_a_picture_small_and_square() -> None:
    image = np.zeros((180, 320, 3), np.uint8)
    image[:, 70:250] = (200, 120, 40)  # the square in the middle
    data = thumbnail(image)
    with Image.open(io.BytesIO(data)) as seen:
        assert (seen.format, seen.size) == ("WEBP", (SIDE_PX, SIDE_PX))
        pixels = np.asarray(seen.convert("RGB"), np.int16)
    assert np.abs(pixels - (200, 120, 40)).max() < 12


def test_a_small_picture_becomes_one_too() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (20, 16, 3), dtype=np.uint8)
    data = thumbnail(noise)
    with Image.open(io.BytesIO(data)) as seen:
        assert seen.size == (SIDE_PX, SIDE_PX)
    assert len(data) < 12_000
