import numpy as np
import pytest

from streamer.video.frames.enlarge import LEAST_PX, enlarged, reduced


def test_a_part_of_the_sides_unless_that_is_too_small() -> None:
    assert reduced((360, 640), 1.0) == (360, 640)
    assert reduced((360, 640), 0.5) == (180, 320)
    assert reduced((400, 225), 2 / 3) == (267, 150)
    assert reduced((2 * LEAST_PX - 2, 640), 0.5) == (2 * LEAST_PX - 2, 640)


@pytest.mark.parametrize("shape", [(50, 80), (50, 80, 3)])
def test_what_has_the_size_is_left_alone_and_the_rest_is_enlarged(shape: tuple[int, ...]) -> None:
    image = np.full(shape, 77, np.uint8)
    assert enlarged(image, (50, 80)) is image
    large = enlarged(image, (100, 161))
    assert large.shape == (100, 161, *shape[2:])
    assert (large == 77).all()
