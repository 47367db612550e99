from __future__ import annotations

import numpy as np
import pytest
import torch

from streamer.config import Config, DreamConfig, SourceConfig
from streamer.dream.algorithms.dreamer import Dreamer
from streamer.dream.algorithms.dreamer_factory import make_dreamer
from streamer.dream.algorithms.flow_warping import KEPT_LEAST, STRENGTH, FlowWarpedDream, config_for_riding, limit_overlay
from streamer.messages.keyframes import SourcePicture
from streamer.messages.motion import Motion
from streamer.messages.scenes import Region, Scene, Target
from tests.fakes import tiny_ensemble
from tests.test_optical_flow import picture

pytestmark = pytest.mark.usefixtures("precision")

SIZE = (48, 80)
CONFIG = Config(  # with the prior, the tiny random network makes shapes that are large enough to be tracked
    dream=DreamConfig(views=(1.5,), jitter_px=2, surge=0.0, prior_weight=0.8),
    source=SourceConfig(kind="video", path="a.mp4", decay_s=4.0),
)
SCENE = Scene(1, (Region(Target("n00000001", "one"), (0.0, 0.0, 1.0, 1.0)),))


def rider(seed: int = 1) -> FlowWarpedDream:
    found = make_dreamer(tiny_ensemble(), CONFIG, SIZE, torch.device("cpu"), seed)
    assert isinstance(found, FlowWarpedDream)
    return found


def shown(number: int, shift: float = 0.0) -> SourcePicture:
    return SourcePicture(picture((shift, 0.0), (96, 160)), number, number / 25)


def test_settings_that_move_make_a_dream_that_rides() -> None:
    dream = rider()
    assert dream.source_picture is None
    dream.ride(shown(1), 0.0)
    assert dream.source_picture is not None
    assert dream.source_picture.image.shape == (*SIZE, 3)
    assert np.array_equal(dream.picture(), dream.source_picture.image)


def test_the_camera_stays_still_whatever_motion_is_set() -> None:
    dream = rider()
    dream.ride(shown(1), 0.0)
    dream.scene(SCENE)
    dream.motion(Motion(2.0, 10.0, 1.5))
    pose = dream.pose
    dream.step(0.5)
    assert dream.pose == pose
    assert dream._dream._motion == Motion(1.0, 0.0, 1.5)  # ``drive`` still scales its steps


def test_the_dream_is_warped_along_with_the_source() -> None:
    dream = rider()
    dream.ride(shown(1), 0.0)
    dream.scene(SCENE)
    for _ in range(6):
        dream.step(0.04)
    base = dream.source_picture
    assert base is not None
    before = dream.picture().astype(float) - base.image
    dream.ride(shown(2, 8.0), 0.0)  # 4 px on the canvas
    base = dream.source_picture
    assert base is not None
    after = dream.picture().astype(float) - base.image
    inner = (slice(4, -4), slice(12, -4))
    moved = np.roll(before, 4, axis=1)
    # The mean brightness stays near the picture's own and is not warped.
    assert (after - moved)[inner].std((0, 1)).mean() < 0.1 * (after - before)[inner].std((0, 1)).mean()


