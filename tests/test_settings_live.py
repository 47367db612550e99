"""Which settings are live, and how changes are found and applied."""

import json

import pytest

from streamer import settings_live
from streamer.config import CanvasConfig, Config, DreamConfig, InkConfig, SourceConfig, VideoConfig, ZoomConfig
from streamer.events import Tuned
from streamer.settings_live import (
    AT_START,
    CAMERA,
    CHAT,
    DREAM,
    LIVE,
    PICTURE,
    RULES,
    SOUND,
    IncompatibleSettings,
    among,
    changes,
    expanded,
    laid_over,
    tuned,
    value_of,
    with_settings_of,
)
from streamer.settings_rules import setting_keys


def test_every_setting_is_said_to_be_live_or_not() -> None:
    every, at_start = set(setting_keys()), expanded(AT_START)
    assert sorted(every - LIVE - at_start) == [], "say in streamer/settings_live.py who goes by it, or that it waits"
    assert sorted(LIVE & at_start) == []


@pytest.mark.parametrize("table", [DREAM, CAMERA, PICTURE, RULES, SOUND, CHAT, AT_START])
def test_the_tables_name_settings_that_there_are(table: tuple[str, ...]) -> None:
    for name in table:
        assert expanded((name,)), f"{name} is no setting"
    assert len(set(table)) == len(table)


def test_a_block_stands_for_what_is_within_and_for_nothing_else() -> None:
    assert expanded(("zoom",)) == {"zoom.speed", "zoom.rotation"}
    assert expanded(("video.fps",)) == {"video.fps"}
    assert "chat.commands.dream.cooldown_s" in expanded(("chat",))
    assert expanded(("vide",)) == frozenset()


def test_differences_are_found_in_the_order_of_the_reference() -> None:
    after = Config(seed=3, zoom=ZoomConfig(speed=1.2), video=VideoConfig(fps=30, captions=False))
    assert changes(Config(), after) == ("seed", "video.fps", "video.captions", "zoom.speed")
    assert changes(after, after) == ()
    assert among(changes(Config(), after), PICTURE) == {"video.captions"}
    assert value_of(after, "zoom.speed") == 1.2


def test_some_settings_of_another_config() -> None:
    other = Config(seed=3, zoom=ZoomConfig(speed=1.2, rotation=5.0))
    assert with_settings_of(Config(), other, ["zoom.speed"]) == Config(zoom=ZoomConfig(speed=1.2))


def test_changes_passed_to_the_dream_give_it_the_same_settings() -> None:
    begun = Config(dream=DreamConfig(momentum=0.7), canvas=CanvasConfig(width=64))
    now = Config(
        dream=DreamConfig(momentum=0.2, views=(1.0, 2.5), step=4),
        ink=InkConfig(black=-20.0, paper="#102030"),
        source=SourceConfig(decay_s=2.0, mix=0.5),
        zoom=ZoomConfig(speed=2.0),
    )
    told = tuned(begun, now)
    assert dict(told.changes) == {
        "dream.momentum": 0.2,
        "dream.step": 4,
        "dream.views": [1.0, 2.5],
        "ink.black": -20.0,
        "source.decay_s": 2.0,
    }
    told = Tuned(tuple(json.loads(json.dumps(dict(told.changes))).items()))  # as a journal stores it
    after = laid_over(begun, told)
    assert changes(after, now) == ("canvas.width", "zoom.speed", "source.mix", "ink.paper")
    assert laid_over(begun, Tuned()) is not None
    assert changes(begun, laid_over(begun, Tuned())) == ()


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ((("dream.momentum", "much"),), "'dream.momentum' is invalid: Input should be a valid number; the dream keeps"),
        ((("ink.white", -5.0),), "'ink' is invalid: black: must be below white; they are 5 and -5"),
        ((("video.fps", 30),), "'video.fps' is not a live setting of the dream"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(told: tuple[tuple[str, object], ...], why: str) -> None:
    with pytest.raises(IncompatibleSettings) as caught:
        laid_over(Config(), Tuned(told))
    assert str(caught.value).startswith(why)
    assert "\n" not in str(caught.value)


def test_names_of_settings_that_only_the_dream_takes_are_of_its_blocks() -> None:
    assert {key.partition(".")[0] for key in settings_live.DREAM} == {"dream", "ink", "source"}
