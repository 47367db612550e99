"""Captured steps for GPUs, run on the CPU and compared with usual ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from streamer.config import Config, DreamConfig, ZoomConfig
from streamer.dream.algorithms import decorrelated
from streamer.dream.algorithms.captured_step import MOST_REGIONS, CapturedStep, slope_of_classes
from streamer.dream.algorithms.cuda_graphs import CudaGraphs, Work
from streamer.dream.algorithms.dreamer import Dreamer
from streamer.dream.algorithms.patch_prior import PatchPrior
from streamer.dream.algorithms.prior import PriorParameters
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.objectives.region_weights import rms
from streamer.dream.objectives.scene import SceneObjective
from streamer.messages.motion import Motion
from streamer.messages.scenes import Layout, Region, Scene, Target, arrange
from tests.dream.test_dreamer import standing_out
from tests.fakes import tiny_ensemble, tiny_network

CPU = torch.device("cpu")
A, B, C = (Target(f"n0000000{i}", name) for i, name in enumerate(("alpha", "beta", "gamma"), 1))
LAYER = Target("", "layer conv2", layer="conv2")
SIZE = (36, 64)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let every device take captured steps, and count them."""
    taken: list[int] = []
    take = CapturedStep.take

    def counted(self: CapturedStep, *given: object) -> None:
        taken.append(1)
        take(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(decorrelated, "captures", lambda device: True)
    monkeypatch.setattr(CapturedStep, "take", counted)
    return taken


def dreamer(ensemble: Ensemble | None = None, speed: float = 1.05, **settings: object) -> Dreamer:
    config = Config(dream=DreamConfig(**settings), zoom=ZoomConfig(speed=speed, rotation=5.0))
    return Dreamer(ensemble or tiny_ensemble(), config, SIZE, CPU, 1)


def picture(*size: int, seed: int = 1) -> torch.Tensor:
    return 255 * torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(seed))


