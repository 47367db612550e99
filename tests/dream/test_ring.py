import numpy as np
import pytest

from streamer.dream.ring import SLOTS, Ring


def test_pictures_arrive_whole_and_as_copies():
    ring = Ring.create(24)
    other = Ring.open(ring.name, ring.slot_bytes)
    try:
        images = [np.full((2, 3, 3), slot, np.uint8) for slot in range(SLOTS)]
        for slot, image in enumerate(images):
            other.write(slot, image)
        copies = [ring.read(slot, (2, 3)) for slot in range(SLOTS)]
        other.write(0, images[2])
        assert all(np.array_equal(copy, image) for copy, image in zip(copies, images, strict=True))
        assert copies[0].flags.c_contiguous
    finally:
        other.close()
        ring.close()


def test_without_its_name_both_sides_go_on():
    ring = Ring.create(24)
    other = Ring.open(ring.name, 24)
    ring.unlink()
    with pytest.raises(FileNotFoundError):
        Ring.open(ring.name, 24)
    other.write(1, np.full((2, 4, 3), 7, np.uint8))
    assert ring.read(1, (2, 4)).min() == 7
    other.close()
    ring.close()


def test_a_picture_too_large_is_refused():
    ring = Ring.create(24)
    with pytest.raises(ValueError, match=r"a picture of \(3, 3, 3\) does not fit into 24 bytes"):
        ring.write(0, np.zeros((3, 3, 3), np.uint8))
    ring.close()
