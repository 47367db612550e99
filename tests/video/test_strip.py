import numpy as np
import pytest

from streamer.video.files.strip import CELL_PX, milestones, strip


@pytest.mark.parametrize(
    ("iterations", "shown"),
    [(1, (1,)), (2, (1, 2)), (10, (2, 5, 10)), (40, (10, 20, 40)), (50, (10, 20, 50)), (60, (10, 20, 60))],
)
def test_round_numbers_lead_to_the_last(iterations: int, shown: tuple[int, ...]) -> None:
    assert milestones(iterations) == shown


def colour(value: int, size: tuple[int, int] = (60, 100)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def test_pictures_stand_side_by_side_over_their_labels() -> None:
    image = strip([("input", colour(10)), ("10 iterations", colour(90)), ("20 iterations", colour(120))])
    height, width = image.shape[:2]
    assert 3 * 100 < width < 3 * 100 + 40
    assert 60 < height < 100
    middles = [int(image[34, round((number + 0.5) * width / 3), 0]) for number in range(3)]
    assert middles == [10, 90, 120]
    below = image[70:].min(axis=(0, 2))
    assert all((part < 100).any() for part in np.array_split(below, 3)), "a label under each"


def test_large_pictures_are_shown_smaller() -> None:
    image = strip([("input", colour(10, (1000, 3000)))])
    assert image.shape[1] < CELL_PX * 1.1
