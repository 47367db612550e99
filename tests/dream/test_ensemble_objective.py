"""Which networks of an ensemble see the picture, by step and target."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from streamer.config import Config, DreamConfig, NetworkConfig
from streamer.dream.algorithms.dreamer import Dreamer
from streamer.dream.interface import DreamError
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.network import Network
from streamer.dream.objectives.ensemble_objective import EnsembleObjective
from streamer.dream.objectives.region_weights import rms
from streamer.dream.objectives.scene import SceneObjective
from streamer.dream.objectives.views import GRAIN_PX, GRAINED_PX, SIZES_PER_VIEW, Transform, ViewSampler
from streamer.messages.scenes import Region, Scene, Target, arrange
from tests.fakes import tiny_network

CPU = torch.device("cpu")
ONE, TWO, THREE, FOUR = "n00000001", "n00000002", "n00000003", "n00000004"
WHOLE, TOP, BOTTOM = (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0)


def named(network: Network, name: str) -> Network:
    network.name = name
    return network


A = named(tiny_network((ONE, TWO, THREE), seed=1, dtype=torch.float32), "a")
B = named(tiny_network((TWO, ONE), seed=2, dtype=torch.float32), "b")
C = named(tiny_network((ONE, FOUR), seed=3, dtype=torch.float32), "c")
ENSEMBLE = Ensemble(A, B, C)


def target(wnid: str) -> Target:
    return Target(wnid, wnid)


def picture(seed: int = 0) -> Tensor:
    return torch.rand(1, 3, 24, 40, generator=torch.Generator().manual_seed(seed)) * 255


def alone(network: Network, wnid: str, box: tuple[float, float, float, float] = WHOLE) -> Tensor:
    return SceneObjective(network).gradient(picture(), [(Region(target(wnid), box), 1.0)])


def in_step(number: int, *regions: Region, combine: str = "in_turn") -> Tensor:
    objective = EnsembleObjective(ENSEMBLE, combine=combine)  # type: ignore[arg-type]
    return objective.gradient(picture(), [(region, 1.0) for region in regions], number)


def test_an_ensemble_knows_what_any_of_its_networks_knows() -> None:
    assert ENSEMBLE.name == "a + b + c"
    assert ENSEMBLE.wnids == (ONE, TWO, THREE, FOUR)
    assert [entry.name for entry in ENSEMBLE.layer_entries] == ["conv1", "relu1", "conv2", "relu2", "conv3"]
    assert ENSEMBLE.first is A
    assert Ensemble(A, named(tiny_network(seed=4, dtype=torch.float32), "a")).name == "a"
    with pytest.raises(ValueError, match="at least one"):
        Ensemble()


@pytest.mark.parametrize(("wnid", "order"), [(ONE, (A, B, C, A)), (TWO, (A, B, A, B)), (THREE, (A, A)), (FOUR, (C, C))])
def test_all_that_know_a_class_have_their_turn(wnid: str, order: tuple[Network, ...]) -> None:
    for number, network in enumerate(order):
        assert torch.equal(in_step(number, Region(target(wnid), WHOLE)), alone(network, wnid)), number


def test_in_a_step_two_networks_may_have_a_half_each_and_count_alike() -> None:
    together = in_step(1, Region(target(TWO), TOP), Region(target(FOUR), BOTTOM))
    top, bottom = alone(B, TWO, TOP), alone(C, FOUR, BOTTOM)
    assert torch.allclose(together, 0.5**0.5 * (top / rms(top) + bottom / rms(bottom)), atol=1e-6)


def test_added_means_that_all_see_the_picture_in_every_step() -> None:
    together = in_step(0, Region(target(TWO), WHOLE), combine="added")
    first, second = alone(A, TWO), alone(B, TWO)
    assert torch.allclose(together, first / rms(first) + second / rms(second), atol=1e-6)
    assert torch.equal(in_step(5, Region(target(FOUR), WHOLE), combine="added"), alone(C, FOUR))


def test_each_network_has_its_own_views() -> None:
    seen: list[tuple[str, float]] = []

    def show(network: Network, view: float) -> Transform:
        seen.append((network.name, view))
        return lambda picture: picture

    objective = EnsembleObjective(ENSEMBLE)
    for number in range(5):
        objective.gradient(
            picture(), [(Region(target(TWO), WHOLE), 1.0)], number, {"a": (1.0, 2.0), "b": (3.0,), "c": (9.0,)}, show
        )
    assert seen == [("a", 1.0), ("a", 2.0), ("b", 3.0), ("a", 1.0), ("a", 2.0)]


def test_layers_go_to_the_first_that_has_them() -> None:
    layer = Region(Target("", "layer relu2", layer="relu2"), WHOLE)
    wanted = SceneObjective(A).gradient(picture(), [(layer, 1.0)])
    for number in range(3):
        assert torch.equal(in_step(number, layer), wanted)


@pytest.mark.parametrize(
    ("unknown", "says"),
    [(target("n99999999"), "a does not know 'n99999999'"), (Target("", "layer x", layer="x"), "a has no layer 'x'")],
)
def test_what_no_network_knows_is_refused(unknown: Target, says: str) -> None:
    with pytest.raises(DreamError, match=says):
        EnsembleObjective(ENSEMBLE).check(unknown)
    EnsembleObjective(ENSEMBLE).check(target(FOUR))


def test_a_glance_shows_the_picture_at_about_its_view_and_shifted() -> None:
    still = ViewSampler(DreamConfig(view_jitter=0.0, jitter_px=0), (24, 40), torch.Generator())
    assert still(A, 1.5)(picture()).shape == (1, 3, 48, 80)  # 1.5 times the 32 pixels it was trained on
    assert torch.equal(still(A, 0.75)(picture()), picture())
    moving = ViewSampler(DreamConfig(view_jitter=0.25, jitter_px=3), (24, 40), torch.Generator().manual_seed(1))
    heights = {moving(A, 1.5)(picture()).shape[2] for _ in range(30)}
    assert len(heights) > 5
    assert min(heights) >= 36
    assert max(heights) <= 60


@pytest.mark.parametrize(("size", "view"), [((270, 480), 8.4), ((270, 480), 4.2), ((480, 270), 3.0), ((24, 40), 1.5)])
def test_glances_show_the_sizes_of_a_ladder_and_no_others(size: tuple[int, int], view: float) -> None:
    sampler = ViewSampler(DreamConfig(view_jitter=0.25), size, torch.Generator().manual_seed(1))
    view_sizes = sampler.view_sizes(A, view)
    assert len(set(view_sizes)) == SIZES_PER_VIEW
    shown = {tuple(sampler(A, view)(torch.zeros(1, 3, *size)).shape[2:]) for _ in range(100)}
    assert shown == set(view_sizes)
    factors = np.array(view_sizes) / np.array(size) * min(size) / (view * A.trained_px)
    assert factors.mean() == pytest.approx(1, abs=0.01)
    assert factors.std() == pytest.approx(0.25 / 3**0.5, abs=0.01), "as wide as sizes drawn freely"
    assert abs(factors[:, 0] / factors[:, 1] - 1).max() < 0.05, "in the picture's proportions"
    assert all(side % GRAIN_PX == 0 for rung in view_sizes for side in rung if side >= GRAINED_PX)


def test_in_bfloat16_a_glance_shows_the_same_to_rounding() -> None:
    coarse = named(tiny_network(dtype=torch.bfloat16), "coarse")
    settings = DreamConfig(view_jitter=0.25, jitter_px=5)
    size, large = (160, 200), torch.rand(1, 3, 160, 200, generator=torch.Generator().manual_seed(0)) * 255
    one, other = (ViewSampler(settings, size, torch.Generator().manual_seed(2)) for _ in range(2))
    for view in (3.0, 7.0):
        for _ in range(4):
            exact, rounded = one(A, view)(large), other(coarse, view)(large)
            assert exact.shape == rounded.shape
            assert (exact - rounded).abs().max() < 1.5


@pytest.mark.parametrize("algorithm", ["default", "deepdream", "ink", "original_2015"])
def test_every_algorithm_dreams_what_only_the_last_network_knows(algorithm: str) -> None:
    from streamer.dream.algorithms.dreamer_factory import make_dreamer

    config = Config(dream=DreamConfig(algorithm=algorithm, views=(1.0,)), network=NetworkConfig(combine="in_turn"))
    start = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)
    dreamer = make_dreamer(ENSEMBLE, config, (24, 40), CPU, 1, start)
    dreamer.scene(Scene(1, arrange([target(FOUR), target(TWO)])))
    before = dreamer.picture()
    for _ in range(6):
        dreamer.step(0.1)
    assert (dreamer.picture() != before).any()


def test_a_dream_by_two_networks_is_neither_ones_own() -> None:
    config = Config(dream=DreamConfig(views=(1.0,), view_jitter=0.0, jitter_px=0, prior_weight=0.0))
    start = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)

    def dream(*networks: Network, steps: int) -> np.ndarray:
        dreamer = Dreamer(Ensemble(*networks), config, (24, 40), CPU, 1, start)
        dreamer.scene(Scene(1, arrange([target(TWO)])))
        for _ in range(steps):
            dreamer.step(0.0)
        return dreamer.picture()

    assert np.array_equal(dream(A, B, steps=1), dream(A, steps=1))
    assert np.array_equal(dream(A, B, A, steps=3), dream(A, B, steps=3))
    assert not np.array_equal(dream(A, B, steps=2), dream(A, steps=2))