def test_a_cut_restarts_the_dream() -> None:
    dream = rider()
    dream.ride(shown(1), 0.0)
    dream.scene(SCENE)
    for _ in range(6):
        dream.step(0.04)
    cut = SourcePicture(255 - picture((0.0, 0.0), (96, 160), seed=4) // 4, 2, 0.08)
    dream.ride(cut, 0.0)
    assert dream.source_picture is not None
    assert np.abs(dream.picture().astype(float) - dream.source_picture.image).mean() < 2


def test_the_dream_deepens_on_a_repeated_picture() -> None:
    """When the camera is lost, its last picture is repeated."""
    dream = rider()
    dream.scene(SCENE)
    changes = []
    for _ in range(12):
        dream.ride(shown(1), 0.04)
        dream.step(0.04)
        assert dream.source_picture is not None
        changes.append(float(np.abs(dream.picture().astype(float) - dream.source_picture.image).mean()))
    assert changes[-1] > changes[2] > changes[0] > 0


def test_a_still_shot_keeps_its_brightness() -> None:
    dream = rider()
    dream.scene(SCENE)
    for _ in range(60):
        dream.ride(shown(1), 0.1)
        dream.step(0.1)
    assert dream.source_picture is not None
    raw = dream.source_picture.image.mean()
    assert dream.picture().mean() == pytest.approx(raw, rel=0.03)


def test_the_same_seed_and_pictures_give_the_same_dream() -> None:
    found = []
    for _ in range(2):
        dream = rider(seed=7)
        dream.scene(SCENE)
        for number in range(1, 5):
            dream.ride(shown(number, 2.0 * number), 0.04)
            dream.step(0.04)
        found.append(dream.picture())
    assert np.array_equal(*found)


def test_a_resized_dream_continues() -> None:
    dream = rider()
    dream.scene(SCENE)
    dream.ride(shown(1), 0.04)
    dream.step(0.04)
    dream.resize((36, 60))
    assert dream.source_picture is not None
    assert dream.source_picture.image.shape == (36, 60, 3)
    dream.ride(shown(2, 3.0), 0.04)
    dream.step(0.04)
    assert dream.picture().shape == (36, 60, 3)


def test_a_second_worker_continues_where_the_first_stopped() -> None:
    first, second = rider(), rider(seed=2)
    first.scene(SCENE)
    for _ in range(6):
        first.ride(shown(1), 0.04)
        first.step(0.04)
    assert first.source_picture is not None
    second.ride(first.source_picture, 0.0)
    second.restore(first.picture(), first.pose)
    assert np.array_equal(second.picture(), first.picture())
    second.ride(first.source_picture, 0.0)
    assert np.abs(second.picture().astype(float) - first.picture()).mean() < 3


def test_a_twist_leaves_the_picture_where_it_is() -> None:
    dream = rider()
    dream.ride(shown(1), 0.0)
    pose = dream.pose
    dream.twist()
    assert dream.pose == pose
    assert dream.source_picture is not None
    assert (dream.picture() != dream.source_picture.image).any()


def test_only_what_is_added_is_held_not_the_picture() -> None:
    config = config_for_riding(Config())
    assert config.dream.leash == 0
    assert (config.zoom.speed, config.zoom.rotation) == (1.0, 0.0)
    assert Config().dream.leash > 0
    assert isinstance(make_dreamer(tiny_ensemble(), Config(), SIZE, torch.device("cpu"), 1), Dreamer)


def test_held_is_what_is_too_strong_too_bright_or_tinted() -> None:
    torch.manual_seed(0)
    noise = torch.randn(1, 3, *SIZE)
    weak, strong = 0.3 * STRENGTH * noise, 3 * STRENGTH * noise
    assert torch.allclose(limit_overlay(weak, 1.0), weak - weak.mean(), atol=3.0)
    assert limit_overlay(strong, 1.0).std() < 0.9 * strong.std()
    for _ in range(60):
        strong = limit_overlay(strong, 1.0)
    assert strong.std() == pytest.approx(STRENGTH, rel=0.15)
    bright = torch.zeros(1, 3, *SIZE)
    bright[..., :24, :] = 60
    for _ in range(60):
        bright = limit_overlay(bright, 1.0)
    assert bright[..., :20, :].mean() < 12
    assert float(limit_overlay(weak, 0.5).std()) == pytest.approx(0.5 * float(limit_overlay(weak, 1.0).std()), rel=0.01)


def test_on_a_slow_machine_a_step_fades_no_more_than_on_a_quick_one() -> None:
    dream = rider()
    dream.ride(shown(1), 0.0)
    dream.scene(SCENE)
    for _ in range(6):
        dream.step(0.04)
    assert dream.source_picture is not None
    before = np.abs(dream.picture().astype(float) - dream.source_picture.image).mean()
    assert before > 1
    dream.ride(shown(1), 1000.0)
    assert np.abs(dream.picture().astype(float) - dream.source_picture.image).mean() > 0.7 * KEPT_LEAST * before
