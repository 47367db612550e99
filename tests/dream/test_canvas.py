import cv2
import numpy as np
import pytest
import torch

from streamer import zoom
from streamer.dream.algorithms.canvas import Canvas, grid_for, sampled, swirl_grid
from streamer.dream.sources.noise import noise
from streamer.messages.motion import Motion, Pose


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
    assert canvas.picture.is_contiguous()


def test_a_twist_turns_the_middle_and_leaves_the_border():
    height, width = 90, 160
    y, x = np.mgrid[:height, :width]
    dot = np.zeros((height, width, 3), np.float32)
    dot[(np.hypot(y - 44.5, x - 99.5) < 4)] = 255  # to the right of the centre
    canvas = Canvas(dot)
    canvas.warp(swirl_grid((height, width), np.radians(30), 1.0, "cpu"))
    seen = canvas.picture[0, 0].numpy()
    centre_y, centre_x = (seen * y).sum() / seen.sum(), (seen * x).sum() / seen.sum()
    turn = np.degrees(np.arctan2(44.5 - centre_y, centre_x - 79.5))
    assert turn == pytest.approx(30 * np.exp(-((20 / 90) ** 2)), abs=1.0), "counter-clockwise, upwards from the right"
    edges = Canvas(np.repeat((x * 255 / width)[..., None], 3, axis=2).astype(np.float32))
    before = edges.picture.clone()
    edges.warp(swirl_grid((height, width), np.radians(12), 0.4, "cpu"))
    assert (edges.picture - before)[..., :, :4].abs().max() < 1.0


@pytest.mark.parametrize("size", [(48, 64), (45, 64), (47, 61)])
@pytest.mark.parametrize(("mode", "padding"), [("bicubic", "reflection"), ("bilinear", "border")])
def test_by_several_threads_a_picture_is_sampled_as_by_one(size, mode, padding):
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1)) * 255
    grid = grid_for(np.array([[0.99, 0.02, 0.01], [-0.02, 0.99, 0.0]]), size, "cpu")
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 4):
            torch.set_num_threads(threads)
            found.append(sampled(picture, grid, mode, padding))
    finally:
        torch.set_num_threads(before)
    assert found[0].shape == picture.shape
    assert all(each.is_contiguous() for each in found)
    for each in found[1:]:
        assert torch.equal(each, found[0])
