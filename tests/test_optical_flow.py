from __future__ import annotations

import cv2
import numpy as np
import pytest

from streamer.optical_flow import Flow, FlowFinder, places, search_image, unmoved, warp

SIZE = (90, 160)


def picture(shift: tuple[float, float] = (0.0, 0.0), size: tuple[int, int] = SIZE, seed: int = 0) -> np.ndarray:
    """Return a picture of clouds, moved right and down by ``shift`` (x, y) pixels."""
    rng = np.random.default_rng(seed)
    h, w = size[0] + 80, size[1] + 80
    clouds = sum(cv2.resize(rng.uniform(0, 255, (h // s, w // s, 3)).astype(np.float32), (w, h)) for s in (4, 8, 16))
    clouds = np.clip(128 + 2 * (clouds / 3 - 128), 0, 255)
    matrix = np.array([[1, 0, 40 - shift[0]], [0, 1, 40 - shift[1]]])
    return cv2.warpAffine(clouds, matrix, size[::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP).astype(np.uint8)


def between(earlier: np.ndarray, later: np.ndarray) -> Flow:
    return FlowFinder().between(search_image(earlier), search_image(later))


def test_a_shift_is_found_and_believed() -> None:
    flow = between(picture(), picture((6.0, -3.0)))
    inner = flow.back[15:-15, 15:-15]
    assert np.allclose(np.median(inner.reshape(-1, 2), axis=0), (-6.0, 3.0), atol=0.15)
    assert flow.trust[15:-15, 15:-15].mean() > 0.97


def test_a_layer_on_the_picture_moves_along_with_it() -> None:
    lying = picture(seed=5).astype(np.float32) - 128
    carried = warp(lying, between(picture(), picture((6.0, -3.0))))
    there = picture((6.0, -3.0), seed=5).astype(np.float32) - 128
    error = np.abs(carried - there)[15:-15, 15:-15].mean()
    assert error < 0.15 * np.abs(lying - there)[15:-15, 15:-15].mean()


def test_a_finer_layer_is_carried_by_the_same_motion() -> None:
    lying = np.zeros((180, 320, 1), np.float32)
    lying[80:100, 150:170] = 100
    carried = warp(lying, between(picture(), picture((8.0, 0.0))))
    weight = carried[..., 0] / carried.sum()
    assert (weight * np.arange(320)[None]).sum() == pytest.approx(159.5 + 16, abs=0.6)


def test_what_was_hidden_before_is_not_believed() -> None:
    before, after = picture(), picture()
    before[30:60, 40:70] = 255 - picture(seed=9)[30:60, 40:70]
    after[30:60, 46:76] = 255 - picture(seed=9)[30:60, 40:70]
    flow = between(before, after)
    assert flow.trust[34:56, 40:45].mean() < 0.5, "the ground where the thing was"
    assert flow.trust[34:56, 50:72].mean() > 0.9, "the thing itself"
    assert flow.trust[70:, :].mean() > 0.95


def test_a_cut_is_not_believed() -> None:
    flow = between(picture(), 255 - picture(seed=4) // 4)
    assert flow.trust.mean() < 0.1
    assert np.abs(warp(np.full((*SIZE, 3), 50, np.float32), flow)).mean() < 5


def test_a_cameras_noise_is_no_motion() -> None:
    rng = np.random.default_rng(0)
    large = cv2.resize(picture(), (1280, 720)).astype(np.float32)
    first, second = (np.clip(large + rng.normal(0, 4, large.shape), 0, 255).astype(np.uint8) for _ in range(2))
    flow = between(first, second)
    assert np.abs(flow.back).max() < 0.25
    assert flow.trust.min() > 0.9


def test_the_same_picture_stands_still() -> None:
    flow = between(picture(), picture())
    assert flow.still
    lying = np.ones((*SIZE, 3), np.float32)
    carried = warp(lying, flow)
    assert np.array_equal(carried, lying)
    assert carried is not lying


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (15, 15), (37, 61)])
def test_any_size_will_do(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    first, second = (rng.integers(0, 255, (*size, 3), np.uint8) for _ in range(2))
    flow = between(first, second)
    assert flow.back.shape == (*flow.trust.shape, 2)
    assert warp(np.ones((*size, 3), np.float32), flow).shape == (*size, 3)


def test_places_of_what_did_not_move_are_its_own() -> None:
    assert np.array_equal(places(unmoved((9, 16)), (4, 6))[2, 3], (3, 2))
