"""Settings in transition: what glides, the values in between, and when the transition is over."""

from __future__ import annotations

from itertools import pairwise

import pytest

from streamer.config import Config, DreamConfig, InkConfig, QueueConfig, VideoConfig, ZoomConfig
from streamer.settings_live import changes
from streamer.settings_transition import SettingsTransition, interpolable_keys, interpolated

BEFORE = Config()
AFTER = Config(
    zoom=ZoomConfig(speed=1.25, rotation=-0.75),
    dream=DreamConfig(contrast=58.0, jitter_px=32, views=(2.0, 1.0), step=4.0, wake="noise"),
    ink=InkConfig(paper="#102030"),
    video=VideoConfig(captions=False),
    queue=QueueConfig(capacity=20),
)


def test_numbers_of_camera_dream_and_picture_glide_and_nothing_else() -> None:
    found = interpolable_keys(BEFORE, AFTER, changes(BEFORE, AFTER))
    assert found == ("zoom.speed", "zoom.rotation", "dream.jitter_px", "dream.contrast")
    views = Config(dream=DreamConfig(views=(1.0, 0.5)))
    assert interpolable_keys(views, AFTER, ("dream.views",)) == ("dream.views",)
    assert interpolable_keys(Config(dream=DreamConfig(views=(1.0,))), AFTER, ("dream.views",)) == (), "another number of them"


def test_half_way_numbers_are_in_the_middle_and_the_rest_is_there() -> None:
    transition = SettingsTransition(BEFORE, AFTER, ("zoom.speed", "dream.contrast", "dream.jitter_px"), 10.0, 4.0)
    middle = transition.at(12.0)
    assert middle.zoom.speed == pytest.approx(1.15)
    assert (middle.dream.contrast, middle.dream.jitter_px) == (48.0, 24)
    assert middle.zoom.rotation == -0.75
    assert not middle.video.captions


def test_it_begins_and_ends_at_the_values_without_a_jerk() -> None:
    transition = SettingsTransition(BEFORE, AFTER, ("zoom.speed",), 10.0, 4.0)
    speeds = [transition.at(10.0 + tenth / 10).zoom.speed for tenth in range(41)]
    steps = [later - earlier for earlier, later in pairwise(speeds)]
    assert (speeds[0], speeds[-1]) == (1.05, 1.25)
    assert min(steps) > 0
    assert max(steps[:3]) < max(steps) / 3
    assert transition.at(99.0) is AFTER
    assert (transition.left_s(11.0), transition.left_s(99.0)) == (3.0, 0.0)


def test_whole_numbers_stay_whole_and_lists_go_part_by_part() -> None:
    assert interpolated(16, 33, 0.5) == 24
    assert isinstance(interpolated(16, 33, 0.5), int)
    assert interpolated((1.0, 2.0), (2.0, 4.0), 0.25) == (1.25, 2.5)
