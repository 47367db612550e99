import numpy as np
import pytest
import torch

from streamer.config import Config, DreamConfig, ZoomConfig
from streamer.dream.dreamer import LARGE_PX, STEP, STEP_MOST, Dreamer, step_for, views_for
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.objectives import DreamError
from streamer.messages import Motion, Pose, Scene, Target, arrange
from streamer.zoom import advance
from tests.fakes import tiny_ensemble, tiny_network

pytestmark = pytest.mark.usefixtures("precision")

A, B, C = (Target(f"n0000000{i}", name) for i, name in enumerate(("alpha", "beta", "gamma"), 1))
SIZE = (36, 64)
SCENE = Scene(1, arrange([A, B]))


def dreamer(seed: int = 1, **settings) -> Dreamer:
    zoom = ZoomConfig(speed=1.05, rotation=0.25)
    return Dreamer(tiny_ensemble(), Config(dream=DreamConfig(**settings), zoom=zoom), SIZE, torch.device("cpu"), seed)


@pytest.mark.parametrize("algorithm", ["default", "original_2015"])
def test_what_is_asked_for_grows_in_its_half(algorithm: str) -> None:
    network = tiny_network()
    network.layers.conv3.weight.data *= 1000  # a random network's opinions are faint beside the prior of 2015
    config = Config(dream=DreamConfig(algorithm=algorithm))
    dream = Dreamer(Ensemble(network), config, SIZE, torch.device("cpu"), 1)
    dream.scene(SCENE)

    def score() -> float:
        """How much each class stands out in its half."""
        logits = network(torch.from_numpy(dream.picture()).permute(2, 0, 1)[None].float())[0]
        return float(logits[0, :4].mean() + logits[1, 5:].mean() - 2 * logits.mean())

    before = score()
    for _ in range(5):
        dream.step(0.1)
    assert score() > before


@pytest.mark.parametrize("algorithm", ["default", "original_2015"])
def test_one_seed_gives_one_dream(algorithm: str) -> None:
    def dreamt(seed: int) -> np.ndarray:
        dream = dreamer(seed, algorithm=algorithm)
        dream.scene(SCENE)
        for _ in range(4):
            dream.step(0.1)
        return dream.picture()

    assert np.array_equal(dreamt(7), dreamt(7))
    assert not np.array_equal(dreamt(7), dreamt(8))


@pytest.mark.parametrize(("algorithm", "steps"), [("default", 7), ("original_2015", 11)])
def test_the_camera_follows_its_path(algorithm: str, steps: int) -> None:
    dream = dreamer(algorithm=algorithm)
    dream.scene(SCENE)
    for _ in range(steps):
        dream.step(0.1)
    due = advance(Pose(), Motion(1.05, 0.25), 0.1 * steps)
    assert dream.pose.log_zoom == pytest.approx(due.log_zoom)
    assert dream.pose.rotation == pytest.approx(due.rotation)


def test_without_a_scene_the_camera_moves_and_nothing_grows() -> None:
    dream = dreamer()
    before = dream.picture()
    dream.step(0.1)
    assert dream.pose != Pose()
    assert np.abs(dream.picture().astype(int) - before).mean() < 4


def test_a_change_of_scene_fades_over_and_ends() -> None:
    dream = dreamer(crossfade_s=1.0)
    dream.scene(SCENE)
    dream.step(0.1)
    dream.scene(Scene(2, arrange([C])))
    dream.step(0.25)
    shares = {region.target.label: share for region, share in dream._fading.regions(0.0) if share > 0}
    assert shares == pytest.approx({"alpha": 0.75, "beta": 0.75, "gamma": 0.25})
    for _ in range(4):
        dream.step(0.25)
    assert {region.target.label for region, share in dream._fading.regions(0.0) if share > 0} == {"gamma"}


def stirred(dream: Dreamer) -> float:
    """Mean change of the picture by one step, in levels."""
    before = dream.picture().astype(int)
    dream.step(0.1)
    return float(np.abs(dream.picture() - before).mean())


def test_steps_are_larger_where_a_zoom_has_to_be_made_up_for() -> None:
    still, slow, usual, fast = (step_for(64, Motion(speed, 1.0), 0.1) for speed in (1.0, 1.02, 1.06, 1.5))
    assert still == STEP < slow < usual == fast == STEP_MOST
    assert step_for(64, Motion(1 / 1.02), 0.1) == pytest.approx(slow)  # out as in
    assert step_for(64, Motion(1.02), 0.05) < slow
    assert step_for(LARGE_PX, Motion(1.5), 0.1) == STEP


def test_the_size_of_a_step_is_as_the_settings_say() -> None:
    def size(speed: float, **settings) -> float:
        dream = dreamer(surge=0.0, prior_weight=0.0, leash=0.0, **settings)
        dream.motion(Motion(speed, 0.0))
        dream.scene(SCENE)
        sizes = []
        plain, dream._update = dream._update, lambda regions, size: sizes.append(size) or plain(regions, size)
        dream.step(0.1)
        return sizes[0]

    assert size(1.5, step=2.5) == size(1.0, step=2.5) == 2.5
    assert size(1.0) == STEP
    assert size(1.5) == STEP_MOST


