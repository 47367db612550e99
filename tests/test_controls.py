"""The live controls: switching to presets, A/B, saving, and what is undone when a switch fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.config import Config, ControlsConfig, ZoomConfig
from streamer.control_status import OscStatus, PresetEntry, Switching
from streamer.controls import SIDES_S, Controls
from streamer.presets import PresetNotFound, Presets
from streamer.reload import Reload
from streamer.settings_file import ConfigError
from tests.fakes import HandClock

CONFIG = Config(zoom=ZoomConfig(speed=1.1), controls=ControlsConfig(crossfade_s=2.0))


class Desk:
    """Controls over settings that nothing uses, and a renderer that switches when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.clock = HandClock()
        self.reload = Reload(CONFIG, clock=self.clock)
        self.switching = Switching()
        self.folder = folder
        self.controls = Controls(self.reload, Presets(folder), lambda: self.switching, lambda: OscStatus("127.0.0.1:9000"))

    def own(self, name: str, text: str) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / f"{name}.yaml").write_text(text)

    def preset(self, name: str) -> PresetEntry:
        return next(each for each in self.controls.status().presets if each.name == name)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "presets")


def test_a_preset_is_gone_over_to_in_the_seconds_of_the_settings(desk: Desk) -> None:
    desk.controls.change({"dream.contrast": 70.0, "video.captions": False})
    desk.own("fast", "zoom: {speed: 1.3}\nvideo: {fps: 30}\n")
    changed, at_start = desk.controls.go_over("fast")
    assert changed == ("video.captions", "zoom.speed", "dream.contrast")
    assert at_start == ("video.fps",)
    assert desk.reload.desk == {"zoom.speed": 1.3}, "what was changed before is of another look"
    assert desk.reload.transition_left_s == 2.0
    status = desk.controls.status()
    assert (status.preset, status.preset_changed, status.changed) == ("fast", False, ("zoom.speed",))
    desk.controls.change({"dream.surge": 1.0})
    assert desk.controls.status().preset_changed
    desk.controls.go_over("default", 0.0)
    assert desk.reload.transition_left_s == 0.0
    assert desk.reload.target.zoom.speed == 1.05, "the look of that file, not of the one that was started with"


def test_a_preset_that_there_is_not_changes_nothing(desk: Desk) -> None:
    desk.controls.change({"zoom.speed": 1.3})
    with pytest.raises(PresetNotFound):
        desk.controls.go_over("evening")
    assert desk.reload.desk == {"zoom.speed": 1.3}
    assert desk.controls.status().preset == ""


def test_a_preset_shows_beforehand_what_it_requires(desk: Desk) -> None:
    assert desk.preset("deepdream").switches
    assert not desk.preset("default").switches
    assert desk.preset("ink").at_start == ("canvas.width",)
    assert desk.preset("camera").at_start == ("source.kind", "source.mirror")


@pytest.mark.parametrize("key", ["queue.hold_s", "chat.prefix", "web.port", "network.weights", "video.fps", "audio.path"])
def test_callers_change_neither_rules_nor_files_nor_what_takes_a_start(desk: Desk, key: str) -> None:
    with pytest.raises(ConfigError, match=f"'{key}' cannot be changed here"):
        desk.controls.change({key: "x"})
    assert key not in desk.controls.status().settings or key == "network.weights"


def test_it_is_saved_and_gone_over_to_again(desk: Desk) -> None:
    desk.controls.change({"zoom.speed": 1.3, "video.captions": False})
    file = desk.controls.save("evening")
    assert file == str(desk.folder / "evening.yaml")
    status = desk.controls.status()
    assert (status.preset, status.preset_changed, desk.preset("evening").own) == ("evening", False, True)
    desk.controls.reset()
    assert (desk.controls.status().preset, desk.reload.desk) == ("", {})
    desk.controls.go_over("evening", 0.0)
    assert desk.reload.desk == {"zoom.speed": 1.3, "video.captions": False}


def test_each_side_keeps_what_was_changed_on_it(desk: Desk) -> None:
    desk.controls.change({"zoom.speed": 1.3})
    assert desk.controls.compare("a") == "a"
    assert desk.controls.compare() == "b"
    status = desk.controls.status()
    assert (status.side, status.sides_differ, desk.reload.desk) == ("b", False, {"zoom.speed": 1.3})
    desk.controls.go_over("ink", 0.0)
    assert desk.controls.compare() == "a"
    status = desk.controls.status()
    assert (status.preset, status.sides_differ, desk.reload.desk) == ("", True, {"zoom.speed": 1.3})
    assert desk.reload.transition_left_s == SIDES_S
    assert desk.controls.compare("b") == "b"
    assert desk.controls.status().preset == "ink"
    assert desk.reload.target.dream.algorithm == "ink"


def test_what_cannot_be_switched_to_is_taken_back(desk: Desk) -> None:
    desk.controls.change({"dream.contrast": 70.0})
    desk.controls.undo_failed_switch()
    desk.controls.go_over("deepdream")
    desk.switching = Switching("googlenet, deepdream")
    desk.controls.undo_failed_switch()
    assert desk.reload.target.dream.algorithm == "deepdream"
    revision = desk.reload.status.revision
    desk.switching = Switching("", "no weights", 1)
    desk.controls.undo_failed_switch()
    assert desk.reload.desk == {"dream.contrast": 70.0}
    assert desk.controls.status().preset == ""
    assert desk.controls.status().switching.error == "no weights"
    assert desk.reload.status.revision > revision, "pages look again"
    desk.controls.undo_failed_switch()
    assert desk.reload.desk == {"dream.contrast": 70.0}


def test_what_was_switched_to_stays(desk: Desk) -> None:
    desk.controls.go_over("deepdream")
    desk.switching = Switching("googlenet, deepdream")
    desk.controls.undo_failed_switch()
    desk.switching = Switching()
    desk.controls.undo_failed_switch()
    desk.controls.change({"dream.algorithm": "ink"})
    desk.switching = Switching("", "out of luck", 1)
    desk.controls.undo_failed_switch()
    assert desk.reload.target.dream.algorithm == "deepdream", "what it had got to"


def test_the_status_shows_osc_and_the_preset_folder(desk: Desk) -> None:
    status = desk.controls.status()
    assert status.osc == OscStatus("127.0.0.1:9000")
    assert status.folder == str(desk.folder)
    assert status.settings["zoom.speed"] == status.file["zoom.speed"] == 1.1
    assert {"network.name", "dream.algorithm", "dream.layout", "controls.crossfade_s"} <= status.settings.keys()
