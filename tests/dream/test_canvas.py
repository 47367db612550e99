import cv2
import numpy as np
import pytest
import torch

from streamer import zoom
from streamer.dream.canvas import Canvas
from streamer.dream.sources import noise
from streamer.messages import Motion, Pose


@pytest.fixture
def clouds() -> np.ndarray:
    return noise((60, 100), np.random.default_rng(5), contrast=40)


def test_the_canvas_moves_as_the_video_will(clouds: np.ndarray) -> None:
    canvas = Canvas(clouds)
    motion = Motion(speed=1.3, rotation=10)
    canvas.move(motion, 1.0)
    matrix = zoom.sampling_matrix(Pose(), canvas.pose, (60, 100), (60, 100))
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    expected = cv2.warpAffine(clouds, matrix, (100, 60), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    inner = np.abs(canvas.array().astype(int) - expected)[6:-6, 6:-6]
    assert inner.mean() < 0.6
    assert canvas.pose == zoom.advance(Pose(), motion, 1.0)


def test_momentum_goes_with_the_picture(clouds: np.ndarray) -> None:
    canvas = Canvas(clouds)
    canvas.momentum = canvas.picture.clone()
    canvas.move(Motion(speed=1.2, rotation=0), 1.0)
    likeness = np.corrcoef(canvas.momentum.flatten(), canvas.picture.flatten())[0, 1]
    assert likeness > 0.95


def test_a_camera_that_stands_still_changes_nothing(clouds: np.ndarray) -> None:
    canvas = Canvas(clouds)
    canvas.move(Motion(speed=1.0, rotation=0.0), 5.0)
    assert np.array_equal(canvas.array(), clouds)


def test_resizing_keeps_the_picture_the_pose_and_the_bounds(clouds: np.ndarray) -> None:
    canvas = Canvas(clouds, pose=Pose(3.0, 0.5))
    canvas.resize((45, 75))
    assert canvas.size == (45, 75)
    assert canvas.array().shape == (45, 75, 3)
    assert canvas.momentum.shape == canvas.picture.shape
    assert canvas.pose == Pose(3.0, 0.5)
    assert abs(canvas.array().mean() - clouds.mean()) < 2
    assert canvas.picture.is_contiguous(memory_format=torch.channels_last)