def test_without_a_prior_it_is_the_other_step(at_once: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """With zoom, turns, fades and surges, only the prior's offsets and rounding differ."""

    def dreamt(captured: bool) -> tuple[np.ndarray, torch.Tensor]:
        monkeypatch.setattr(decorrelated, "captures", lambda device: captured)
        dream = dreamer(Ensemble(tiny_network(dtype=torch.float32)), prior_weight=0.0, jitter_px=3)
        # Since the prior draws no numbers, both steps draw the same views and shifts.
        monkeypatch.setattr(PatchPrior, "gradient", lambda self, picture, generator: torch.ones_like(picture))
        monkeypatch.setattr(PatchPrior, "reach", lambda self, size: [])
        monkeypatch.setattr(PatchPrior, "gradient_at", lambda self, picture, offsets: torch.ones_like(picture))
        dream.scene(Scene(1, arrange([A, B])))
        for number in range(6):
            if number == 3:
                dream.scene(Scene(2, arrange([C, B], Layout.LEFT_RIGHT)))
            dream.step(0.1)
        return dream.picture(), dream.canvas.momentum.clone()

    expected, found = dreamt(captured=False), dreamt(captured=True)
    assert len(at_once) == 6
    assert np.abs(found[0].astype(int) - expected[0]).max() <= 1
    assert torch.allclose(found[1], expected[1], atol=2e-3)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"], indirect=True)
def test_it_dreams_what_is_asked_for(at_once: list[int], precision: torch.dtype) -> None:
    network = tiny_network()
    network.layers.conv3.weight.data *= 1000
    dream = dreamer(Ensemble(network))
    dream.scene(Scene(1, arrange([A, B])))

    before = standing_out(dream, network)
    for _ in range(5):
        dream.step(0.1)
    assert standing_out(dream, network) > before
    assert len(at_once) == 5


def test_what_is_recorded_at_first_is_not_done(
    at_once: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def dreamt() -> np.ndarray:
        dream = dreamer(tiny_ensemble(0, 1))
        dream.scene(Scene(1, arrange([A, B])))
        for _ in range(3):
            dream.step(0.1)
        return dream.picture()

    expected = dreamt()
    monkeypatch.setattr(CudaGraphs, "records", True)
    with caplog.at_level("INFO", "streamer.dream.algorithms.captured_step"):
        assert np.array_equal(dreamt(), expected)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("steps at ")
    assert len(at_once) == 6


def test_the_same_seed_gives_the_same_dream(at_once: list[int]) -> None:
    def dreamt() -> np.ndarray:
        dream = dreamer()
        dream.scene(Scene(1, arrange([A, B])))
        for _ in range(4):
            dream.step(0.1)
        return dream.picture()

    assert np.array_equal(dreamt(), dreamt())


def test_what_it_cannot_do_is_done_the_other_way(at_once: list[int]) -> None:
    dream = dreamer(tiny_ensemble(0, 1))
    dream.step(0.1)
    dream.scene(Scene(1, arrange([A, LAYER])))
    dream.step(0.1)
    assert not at_once
    dream.scene(Scene(2, arrange([A])))
    for _ in range(12):  # the layer fades out, and its objective is descended for a while
        dream.step(2.0)
    assert len(at_once) > 4
    dream.resize((27, 48))
    dream.bump()
    dream.motion(Motion(1.0, 0.0))
    for _ in range(3):
        dream.step(0.1)
    assert dream.picture().shape == (27, 48, 3)
    assert not CapturedStep.supports([(Region(A, (0, 0, 1, 1)), 1.0)] * (MOST_REGIONS + 1))


@pytest.mark.parametrize("layout", list(Layout))
def test_the_slope_of_classes_is_the_gradient_of_their_loss(layout: Layout) -> None:
    network = tiny_network(dtype=torch.float32)
    regions = arrange([A, B, C, A], layout)
    weighted = [(region, share) for region, share in zip(regions, (1.0, 0.4, -0.3, 0.7), strict=False)]
    whole = picture(*SIZE)
    expected = SceneObjective(network).gradient(whole, weighted)
    told = torch.zeros(MOST_REGIONS, 6)
    for row, (region, share) in zip(told, weighted, strict=False):
        row[:] = torch.tensor([*region.box, -share * region.weight, network.wnids.index(region.target.wnid)])
    x = whole.clone().requires_grad_(True)
    logits = network(x)
    slope = slope_of_classes(told, (logits.shape[1], logits.shape[2], logits.shape[3]))
    (found,) = torch.autograd.grad((logits[0] * slope).sum(), x)
    assert float(rms(found - expected)) < 1e-4 * float(rms(expected))


@pytest.mark.parametrize("offsets", [(0, 0, 0, 0), (1, 3, 5, 2), (3, 3, 7, 7)])
def test_the_prior_from_known_offsets_is_the_prior_of_that_part(offsets: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(3)
    filters = torch.randn(20, 3, 8, 8, generator=generator) / 100
    whole = picture(44, 60)
    for pooling, (top, left) in ((1, offsets[:2]), (2, offsets[2:])):
        prior = PatchPrior(PriorParameters(filters, 2.0, torch.eye(3)), (pooling,))
        ((most_top, most_left),) = prior.reach((44, 60))
        assert top < most_top
        assert left < most_left
        grain = prior.stride * pooling
        height, width = (44 - most_top + 1) // grain * grain, (60 - most_left + 1) // grain * grain
        expected = torch.zeros_like(whole)
        part = (..., slice(top, top + height), slice(left, left + width))
        expected[part] = prior.gradient(whole[part])
        found = prior.gradient_at(whole, torch.tensor([[top, left]]))
        assert torch.allclose(found, expected, atol=1e-7)
    assert not PatchPrior(PriorParameters(filters, 2.0, torch.eye(3)), (8,)).gradient_at(whole, torch.zeros(1, 2).long()).any()


def test_elsewhere_than_on_a_gpu_work_is_done_as_it_stands() -> None:
    graphs, done = CudaGraphs(CPU), []
    for _ in range(3):
        graphs.run(Work("key", lambda: done.append(1), ()))
    assert len(done) == 3
    assert not graphs.records
    graphs.forget()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA here")
def test_a_recorded_step_is_the_step_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = torch.device("cuda")

    def dreamt(recorded: bool) -> torch.Tensor:
        network = tiny_network(dtype=torch.float32).to(cuda)
        dream = Dreamer(Ensemble(network), Config(), SIZE, cuda, 1)
        graphs = dream._algorithm._captured._graphs
        graphs._plain = not recorded
        dream.scene(Scene(1, arrange([A, B])))
        for number in range(30):
            if number == 15:
                dream.scene(Scene(2, arrange([C])))
            dream.step(0.1)
        assert bool(graphs._recorded) is recorded, "a change of scene or a size that cannot be recorded"
        return dream.canvas.picture

    expected, found = dreamt(recorded=False), dreamt(recorded=True)
    assert float((expected - found).abs().mean()) < 1
