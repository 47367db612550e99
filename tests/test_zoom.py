"""The camera path. Pictures are never square here, so that a swapped height and width shows."""

import math

import cv2
import numpy as np
import pytest

from streamer.config import Config, ZoomConfig
from streamer.messages.motion import Motion, Pose
from streamer.zoom import advance, between, sampling_matrix

SIZE = (48, 96)
SIZES = [(48, 96), (90, 160), (101, 37)]


def apply(matrix: np.ndarray, x: float, y: float) -> tuple[float, float]:
    point = matrix @ np.array([x, y, 1.0])
    return float(point[0]), float(point[1])


def joined(matrix: np.ndarray) -> np.ndarray:
    return np.vstack([matrix, [0, 0, 1]])


def centre(size: tuple[int, int]) -> tuple[float, float]:
    return (size[1] - 1) / 2, (size[0] - 1) / 2


def test_a_second_of_motion_multiplies_the_zoom_by_the_speed():
    pose = advance(Pose(), Motion(speed=2.0, rotation=90.0), 3.0)
    assert pose == Pose(log_zoom=pytest.approx(3.0), rotation=pytest.approx(math.pi * 1.5))


def test_motion_can_be_taken_back_and_taken_in_parts():
    motion = Motion(speed=1.05, rotation=-0.25)
    start = Pose(5.0, 1.0)
    there = advance(start, motion, 7.0)
    back = advance(there, motion, -7.0)
    parts = advance(advance(start, motion, 2.5), motion, 4.5)
    assert (back.log_zoom, back.rotation) == pytest.approx((5.0, 1.0))
    assert (parts.log_zoom, parts.rotation) == pytest.approx((there.log_zoom, there.rotation))


def test_between_stays_on_the_path_and_continues_beyond_it():
    motion = Motion(speed=1.2, rotation=3.0)
    first = Pose(1.0, 0.5)
    second = advance(first, motion, 4.0)
    for seconds in (-2.0, 0.0, 1.0, 4.0, 6.0):
        expected = advance(first, motion, seconds)
        found = between(first, second, seconds / 4.0)
        assert (found.log_zoom, found.rotation) == pytest.approx((expected.log_zoom, expected.rotation))


@pytest.mark.parametrize("size", SIZES)
def test_the_same_pose_reads_each_pixel_where_it_is(size):
    pose = Pose(3.0, 1.2)
    assert sampling_matrix(pose, pose, size, size) == pytest.approx(np.eye(3)[:2], abs=1e-12)


@pytest.mark.parametrize("source_size", SIZES)
@pytest.mark.parametrize("target_size", SIZES)
def test_the_centre_stays(source_size, target_size):
    matrix = sampling_matrix(Pose(1.0, 0.3), Pose(2.5, -0.4), source_size, target_size)
    assert apply(matrix, *centre(target_size)) == pytest.approx(centre(source_size))


def test_zooming_in_reads_the_middle_of_the_picture():
    height, width = SIZE
    x, y = apply(sampling_matrix(Pose(0.0), Pose(1.0), SIZE, SIZE), 0, 0)
    cx, cy = centre(SIZE)
    assert (x, y) == pytest.approx((cx / 2, cy / 2))
    x, y = apply(sampling_matrix(Pose(0.0), Pose(-1.0), SIZE, SIZE), width - 1, height - 1)
    assert (x, y) == pytest.approx((cx * 3, cy * 3))


def test_a_turn_is_counter_clockwise_on_the_screen():
    """A point to the right of the centre moves above it."""
    picture = np.zeros((61, 101), np.uint8)
    picture[30, 70] = 255  # 20 right of the centre (50, 30)
    matrix = sampling_matrix(Pose(), advance(Pose(), Motion(1.0, 90.0), 1.0), (61, 101), (61, 101))
    turned = cv2.warpAffine(picture, matrix, (101, 61), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    assert np.unravel_index(turned.argmax(), turned.shape) == (10, 50)


def test_a_zoom_enlarges_what_is_seen():
    picture = np.zeros((60, 100), np.uint8)
    picture[25:35, 45:55] = 255
    matrix = sampling_matrix(Pose(), Pose(1.0), (60, 100), (60, 100))
    seen = cv2.warpAffine(picture, matrix, (100, 60), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    assert (seen > 127).sum() == pytest.approx(400, abs=2)


@pytest.mark.parametrize("middle_size", SIZES)
def test_steps_compose(middle_size):
    """Sampling from the start to the middle and on to the end equals sampling from the start to the end, at any size."""
    start, middle, end = Pose(0.0, 0.1), Pose(0.7, -0.4), Pose(1.1, 2.0)
    source_size, target_size = (90, 160), (101, 37)
    first = sampling_matrix(start, middle, source_size, middle_size)
    second = sampling_matrix(middle, end, middle_size, target_size)
    whole = sampling_matrix(start, end, source_size, target_size)
    assert joined(first) @ joined(second) == pytest.approx(joined(whole))


def test_the_way_back_undoes_the_way_there():
    there = joined(sampling_matrix(Pose(0.0, 0.0), Pose(1.3, 0.8), (48, 96), (90, 160)))
    back = joined(sampling_matrix(Pose(1.3, 0.8), Pose(0.0, 0.0), (90, 160), (48, 96)))
    assert there @ back == pytest.approx(np.eye(3), abs=1e-9)


def test_another_size_shows_the_same_field_of_view():
    matrix = sampling_matrix(Pose(), Pose(), (90, 160), (180, 320))
    (left, _), (right, _) = apply(matrix, 0, 0), apply(matrix, 319, 179)
    assert (left, right) == pytest.approx((-0.25, 159.25))  # the outer edges of the outermost pixels coincide


def test_far_along_the_path_precision_holds():
    """Days of zooming do no harm: only differences between poses count."""
    far = 1e6
    matrix = sampling_matrix(Pose(far, far), Pose(far + 1, far), SIZE, SIZE)
    assert matrix == pytest.approx(sampling_matrix(Pose(0, 0), Pose(1, 0), SIZE, SIZE), abs=1e-6)


def test_a_motion_is_made_of_the_zoom_settings():
    assert Motion.from_config(Config().zoom) == Motion(speed=1.05, rotation=0.25)
    assert Motion.from_config(ZoomConfig(speed=0.9, rotation=-3.0)) == Motion(speed=0.9, rotation=-3.0, drive=1.0)
