"""What ``zoomdream check`` reports about outputs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from streamer.commands.check_outputs import look_at_output, look_at_sound
from streamer.commands.finding import Finding, Level
from streamer.config import AudioConfig, WebConfig
from streamer.config_react import ReactConfig
from streamer.settings_file import read_output

KEY = "live_canary_4711"


GOOD, WARNING, BLOCKER = Level


def looked(**block: Any) -> list[tuple[Level, str]]:
    return [(found.level, found.text) for found in look_at_output(read_output(block), WebConfig())]


def test_what_is_well(tmp_path: Path) -> None:
    assert looked(kind="null") == [(GOOD, "null: nowhere")]
    assert looked(kind="mpegts_http", name="obs") == [(GOOD, "obs: http://127.0.0.1:8080/obs.ts")]
    assert looked(kind="mjpeg", enabled=False) == [(GOOD, "mjpeg: http://127.0.0.1:8080/wall.mjpg, not enabled")]
    ((level, text),) = looked(kind="file", path=str(tmp_path / "new" / "a.mp4"), min_free_mb=0)
    assert level is GOOD
    assert "a.mp4" in text
    assert text.endswith("GB free")
    assert looked(kind="rtmp", url=f"rtmp://localhost/app/{KEY}") == [
        (GOOD, "rtmp: rtmp://localhost; the name resolves, there is a key")
    ]


def test_keys_are_looked_for_where_they_would_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = "twitch_ingest: there is no key: put it into the environment variable ZOOMDREAM_TWITCH_KEY, "
    missing += "or into a file named by key_file"
    assert looked(kind="twitch_ingest", server="rtmp://localhost/app") == [(BLOCKER, missing)]
    monkeypatch.setenv("ZOOMDREAM_TWITCH_KEY", KEY)
    ((level, text),) = looked(kind="twitch_ingest", server="rtmp://localhost/app")
    assert level is GOOD
    assert KEY not in text
    key_file = tmp_path / "key"
    key_file.write_text(KEY)
    key_file.chmod(0o644)
    ((level, text),) = looked(kind="rtmp", url="rtmp://localhost/app", key_file=str(key_file))
    assert level is BLOCKER
    assert f"run: chmod 600 {key_file}" in text
    assert KEY not in text
    key_file.chmod(0o600)
    ((level, _),) = looked(kind="rtmp", url="rtmp://localhost/app", key_file=str(key_file))
    assert level is GOOD
    key_file.unlink()
    ((level, text),) = looked(kind="twitch_ingest", server="rtmp://localhost/app", key_file=str(key_file))
    assert level is BLOCKER
    assert f"'key_file' {key_file} cannot be read" in text


def test_what_is_switched_off_has_time_to_be_mended() -> None:
    ((level, text),) = looked(kind="twitch_ingest", server="rtmp://localhost/app", enabled=False)
    assert level is WARNING
    assert text.endswith(", not enabled")


def test_hosts_folders_and_room(tmp_path: Path) -> None:
    ((level, text),) = looked(kind="rtmp", url="rtmp://no-such-host.invalid/app", key=KEY)
    assert level is WARNING
    assert text.startswith("rtmp: the name no-such-host.invalid cannot be resolved: ")
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    ((level, text),) = looked(kind="hls", folder=str(blocked / "there"))
    assert (level, text) == (
        BLOCKER,
        f"hls: '{blocked / 'there'}' cannot be written to: '{blocked}' is not a folder to write to",
    )
    (folder := tmp_path / "b.mp4").mkdir()
    ((level, text),) = looked(kind="file", path=str(folder), min_free_mb=0)
    assert (level, text) == (BLOCKER, f"file: '{folder}' is a folder; name a file in it, such as {folder / 'dream.mp4'}")
    ((level, text),) = looked(kind="file", path=str(tmp_path / "a.mp4"), min_free_mb=10_000_000)
    assert level is WARNING
    assert text.endswith(f"MB are free in '{tmp_path}'; it starts once there are 10000000")


def test_a_camera_without_its_package_can_never_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ((level, text),) = looked(kind="virtual_camera")
    assert level is BLOCKER
    assert "pip install 'zoomdream[virtual-camera]'" in text


def test_sound(tmp_path: Path) -> None:
    assert look_at_sound(AudioConfig()) == Finding(GOOD, "silence")
    found = look_at_sound(AudioConfig(react=ReactConfig(enabled=True)))
    assert found == Finding(BLOCKER, "silence, to which audio.react cannot react; name music or a station in 'audio.source'")
    found = look_at_sound(AudioConfig(source="music", path=tmp_path / "none.mp3"))
    assert found.level is BLOCKER
    assert "none.mp3" in found.text
    found = look_at_sound(AudioConfig(source="radio", url="http://127.0.0.1:9/none"))
    assert found.level is WARNING
