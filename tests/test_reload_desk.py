"""Changes by the desk: laid over the file, in transition, undone; and what a later edit of the file does to them."""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

import pytest

from streamer.config import Config
from streamer.reload import Reload
from streamer.settings_file import ConfigError, load
from streamer.settings_live import SettingsRefused
from streamer.settings_transition import STEP_S
from tests.fakes import HandClock

FIRST = "zoom: {speed: 1.1}\ndream: {contrast: 50}\n"


class Stage:
    """A config file, a desk, and a user of their settings."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "live.yaml"
        self.file.write_text(FIRST)
        self.clock = HandClock()
        self.reload = Reload(load(self.file), self.file, (), self.clock)
        self.taken: list[tuple[Config, tuple[str, ...]]] = []
        self.refusal: SettingsRefused | None = None
        self.reload.taken_by(self._take)

    def _take(self, config: Config, changed: Collection[str]) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.taken.append((config, tuple(changed)))

    def write(self, text: str) -> None:
        self.file.write_text(text)
        self.reload.reload()

    def after(self, seconds: float) -> list[float]:
        """Let time pass; return the zoom speeds that take effect meanwhile."""
        before = len(self.taken)
        for _ in range(round(seconds * 20)):
            self.clock.advance(0.05)
            self.reload.advance()
        return [config.zoom.speed for config, _ in self.taken[before:]]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_change_is_handed_on_and_laid_over_the_file(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    revision = stage.reload.status.revision
    assert stage.reload.change({"zoom.speed": 1.3, "dream.views": [2, 1.0]}) == ("zoom.speed", "dream.views")
    ((config, changed),) = stage.taken
    assert (config.zoom.speed, config.dream.views, config.dream.contrast) == (1.3, (2.0, 1.0), 50.0)
    assert changed == ("zoom.speed", "dream.views")
    assert stage.reload.desk == {"zoom.speed": 1.3, "dream.views": (2.0, 1.0)}
    assert stage.reload.file.zoom.speed == 1.1
    assert stage.reload.status.revision == revision + 1, "pages look again"
    assert [record.getMessage() for record in caplog.records] == [
        "changed by the controls: zoom.speed = 1.3, dream.views = [2.0,1.0]"
    ]


def test_what_is_as_in_the_file_is_no_change(stage: Stage) -> None:
    stage.reload.change({"zoom.speed": 1.3})
    assert stage.reload.change({"zoom.speed": 1.1}) == ("zoom.speed",)
    assert stage.reload.desk == {}
    assert stage.reload.change({"zoom.speed": 1.1}) == ()
    assert len(stage.taken) == 2


@pytest.mark.parametrize(
    ("values", "mistakes"),
    [
        ({"zoom.speed": 9, "dream.contrast": "much"}, ("'zoom.speed' is 9; must be above 0.2 and up to 5", "dream.contrast")),
        ({"zoom.sped": 1.0}, ("there is no setting 'zoom.sped'; did you mean 'zoom.speed'?",)),
        ({"web.port": 1}, ("'web.port' only changes at a start",)),
        ({"video.fps": 30, "outputs": []}, ("'video.fps' only changes at a start", "'outputs' only changes at a start")),
        ({"ink.black": 50.0, "ink.white": 0.0}, ("'ink.black' is 50.0; must be below white; they are 50 and 0",)),
        ({"dream.layout": "pile"}, ("'dream.layout' is \"pile\"; must be auto, whole,",)),
        ({"dream.views": []}, ("'dream.views'",)),
        ({"zoom.speed": {"a": 1}}, ("'zoom.speed'",)),
        ({"zoom.speed": float("nan")}, ("'zoom.speed' is NaN",)),
    ],
)
def test_mistakes_change_nothing_and_are_all_reported(
    stage: Stage, values: dict[str, object], mistakes: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as caught:
        stage.reload.change(values)
    assert len(caught.value.problems) == len(mistakes)
    for problem, mistake in zip(caught.value.problems, mistakes, strict=True):
        assert mistake in problem
        assert "\n" not in problem
    assert stage.taken == []
    assert stage.reload.desk == {}


def test_settings_of_two_blocks_have_to_go_together(tmp_path: Path) -> None:
    file = tmp_path / "live.yaml"
    file.write_text("source: {kind: camera}\n")
    reload = Reload(load(file), file)
    with pytest.raises(ConfigError) as caught:
        reload.change({"dream.algorithm": "ink"})
    assert caught.value.problems == (
        "'source.ride' must be false while dream.algorithm is ink, which does not ride on moving pictures",
    )


def test_who_cannot_go_by_it_leaves_all_as_it_was(stage: Stage) -> None:
    stage.refusal = SettingsRefused("'queue.wander_among' holds 'floob'")
    with pytest.raises(ConfigError, match="holds 'floob'"):
        stage.reload.change({"queue.wander_among": ["floob"], "zoom.speed": 1.3}, 2.0)
    assert (stage.reload.desk, stage.reload.target.zoom.speed, stage.reload.transition_left_s) == ({}, 1.1, 0.0)


def test_an_edit_of_the_file_takes_the_desks_value_away_and_leaves_others(stage: Stage) -> None:
    stage.reload.change({"zoom.speed": 1.3, "dream.contrast": 70.0})
    stage.write("zoom: {speed: 1.2}\ndream: {contrast: 50}\n")
    assert stage.reload.desk == {"dream.contrast": 70.0}
    config, changed = stage.taken[-1]
    assert (config.zoom.speed, config.dream.contrast, changed) == (1.2, 70.0, ("zoom.speed",))
    stage.write("zoom: {speed: 1.2}\ndream: {contrast: 70}\n")
    assert stage.reload.desk == {}
    assert len(stage.taken) == 2, "it goes by that already"


@pytest.mark.logs("the changes of the controls contradict the config and are undone")
def test_what_does_not_go_with_the_edited_file_is_taken_back(stage: Stage) -> None:
    stage.write(f"{FIRST}ink: {{white: 60.0, black: -60.0}}\n")
    stage.reload.change({"ink.black": 50.0, "zoom.speed": 1.3})
    stage.write(f"{FIRST}ink: {{white: 40.0, black: -60.0}}\n")
    assert stage.reload.desk == {}
    assert (stage.taken[-1][0].ink.white, stage.taken[-1][0].ink.black) == (40.0, -60.0)


def test_numbers_glide_and_words_change_at_once(stage: Stage) -> None:
    stage.reload.change({"zoom.speed": 1.3, "dream.wake": "noise"}, 2.0)
    config, changed = stage.taken[-1]
    assert (config.zoom.speed, config.dream.wake, changed) == (1.1, "noise", ("dream.wake",))
    assert stage.reload.target.zoom.speed == 1.3
    assert stage.reload.transition_left_s == 2.0
    speeds = stage.after(3.0)
    assert speeds == sorted(speeds)
    assert 1.1 < speeds[0] < 1.2
    assert speeds[-1] == 1.3
    assert len(speeds) == pytest.approx(2.0 / STEP_S, abs=1)
    assert stage.reload.config == stage.reload.target
    assert stage.reload.transition_left_s == 0.0


def test_a_slider_that_is_moved_on_the_way_takes_only_its_own_way(stage: Stage) -> None:
    stage.reload.change({"zoom.speed": 1.3, "dream.contrast": 80.0}, 2.0)
    stage.after(1.0)
    stage.reload.change({"dream.contrast": 20.0})
    config, changed = stage.taken[-1]
    assert (config.dream.contrast, changed) == (20.0, ("dream.contrast",))
    assert 1.1 < config.zoom.speed < 1.3
    assert stage.after(2.0)[-1] == 1.3
    assert stage.reload.config.dream.contrast == 20.0


def test_another_way_begins_where_the_last_one_got_to(stage: Stage) -> None:
    stage.reload.change({"zoom.speed": 1.3}, 2.0)
    reached = stage.after(1.0)[-1]
    stage.reload.change({"zoom.speed": 1.1}, 2.0)
    speeds = stage.after(3.0)
    assert speeds == sorted(speeds, reverse=True)
    assert speeds[0] < reached
    assert speeds[-1] == 1.1


def test_some_or_all_of_it_is_taken_back(stage: Stage) -> None:
    stage.reload.change({"zoom.speed": 1.3, "dream.contrast": 70.0, "dream.wake": "noise"})
    assert stage.reload.reset(["zoom.speed", "dream.surge"]) == ("zoom.speed",)
    assert stage.reload.desk == {"dream.contrast": 70.0, "dream.wake": "noise"}
    assert stage.reload.reset() == ("dream.wake", "dream.contrast")
    assert stage.reload.config == stage.reload.file


def test_a_run_resumes_with_the_changes_of_the_last_one(stage: Stage) -> None:
    stage.reload.resume({"zoom.speed": 1.3, "zoom.rotation": 0.25})
    assert stage.reload.desk == {"zoom.speed": 1.3}
    assert stage.reload.config.zoom.speed == 1.3
    assert stage.taken == []
    assert stage.reload.reset() == ("zoom.speed",)
    assert stage.taken[-1][0].zoom.speed == 1.1
