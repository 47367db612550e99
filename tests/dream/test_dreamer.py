from typing import get_args

import cv2
import numpy as np
import pytest
import torch

from streamer.algorithm_facts import ALGORITHMS
from streamer.config import Config, DreamConfig, ZoomConfig
from streamer.dream.algorithms.decorrelated import LARGE_PX, STEP_MATURE, STEP_MOST, auto_views, step_for
from streamer.dream.algorithms.dreamer import ASCENTS, Dreamer
from streamer.dream.algorithms.gradient_ascent import STEP
from streamer.dream.interface import DreamError
from streamer.dream.networks.ensemble import Ensemble
from streamer.dream.networks.network import Network
from streamer.dream_state import DreamState
from streamer.messages.motion import Motion, Pose
from streamer.messages.scenes import Scene, Target, arrange
from streamer.zoom import advance
from tests.fakes import tiny_ensemble, tiny_network

pytestmark = pytest.mark.usefixtures("precision")

A, B, C = (Target(f"n0000000{i}", name) for i, name in enumerate(("alpha", "beta", "gamma"), 1))
SIZE = (36, 64)
SCENE = Scene(1, arrange([A, B]))


def dreamer(seed: int = 1, **settings) -> Dreamer:
    zoom = ZoomConfig(speed=1.05, rotation=0.25)
    return Dreamer(tiny_ensemble(), Config(dream=DreamConfig(**settings), zoom=zoom), SIZE, torch.device("cpu"), seed)


def standing_out(dream: Dreamer, network: Network) -> float:
    """Return how much the classes of ``SCENE`` stand out, each in its half."""
    logits = network(torch.from_numpy(dream.picture()).permute(2, 0, 1)[None].float())[0]
    return float(logits[0, :4].mean() + logits[1, 5:].mean() - 2 * logits.mean())


@pytest.mark.parametrize("algorithm", ["default", "original_2015"])
def test_what_is_asked_for_grows_in_its_half(algorithm: str) -> None:
    network = tiny_network()
    network.layers.conv3.weight.data *= 1000  # a random network's gradients are weak next to the prior of 2015
    config = Config(dream=DreamConfig(algorithm=algorithm))
    dream = Dreamer(Ensemble(network), config, SIZE, torch.device("cpu"), 1)
    dream.scene(SCENE)

    before = standing_out(dream, network)
    for _ in range(5):
        dream.step(0.1)
    assert standing_out(dream, network) > before


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
    shares = {region.target.label: share for region, share in dream._fading.advance(0.0).regions if share > 0}
    assert shares == pytest.approx({"alpha": 0.75, "beta": 0.75, "gamma": 0.25})
    for _ in range(4):
        dream.step(0.25)
    assert {region.target.label for region, share in dream._fading.advance(0.0).regions if share > 0} == {"gamma"}


def stirred(dream: Dreamer) -> float:
    """Take a step; return the mean change in levels."""
    before = dream.picture().astype(int)
    dream.step(0.1)
    return float(np.abs(dream.picture() - before).mean())


def test_steps_are_larger_where_a_zoom_has_to_be_made_up_for() -> None:
    still, slow, usual, fast = (step_for(64, Motion(speed, 1.0), 0.1) for speed in (1.0, 1.02, 1.06, 1.5))
    assert still == STEP < slow < usual == fast == STEP_MOST
    assert step_for(64, Motion(1 / 1.02), 0.1) == pytest.approx(slow)  # zooming out needs the same steps as zooming in
    assert step_for(64, Motion(1.02), 0.05) < slow
    assert step_for(LARGE_PX, Motion(1.5), 0.1) == STEP


def test_steps_shrink_where_a_subject_stands() -> None:
    young, older, maturity = (step_for(64, Motion(1.06), 0.1, share) for share in (0.0, 0.5, 1.0))
    assert young == STEP_MOST
    assert older == pytest.approx((STEP_MOST + STEP_MATURE) / 2)
    assert maturity == STEP_MATURE > STEP
    assert step_for(64, Motion(1.0), 0.1, 1.0) == step_for(LARGE_PX, Motion(1.06), 0.1, 1.0) == STEP


def test_the_size_of_a_step_is_as_the_settings_say() -> None:
    def size(speed: float, age_s: float = 0.0, drive: float = 1.0, **settings) -> float:
        dream = dreamer(surge=0.0, prior_weight=0.0, leash=0.0, **settings)
        dream.motion(Motion(speed, 0.0, drive))
        dream.scene(SCENE)
        dream._fading.advance(age_s)
        sizes = []
        ascent = dream._algorithm
        plain, ascent.update = ascent.update, lambda *given: sizes.append(given[-1]) or plain(*given)
        dream.step(0.1)
        return sizes[0]

    assert size(1.5, step=2.5) == size(1.0, step=2.5) == 2.5
    assert size(1.0) == STEP
    assert size(1.5) == STEP_MOST
    assert size(1.5, age_s=60.0) == STEP_MATURE
    assert size(1.5, age_s=60.0, step=2.5) == 2.5
    assert size(1.5, step=2.0, drive=1.5) == 3.0
    assert size(1.5, drive=0.5) == STEP_MOST / 2


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
        """Return whether a step of a new, opposite scene reverses the direction of the two before it."""
        dream = dreamer(momentum=0.85, prior_weight=0.0, surge=surge)
        dream.scene(SCENE)
        ones = torch.ones_like(dream.canvas.picture)
        directions = []
        for uphill in (ones, ones, -ones):
            dream._algorithm._objective_gradient = lambda picture, regions, uphill=uphill: uphill
            dream.step(0.0)
            directions.append(dream.canvas.momentum.clone())
        return float((directions[1] * directions[2]).sum()) < 0

    assert turned(surge=3.0)
    assert not turned(surge=0.0)


