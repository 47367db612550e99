import numpy as np
import pytest
import torch

from streamer.config import Config, DreamConfig, ZoomConfig
from streamer.dream.algorithms.algorithm import Context
from streamer.dream.algorithms.canvas import Canvas
from streamer.dream.algorithms.deepdream import DeepDream, octave_sizes
from streamer.dream.algorithms.dreamer import Dreamer
from streamer.dream.algorithms.fading import SceneMix
from streamer.dream.algorithms.laplacian import Laplacian
from streamer.dream.algorithms.normalisation import make_normalisation
from streamer.dream.algorithms.picture_steps import Decorrelation
from streamer.dream.objectives.region_weights import rms
from streamer.dream.objectives.scene import SceneObjective
from streamer.messages.scenes import Region, Scene, Target, arrange
from tests.fakes import tiny_ensemble, tiny_network

pytestmark = pytest.mark.usefixtures("precision")

LAYER = Target("", "layer conv2", layer="conv2")
REGIONS = [(Region(LAYER, (0, 0, 1, 1)), 1.0)]
CPU = torch.device("cpu")


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def dreamer(size: tuple[int, int] = (36, 64), speed: float = 1.0, **settings: object) -> Dreamer:
    config = Config(dream=DreamConfig(algorithm="deepdream", **settings), zoom=ZoomConfig(speed=speed, rotation=0.0))
    dream = Dreamer(tiny_ensemble(), config, size, CPU, 1)
    dream.scene(Scene(1, arrange([LAYER])))
    return dream


@pytest.mark.parametrize(
    ("size", "octaves", "scale", "least", "expected"),
    [
        ((270, 480), 4, 1.4, 17, [(98, 175), (138, 245), (193, 343), (270, 480)]),
        ((270, 480), 1, 1.4, 17, [(270, 480)]),
        ((270, 480), "auto", 1.4, 17, [(98, 175), (138, 245), (193, 343), (270, 480)]),
        ((40, 64), 4, 2.0, 17, [(20, 32), (40, 64)]),
        ((10, 12), "auto", 1.4, 17, [(10, 12)]),
    ],
)
def test_octaves_go_down_as_far_as_the_network_can_see(
    size: tuple[int, int], octaves: int | str, scale: float, least: int, expected: list[tuple[int, int]]
) -> None:
    assert octave_sizes(size, octaves, scale, least) == expected


def test_a_step_at_an_octave_changes_the_picture_by_one_on_average_and_is_as_coarse_as_the_octave() -> None:
    settings = DreamConfig(algorithm="deepdream", octaves=3, octave_scale=2.0, jitter_px=4)
    dream = DeepDream(Context.of(tiny_ensemble(), Config(dream=settings), CPU, 2))
    dream.prepare((48, 64))
    canvas = Canvas((random(48, 64, 3) * 40 + 128).numpy())

    def change(octave: int) -> torch.Tensor:
        dream.number = octave
        direction, size = dream.update(canvas, SceneMix(tuple(REGIONS), 0.0, has_outgoing=False), 1.0)
        return size * direction

    fine, coarse = change(2), change(0)
    assert float(fine.abs().mean()) == pytest.approx(1.0)
    assert 0.5 < float(coarse.abs().mean()) < 1.2

    def roughness(change: torch.Tensor) -> float:
        return float(rms(change.diff(dim=3)) / rms(change))

    assert roughness(coarse) < 0.5 * roughness(fine)


def test_the_layers_norm_rises() -> None:
    dream = dreamer(octaves=2, step=1.5, leash=0.0)
    objective = SceneObjective(tiny_network())

    def score() -> float:
        picture = torch.from_numpy(dream.picture()).permute(2, 0, 1)[None].float()
        return objective.score(picture, REGIONS[0][0])

    before = score()
    for _ in range(12):
        dream.step(0.1)
    assert score() > 1.2 * before


def test_the_dream_continues_while_the_camera_moves_and_the_canvas_changes() -> None:
    dream = dreamer(speed=1.5)
    dream.step(0.1)
    dream.resize((24, 40))
    dream.step(0.1)
    assert dream.picture().shape == (24, 40, 3)
    assert dream.pose.log_zoom == pytest.approx(0.2 * np.log2(1.5))


def test_one_seed_gives_one_dream() -> None:
    pictures = []
    for _ in range(2):
        dream = dreamer()
        for _ in range(3):
            dream.step(0.1)
        pictures.append(dream.picture())
    assert np.array_equal(*pictures)


@pytest.mark.parametrize("size", [(32, 48), (33, 47), (9, 21), (5, 6)])
def test_a_pyramid_taken_apart_is_put_together_again(size: tuple[int, int]) -> None:
    picture = random(1, 3, *size)
    pyramid = Laplacian()
    bands, rest = pyramid.split(picture)
    assert torch.allclose(pyramid.merge(bands, rest), picture, atol=1e-5)
    assert all(band.shape[2] > 4 for band in bands)


def test_enlarging_keeps_a_flat_picture_flat_up_to_its_border() -> None:
    bands, rest = Laplacian().split(torch.full((1, 3, 37, 52), 7.0))
    assert all(band.abs().max() < 1e-4 for band in bands)
    assert torch.allclose(rest, torch.tensor(7.0))


def test_all_scales_of_a_gradient_become_alike() -> None:
    fine, coarse = random(1, 3, 64, 64), torch.nn.functional.interpolate(random(1, 3, 4, 4, seed=1), 64, mode="bicubic")
    pyramid = Laplacian()

    def sizes(gradient: torch.Tensor) -> list[float]:
        bands, rest = pyramid.split(gradient)
        return [float(rms(each)) for each in (*bands, rest)]

    before, after = sizes(fine + 0.01 * coarse), sizes(pyramid(fine + 0.01 * coarse))
    assert before[0] > 20 * before[-1]
    assert max(after) < 3 * min(after)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (DreamConfig(), Decorrelation),
        (DreamConfig(normalisation="laplacian"), Laplacian),
        (DreamConfig(algorithm="deepdream", normalisation="decorrelated"), Decorrelation),
    ],
)
def test_the_normalisation_is_chosen(settings: DreamConfig, kind: type) -> None:
    assert isinstance(make_normalisation(settings, torch.eye(3), (8, 8), CPU), kind)


@pytest.mark.parametrize("settings", [DreamConfig(algorithm="deepdream"), DreamConfig(normalisation="mean")])
def test_the_mean_leaves_a_gradient_as_it_is(settings: DreamConfig) -> None:
    gradient = random(1, 3, 8, 8)
    assert torch.equal(make_normalisation(settings, torch.eye(3), (8, 8), CPU)(gradient), gradient)
