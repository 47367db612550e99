"""Presets: which ones exist, what each changes, and how one is saved."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streamer.config import Config, DreamConfig, ZoomConfig
from streamer.presets import PresetError, PresetExists, PresetNotFound, Presets
from streamer.settings_file import load, read_preset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "presets"


@pytest.fixture
def presets(folder: Path) -> Presets:
    return Presets(folder)


def names(presets: Presets) -> list[str]:
    return [preset.name for preset in presets.all()]


def test_those_that_come_with_the_program_are_offered(presets: Presets) -> None:
    assert names(presets) == ["camera", "deepdream", "default", "guided", "ink", "original_2015", "wall_with_music"]
    assert not any(preset.own or preset.mistakes for preset in presets.all())
    deepdream = presets.get("deepdream")
    assert deepdream.about.startswith("DeepDream: what activates a layer")
    assert deepdream.values["dream.algorithm"] == "deepdream"
    assert deepdream.values["network.name"] == "googlenet"
    assert deepdream.at_start == {}
    assert presets.get("ink").at_start == {"canvas.width": 320}


def test_a_look_is_whole_and_other_settings_are_those_it_names(presets: Presets) -> None:
    default, ink = presets.get("default").values, presets.get("ink").values
    assert (default["dream.algorithm"], default["zoom.speed"]) == ("default", 1.05)
    assert "video.captions" not in default
    assert ink["video.captions"] is False
    assert "network.name" not in ink, "the network at work stays"


def test_the_operators_own_are_there_as_soon_as_they_are_written(presets: Presets, folder: Path) -> None:
    folder.mkdir()
    (folder / "Late Night.yaml").write_text("zoom: {speed: 1.01}\nvideo: {fps: 30}\n")
    (folder / "broken.yaml").write_text("# it\nzoom: {speed: fast}\n")
    (folder / "ink.yaml").write_text("zoom: {speed: 1.4}\n")
    (folder / "network.yaml").write_text("outputs: [{kind: 'null'}]\n")
    (folder / ".hidden.yaml").write_text("zoom: {speed: 1.4}\n")
    (folder / "notes.txt").write_text("")
    (folder / "folder.yaml").mkdir()
    own = {preset.name: preset for preset in presets.all() if preset.own}
    assert list(own) == ["Late Night", "broken", "folder"], "nothing hides one of the program's"
    assert own["Late Night"].values["zoom.speed"] == 1.01
    assert own["Late Night"].at_start == {"video.fps": 30}
    assert own["broken"].mistakes[0].endswith("broken.yaml:2: 'zoom.speed' is fast; must be a number, above 0.2 and up to 5")
    with pytest.raises(PresetError, match=r"'zoom\.speed' is fast"):
        presets.get("broken")
    file = folder / "broken.yaml"
    file.write_text("zoom: {speed: 1.3}\n")
    os.utime(file, ns=(1, 1))
    assert presets.get("broken").values["zoom.speed"] == 1.3


def test_what_there_is_not_is_said(presets: Presets) -> None:
    for name in ("evening", "../ink", "reference", "wording", ""):
        with pytest.raises(PresetNotFound, match="there is no preset"):
            presets.get(name)


LOOK = Config(zoom=ZoomConfig(speed=1.2), dream=DreamConfig(views=(2.0, 1.0), wake="off", surge=1.0))


def test_one_is_saved_with_what_differs_and_read_back_the_same(presets: Presets, folder: Path) -> None:
    path = presets.save("evening", LOOK, ["video.captions"])
    assert path == folder / "evening.yaml"
    text = path.read_text()
    assert text.startswith("# evening: saved on the control page on ")
    assert text[text.index("\n\n") :] == (
        "\n\nvideo:\n  captions: true\nzoom:\n  speed: 1.2\ndream:\n  surge: 1.0\n  views:\n  - 2.0\n  - 1.0\n"
    )
    assert load(path, environ={}) == LOOK
    assert read_preset(path)[1] == ("video.captions", "zoom.speed", "dream.surge", "dream.views")
    assert presets.get("evening").own
    assert list(folder.iterdir()) == [path]


def test_a_look_of_nothing_but_defaults_can_be_saved(presets: Presets) -> None:
    path = presets.save("plain", Config(), [])
    assert load(path, environ={}) == Config()


def test_nothing_is_written_over_unasked(presets: Presets, folder: Path) -> None:
    presets.save("evening", LOOK, [])
    before = (folder / "evening.yaml").read_text()
    with pytest.raises(PresetExists, match="there is already a preset 'evening'"):
        presets.save("evening", Config(), [])
    assert (folder / "evening.yaml").read_text() == before
    presets.save("evening", Config(), [], replace=True)
    assert load(folder / "evening.yaml", environ={}) == Config()
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "a\\b", ".x", "-x", "X", "a b", "a.b", "ä", "con", "lpt1", "x" * 41, "a\n", "ink", "reference"]
)
def test_names_that_are_no_safe_files_are_refused(presets: Presets, folder: Path, name: str) -> None:
    with pytest.raises(PresetError):
        presets.save(name, LOOK, [], replace=True)
    assert not folder.exists()


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PresetError, match=r"cannot be written: (Not a directory|File exists)"):
        Presets(tmp_path / "file" / "presets").save("evening", LOOK, [])