def test_a_surge_hastens_what_comes_and_takes_back_what_goes() -> None:
    def standing(surge: float) -> tuple[float, float]:
        """Return how much the old and the new subject stand out five steps after the change."""
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
    going = [region.target.label for region, share in dream._fading.advance(0.0).regions if share < 0]
    assert going == ["beta"]


def test_a_class_the_network_lacks_is_refused_by_name() -> None:
    with pytest.raises(DreamError, match="tiny does not know 'unicorn'"):
        dreamer().scene(Scene(1, arrange([Target("n99999999", "unicorn")])))


def test_a_restored_dream_has_the_same_picture_and_pose() -> None:
    dream = dreamer()
    dream.scene(SCENE)
    for _ in range(3):
        dream.step(0.1)
    other = dreamer(seed=99)
    other.restore(*dream.state())
    assert np.array_equal(other.picture(), dream.picture())
    assert other.pose == dream.pose


def test_a_restored_dream_does_not_hasten_as_for_a_new_subject() -> None:
    dream = dreamer()
    dream.scene(SCENE)
    for _ in range(3):
        dream.step(0.1)
    picture, pose = dream.picture(), dream.pose
    other = dreamer()
    other.restore(picture, pose)
    fresh = Dreamer(tiny_ensemble(), Config(), SIZE, torch.device("cpu"), 1, picture)
    changed = []
    for each in (other, fresh):
        each.scene(SCENE)
        each.step(0.0)
        changed.append(float(np.abs(each.picture().astype(float) - picture).mean()))
    assert changed[0] < 0.6 * changed[1]


@pytest.mark.parametrize("algorithm", ["default", "deepdream"])
def test_a_dream_restored_with_its_kept_state_continues_as_if_uninterrupted(algorithm: str) -> None:
    def dreamt(dream: Dreamer, steps: int) -> Dreamer:
        for _ in range(steps):
            dream.step(0.1)
        return dream

    whole, first = (
        dreamer(algorithm=algorithm, crossfade_s=0.0, surge=0.0),
        dreamer(algorithm=algorithm, crossfade_s=0.0, surge=0.0),
    )
    for dream in (whole, first):
        dream.scene(SCENE)
    dreamt(first, 20)
    second, fresh = (dreamer(seed=99, algorithm=algorithm, crossfade_s=0.0, surge=0.0) for _ in range(2))
    second.restore(*first.state(), first.keep())
    fresh.restore(*first.state())
    apart = []
    dreamt(whole, 25)
    for dream in (second, fresh):
        dream.scene(SCENE)
        apart.append(float(np.abs(dreamt(dream, 5).picture().astype(float) - whole.picture()).mean()))
    assert apart[0] < 0.05, "float16 is all that is lost"
    assert apart[0] < 0.2 * apart[1]


def test_what_was_kept_elsewhere_is_moved_to_where_the_camera_stands() -> None:
    dream = dreamer()
    dream.scene(SCENE)
    for _ in range(5):
        dream.step(0.1)
    kept = dream.keep()
    dream.canvas.move(Motion(1.5, 20.0), 0.5)
    other = dreamer()
    other.restore(*dream.state(), kept)
    apart = float((other.canvas.momentum - dream.canvas.momentum).abs().mean())
    unmoved = torch.from_numpy(kept.arrays["momentum"].astype(np.float32))
    assert apart < 0.01 * float(dream.canvas.momentum.abs().mean())
    assert apart < 0.01 * float((unmoved - dream.canvas.momentum).abs().mean())


def test_what_was_kept_at_another_size_is_resampled_and_what_makes_no_sense_is_left() -> None:
    dream, small = dreamer(), dreamer()
    small.resize((18, 32))
    small.scene(SCENE)
    small.step(0.1)
    picture, pose = dream.state()
    dream.restore(picture, pose, small.keep())
    assert dream.canvas.momentum.shape == dream.canvas.picture.shape
    assert float(dream.canvas.momentum.abs().mean()) > 0
    for arrays, numbers in (
        ({"momentum": np.zeros((2, 36, 64), np.float16), "chance": np.zeros(3, np.uint8)}, {"steps": "many", "noise": 7}),
        ({"momentum": np.full((3, 36, 64), np.nan, np.float16)}, {"steps": -1, "noise": {"bit_generator": "other"}}),
        ({"momentum": np.zeros((3, 36, 64), np.float64)}, {}),
    ):
        dream.restore(picture, pose, DreamState("tiny", "default", pose, arrays, numbers))
        assert float(dream.canvas.momentum.abs().max()) == 0
        dream.step(0.1)
        assert dream.fault() == ""


