import numpy as np
import pytest
import torch

from streamer.dream.algorithms.canvas import Canvas
from streamer.dream.algorithms.perturbation import NOISE_KEEP, NOISE_S, TWIST_S, Perturbation, swirls_grid
from streamer.dream.sources.noise import noise

SIZE = (72, 128)


def canvas(size=SIZE):
    return Canvas(noise(size, np.random.default_rng(3), contrast=40))


def correlation(first, second):
    return np.corrcoef(first.astype(float).ravel(), second.astype(float).ravel())[0, 1]


@pytest.mark.parametrize("steps", [1, 4, 25])
def test_noise_takes_the_place_of_the_picture_however_many_steps_it_takes(steps):
    here, waking = canvas(), Perturbation(np.random.default_rng(1))
    before = here.picture.clone()
    waking.bump(here)
    for _ in range(steps):
        waking.move(here, NOISE_S / steps)
    after = here.picture.clone()
    waking.move(here, 1.0)
    assert torch.equal(here.picture, after), "it is over"
    fog = (after - before * NOISE_KEEP) / (1 - NOISE_KEEP)
    assert 30 < fog.std() < 60
    assert abs(correlation(after.numpy(), before.numpy())) < 0.4


def test_a_twist_moves_much_and_leaves_the_border():
    here, waking = canvas(), Perturbation(np.random.default_rng(1))
    before = here.array()
    waking.twist()
    for _ in range(10):
        waking.move(here, TWIST_S / 10)
    after = here.array()
    waking.move(here, 1.0)
    assert np.array_equal(here.array(), after), "it is over"
    assert correlation(before[20:-20, 20:-20], after[20:-20, 20:-20]) < 0.5
    assert correlation(before[:2], after[:2]) > 0.9
    assert correlation(before[:, -2:], after[:, -2:]) > 0.9


@pytest.mark.parametrize("size", [(72, 128), (128, 72), (90, 90), (40, 200)])
def test_whirls_stay_within_the_picture(size):
    grid = swirls_grid(size, np.radians(30))
    assert grid.shape == (1, *size, 2)
    assert grid.abs().max() <= 1.03
    still = swirls_grid(size, 0.0)
    y, x = (torch.arange(side) for side in size)
    assert torch.allclose(still[0, :, 0, 1], (2 * y + 1) / size[0] - 1, atol=1e-5)
    assert torch.allclose(still[0, 0, :, 0], (2 * x + 1) / size[1] - 1, atol=1e-5)


def test_a_canvas_may_change_its_size_meanwhile():
    here, waking = canvas(), Perturbation(np.random.default_rng(1))
    waking.bump(here)
    waking.twist()
    waking.move(here, 0.3)
    here.resize((61, 109))
    waking.move(here, 0.3)
    assert here.size == (61, 109)


def test_no_time_no_change():
    here, waking = canvas(), Perturbation(np.random.default_rng(1))
    before = here.array()
    waking.bump(here)
    waking.twist()
    waking.move(here, 0.0)
    assert np.array_equal(here.array(), before)
