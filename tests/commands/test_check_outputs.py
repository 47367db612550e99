"""What check says of outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamer.commands.check_outputs import look_at_output, look_at_sound
from streamer.config import AudioConfig, WebConfig
from streamer.config_react import ReactConfig
from streamer.settings_file import read_output

KEY = "live_canary_4711"


def looked(**block: Any) -> list[tuple[bool, str]]:
    return list(look_at_output(read_output(block), WebConfig()))


def test_what_is_well(tmp_path: Path) -> None:
    assert looked(kind="null") == [(True, "null: nowhere")]
    assert looked(kind="mpegts_http", name="obs") == [(True, "obs: http://127.0.0.1:8080/obs.ts")]
    assert looked(kind="mjpeg", enabled=False) == [(True, "mjpeg: http://127.0.0.1:8080/wall.mjpg, not enabled")]
    ((good, text),) = looked(kind="file", path=str(tmp_path / "new" / "a.mp4"), min_free_mb=0)
    assert good
    assert "a.mp4" in text
    assert text.endswith("GB free")
    assert looked(kind="rtmp", url=f"rtmp://localhost/app/{KEY}") == [
        (True, "rtmp: rtmp://localhost; the name resolves, there is a key")
    ]


def test_keys_are_looked_for_where_they_would_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = "twitch_ingest: there is no key: put it into the environment variable ZOOMDREAM_TWITCH_KEY, "
    missing += "or into a file named by key_file"
    assert looked(kind="twitch_ingest", server="rtmp://localhost/app") == [(False, missing)]
    monkeypatch.setenv("ZOOMDREAM_TWITCH_KEY", KEY)
    ((good, text),) = looked(kind="twitch_ingest", server="rtmp://localhost/app")
    assert good
    assert KEY not in text
    key_file = tmp_path / "key"
    key_file.write_text(KEY)
    key_file.chmod(0o644)
    ((good, text),) = looked(kind="rtmp", url="rtmp://localhost/app", key_file=str(key_file))
    assert not good
    assert f"run: chmod 600 {key_file}" in text
    assert KEY not in text
    key_file.chmod(0o600)
    ((good, _),) = looked(kind="rtmp", url="rtmp://localhost/app", key_file=str(key_file))
    assert good


def test_hosts_folders_and_room(tmp_path: Path) -> None:
    ((good, text),) = looked(kind="rtmp", url="rtmp://no-such-host.invalid/app", key=KEY)
    assert not good
    assert text.startswith("rtmp: the name no-such-host.invalid cannot be resolved: ")
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    ((good, text),) = looked(kind="hls", folder=str(blocked / "there"))
    assert (good, text) == (False, f"hls: '{blocked / 'there'}' cannot be written to: '{blocked}' is not a folder to write to")
    ((good, text),) = looked(kind="file", path=str(tmp_path / "a.mp4"), min_free_mb=10_000_000)
    assert not good
    assert text.endswith(f"MB are free in '{tmp_path}'; it begins once there are 10000000")


def test_sound(tmp_path: Path) -> None:
    assert look_at_sound(AudioConfig()) == (True, "silence")
    good, text = look_at_sound(AudioConfig(react=ReactConfig(enabled=True)))
    assert (good, text) == (
        False,
        "silence, to which audio.react cannot react; name music or a station in 'audio.source'",
    )
    good, text = look_at_sound(AudioConfig(source="music", path=tmp_path / "none.mp3"))
    assert not good
    assert "none.mp3" in text