def test_a_change_of_scene_comes_with_a_surge_that_dies_away() -> None:
    dream = dreamer(surge=3.0)
    dream.scene(SCENE)
    for _ in range(120):
        dream.step(0.1)
    settled = stirred(dream)
    dream.scene(Scene(2, arrange([C])))
    assert stirred(dream) > 2 * settled
    for _ in range(120):
        dream.step(0.1)
    assert stirred(dream) < 1.5 * settled


def test_a_new_scene_keeps_less_of_the_direction_of_the_old() -> None:
    def turned(surge: float) -> bool:
        """Whether one step the other way, as a scene comes, turns a direction that two steps made."""
        dream = dreamer(momentum=0.85, prior_weight=0.0, surge=surge)
        dream.scene(SCENE)
        ones = torch.ones_like(dream.canvas.picture)
        directions = []
        for uphill in (ones, ones, -ones):
            dream._climb = lambda regions, uphill=uphill: uphill
            dream.step(0.0)
            directions.append(dream.canvas.momentum.clone())
        return float((directions[1] * directions[2]).sum()) < 0

    assert turned(surge=3.0)
    assert not turned(surge=0.0)


def test_a_surge_hastens_what_comes_and_takes_back_what_goes() -> None:
    def standing(surge: float) -> tuple[float, float]:
        """How much the old and the new subject stand out, five steps after the change."""
        network = tiny_network()
        network.layers.conv3.weight.data *= 1000
        dream = Dreamer(Ensemble(network), Config(dream=DreamConfig(surge=surge, step=3.0)), SIZE, torch.device("cpu"), 1)
        dream.scene(Scene(1, arrange([A])))
        for _ in range(60):
            dream.step(0.1)
        dream.scene(Scene(2, arrange([C])))
        for _ in range(5):
            dream.step(0.1)
        logits = network(torch.from_numpy(dream.picture()).permute(2, 0, 1)[None].float())[0]
        return float((logits[0] - logits.mean(0)).mean()), float((logits[2] - logits.mean(0)).mean())

    (old_slow, new_slow), (old_fast, new_fast) = standing(0.0), standing(3.0)
    assert new_fast > new_slow
    assert old_fast < old_slow


def test_a_subject_that_stays_is_not_taken_back() -> None:
    dream = dreamer()
    dream.scene(SCENE)
    dream.step(0.1)
    dream.scene(Scene(2, arrange([A, C])))
    assert [region.target.label for region in dream._fading.left] == ["beta"]


def test_a_class_the_network_lacks_is_refused_by_name() -> None:
    with pytest.raises(DreamError, match="tiny does not know 'unicorn'"):
        dreamer().scene(Scene(1, arrange([Target("n99999999", "unicorn")])))


def test_a_restored_dream_goes_on_where_it_was() -> None:
    dream = dreamer()
    dream.scene(SCENE)
    for _ in range(3):
        dream.step(0.1)
    other = dreamer(seed=99)
    other.restore(*dream.state())
    assert np.array_equal(other.picture(), dream.picture())
    assert other.pose == dream.pose


def test_the_canvas_changes_size_in_mid_dream() -> None:
    dream = dreamer()
    dream.scene(SCENE)
    dream.step(0.1)
    dream.resize((27, 48))
    dream.step(0.1)
    assert dream.picture().shape == (27, 48, 3)


@pytest.mark.parametrize("how", ["bump", "twist"])
def test_what_wakes_stirs_the_picture_bit_by_bit(how: str) -> None:
    dream = dreamer()
    dream.scene(SCENE)
    for _ in range(30):
        dream.step(0.0)
    before = dream.picture().astype(int)
    getattr(dream, how)()
    assert np.array_equal(dream.picture(), before)
    apart = []
    for _ in range(10):
        dream.step(0.1)
        apart.append(np.abs(dream.picture() - before).mean())
    assert apart[0] < apart[-1] / 2
    assert apart[-1] > 8


def test_a_picture_to_start_from_is_cut_to_the_canvas() -> None:
    red = np.zeros((5, 5, 3), np.uint8)
    red[..., 0] = 200
    dream = Dreamer(tiny_ensemble(), Config(), SIZE, torch.device("cpu"), 1, red)
    assert dream.picture().shape == (*SIZE, 3)
    assert (dream.picture()[..., 0] == 200).all()


def test_a_long_dream_of_long_steps_neither_clips_nor_turns_harsh_black_or_white() -> None:
    dream = dreamer(step=6.0)
    dream.scene(SCENE)
    for _ in range(150):
        dream.step(0.1)
    picture = dream.picture()
    assert ((picture <= 1) | (picture >= 254)).mean() < 0.03
    assert picture.mean(2).std() < 75
    assert 30 < picture.mean() < 225


def test_views_suit_the_network_and_the_canvas() -> None:
    assert views_for(224, (270, 480)) == (1.7, 0.85)
    assert views_for(224, (720, 1280)) == (1.7, 0.85, 720 / 224)
    assert views_for(64, (270, 480)) == (4.2, 2.1)