def test_invalid_pixel_values_are_a_fault() -> None:
    dream = dreamer()
    assert dream.fault() == ""
    dream.canvas.picture[0, 1, 2, 3] = float("nan")
    assert dream.fault() == "it holds values that are not numbers"
    for value in (float("inf"), 256.0, -1.0, -float("inf")):
        dream.canvas.picture[0, 1, 2, 3] = value
        assert dream.fault().startswith("it reaches from ")


def test_the_canvas_changes_size_in_mid_dream() -> None:
    dream = dreamer()
    dream.scene(SCENE)
    dream.step(0.1)
    dream.resize((27, 48))
    dream.step(0.1)
    assert dream.picture().shape == (27, 48, 3)


def test_the_algorithm_of_2015_takes_another_size_between_two_moves_of_its_camera() -> None:
    dream = dreamer(algorithm="original_2015")
    dream.scene(SCENE)
    for size in ((36, 64), (27, 48), (36, 64)):
        dream.resize(size)
        dream.step(0.1)
        assert dream.picture().shape == (*size, 3)


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
    assert auto_views(224, (270, 480)) == (1.7, 0.85)
    assert auto_views(224, (720, 1280)) == (1.7, 0.85, 720 / 224)
    assert auto_views(64, (270, 480)) == (4.2, 2.1)


def test_every_algorithm_is_known_by_its_facts_and_can_be_asked_for() -> None:
    allowed = set(get_args(DreamConfig.model_fields["algorithm"].annotation))
    assert set(ALGORITHMS) == allowed == {*ASCENTS, "ink"}


TUNINGS = {"momentum": 0.1, "prior_weight": 5.0, "step": 9.0, "views": (1.0, 2.0), "leash": 0.9, "spectrum_power": 0.2}


@pytest.mark.parametrize("algorithm", ["default", "deepdream"])
def test_other_settings_show_from_the_next_step_on(algorithm: str) -> None:
    """New settings before the first step have the same effect as starting with them."""
    first = dreamer(algorithm=algorithm)
    first.scene(SCENE)
    first.tune(Config(dream=DreamConfig(algorithm=algorithm, **TUNINGS)))  # type: ignore[arg-type]
    second, third = dreamer(algorithm=algorithm, **TUNINGS), dreamer(algorithm=algorithm)
    for other in (second, third):
        other.scene(SCENE)
    for dream in (first, second, third):
        for _ in range(3):
            dream.step(0.1)
    assert np.array_equal(first.picture(), second.picture())
    assert not np.array_equal(first.picture(), third.picture())


def test_a_change_of_settings_keeps_the_picture_and_its_momentum() -> None:
    dream = dreamer()
    dream.scene(SCENE)
    for _ in range(3):
        dream.step(0.1)
    before, momentum = dream.picture(), dream.canvas.momentum.clone()
    dream.tune(Config(dream=DreamConfig(view_jitter=0.0, crossfade_s=9.0)))
    assert np.array_equal(dream.picture(), before)
    assert torch.equal(dream.canvas.momentum, momentum)
    assert float(momentum.abs().max()) > 0


def test_a_change_takes_as_long_as_the_settings_say_by_then() -> None:
    dream = dreamer(crossfade_s=0.2)
    dream.scene(SCENE)
    dream.step(0.1)
    dream.tune(Config(dream=DreamConfig(crossfade_s=10.0)))
    dream.scene(Scene(2, arrange([C])))
    dream.step(0.5)
    assert dream._fading._scenes[-1][1] == pytest.approx(0.05)


def test_a_look_at_a_step_shows_it_and_changes_nothing() -> None:
    alone, watched = dreamer(7), dreamer(7)
    assert watched.inspect() is None, "there is no step yet"
    for dream in (alone, watched):
        dream.scene(SCENE)
    for number in range(4):
        alone.step(0.1)
        watched.step(0.1)
        view = watched.inspect()
        assert view is not None
        assert (view.title, view.network) == ("alpha + beta", "tiny")
        pictures = {each.name: cv2.imdecode(np.frombuffer(each.jpeg, np.uint8), cv2.IMREAD_COLOR) for each in view.pictures}
        assert list(pictures)[:5] == ["dream", "gradient", "natural", "prior", "step"]
        assert list(pictures)[5:] == ["layer conv1", "layer conv2", "layer relu2"]
        for name in ("gradient", "natural", "prior", "step"):
            image = pictures[name]
            assert image is not None, name
            assert image.shape == (*SIZE, 3)
            assert 90 < image.mean() < 166, "grey where nothing changes"
            assert image.std() > 10, name
        shown = pictures["dream"][..., ::-1].astype(float)
        assert np.abs(shown - watched.picture()).mean() < 20, number
    assert np.array_equal(alone.picture(), watched.picture())
    assert alone.keep().numbers == watched.keep().numbers


def test_only_the_default_steps_are_shown() -> None:
    dream = dreamer(algorithm="original_2015")
    dream.scene(SCENE)
    dream.step(0.1)
    assert dream.inspect() is None
