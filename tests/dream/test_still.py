import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from streamer.config import Config, DreamConfig, NetworkConfig
from streamer.dream.networks.loading import load
from streamer.dream.sessions import still as stills
from streamer.dream.sessions.estimate import LOOK_PX, kept_per_pixel
from streamer.dream.sessions.still import Plan, StillDream, octave_sizes, resized, trial_size
from streamer.messages.scenes import Scene, Target, arrange
from tests.fakes import tiny_ensemble

pytestmark = pytest.mark.usefixtures("precision")

SCENE = Scene(1, arrange([Target("n00000001", "alpha")]))
PLAN = Plan(((48, 62), (67, 87)), 3)


@pytest.fixture
def dream(monkeypatch: pytest.MonkeyPatch):
    """Return a factory of dreams by the tiny network."""
    monkeypatch.setattr(stills, "load", lambda settings, device: tiny_ensemble())

    def make(**settings) -> StillDream:
        return StillDream(Config(device="cpu", dream=DreamConfig(**settings)))

    return make


def picture(size: tuple[int, int] = (67, 87), seed: int = 0) -> np.ndarray:
    """Return a picture as smooth as photographs."""
    coarse = np.random.default_rng(seed).uniform(60, 200, (5, 7, 3)).astype(np.float32)
    return np.clip(resized(coarse, size), 0, 255).astype(np.uint8)


def test_octaves_grow_to_the_pictures_own_size_and_tiny_ones_are_left_out() -> None:
    assert octave_sizes((400, 600), 3, 2.0) == ((100, 150), (200, 300), (400, 600))
    assert octave_sizes((400, 600), 9, 2.0) == ((50, 75), (100, 150), (200, 300), (400, 600))
    assert octave_sizes((17, 3000), 4, 2.0) == ((17, 3000),)


def test_every_stage_is_a_picture_of_the_full_size(dream) -> None:
    stages = [(stage.iteration, stage.picture()) for stage in dream().dream(picture(), SCENE, PLAN, seed=1)]
    assert [iteration for iteration, _ in stages] == [1, 2, 3, 4, 5, 6]
    assert {(image.shape, image.dtype) for _, image in stages} == {((67, 87, 3), np.dtype(np.uint8))}
    changes = [np.abs(image.astype(float) - picture()).mean() for _, image in stages]
    assert changes == sorted(changes)
    assert 0 < changes[0] < changes[-1] / 2


def test_an_octave_hands_its_detail_on(dream) -> None:
    """The first stage of the next octave has the detail, on the finer picture."""
    stages = [stage.picture().astype(float) for stage in dream(step=8.0).dream(picture(), SCENE, Plan(PLAN.sizes, 4), seed=1)]
    before, after = stages[3] - picture(), stages[4] - picture()
    assert (before * after).sum() / np.sqrt((before**2).sum() * (after**2).sum()) > 0.8


def test_a_pictures_own_detail_survives_its_octaves(dream) -> None:
    """Only the dreamed part passes through small sizes."""
    fine = picture()
    fine[::2, ::2] //= 2
    last = list(dream(step=0.001, leash=0.0).dream(fine, SCENE, PLAN, seed=1))[-1].picture()
    assert np.abs(last.astype(int) - fine).max() <= 1


def test_one_seed_gives_one_picture(dream) -> None:
    def dreamt(seed: int) -> np.ndarray:
        return list(dream().dream(picture(), SCENE, PLAN, seed))[-1].picture()

    assert np.array_equal(dreamt(1), dreamt(1))
    assert not np.array_equal(dreamt(1), dreamt(2))


@pytest.mark.parametrize(
    ("settings", "asked", "plan"),
    [
        ({}, {}, Plan(((90, 120),), 40)),
        ({}, {"iterations": 5}, Plan(((90, 120),), 5)),
        ({}, {"octaves": 2}, Plan(((64, 86), (90, 120)), 10)),
        ({"algorithm": "deepdream", "octaves": 2}, {}, Plan(((64, 86), (90, 120)), 10)),
        ({"algorithm": "deepdream", "octaves": 2}, {"octaves": 1}, Plan(((90, 120),), 40)),
        (
            {"algorithm": "deepdream", "octave_scale": 1.2},
            {"iterations": 7},
            Plan(((52, 69), (62, 83), (75, 100), (90, 120)), 7),
        ),
    ],
)
def test_a_plan_follows_the_call_then_the_settings(dream, settings: dict, asked: dict, plan: Plan) -> None:
    assert dream(**settings).plan((90, 120), **asked) == plan


def test_deepdream_carries_octaves_as_well(dream) -> None:
    found = dream(algorithm="deepdream")
    last = list(found.dream(picture(), SCENE, PLAN, seed=1))[-1]
    assert (last.iteration, last.picture().shape) == (6, (67, 87, 3))


def test_an_estimate_shows_time_and_memory(dream, monkeypatch: pytest.MonkeyPatch) -> None:
    found = dream().estimate(SCENE, PLAN)
    assert found.fits
    assert found.seconds is not None
    assert found.seconds > 0
    assert "GB" in str(found)
    monkeypatch.setattr(stills, "available_bytes", lambda device: 10_000_000)
    steps = SimpleNamespace(taken=0)
    monkeypatch.setattr(stills, "step_seconds", lambda *call: setattr(steps, "taken", 1))
    short = dream().estimate(SCENE, PLAN)
    assert not short.fits
    assert not steps.taken, "no step is taken that could not be afforded"
    assert "10 MB available" in str(short)


def test_an_estimate_counts_what_the_network_computed_and_frees_it() -> None:
    network, outputs = load(NetworkConfig(name="bundled"), torch.device("cpu")).members[0], list[weakref.ref[torch.Tensor]]()
    for layer in network.modules():
        layer.register_forward_hook(lambda layer, given, output: outputs.append(weakref.ref(output)))
    found = kept_per_pixel(network)
    assert outputs
    assert not [output for output in outputs if output() is not None]
    kept, weights = list[torch.Tensor](), {parameter.data_ptr() for parameter in network.parameters()}
    picture = torch.zeros(1, 3, LOOK_PX, LOOK_PX, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.detach()), lambda nothing: nothing):
        network(picture)
    storages = {tensor.data_ptr(): tensor.untyped_storage() for tensor in kept}
    assert found * LOOK_PX**2 == sum(storages[address].nbytes() for address in storages.keys() - weights)


def test_more_pixels_and_more_tiles_need_more_memory() -> None:
    network, device = tiny_ensemble(), torch.device("cpu")
    sizes = [stills.needed_bytes(network, device, size, 256) for size in ((100, 100), (1080, 1920), (4320, 7680))]
    assert sizes == sorted(sizes)
    assert sizes[2] - sizes[1] > 200 * (4320 * 7680 - 1080 * 1920)
    assert stills.needed_bytes(network, device, (2000, 2000), 2048) > stills.needed_bytes(network, device, (2000, 2000), 512)


@pytest.mark.parametrize(
    ("size", "trial"),
    [((53, 71), (53, 71)), ((1080, 1920), (1080, 1920)), ((4320, 7680), (1080, 1920)), ((4000, 100), (4000, 100))],
)
def test_steps_of_large_pictures_are_timed_on_smaller_ones(size: tuple[int, int], trial: tuple[int, int]) -> None:
    assert trial_size(size) == trial
