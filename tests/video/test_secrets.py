from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from streamer.video.sinks.secrets import HIDDEN, Redactor, StreamKeyError, read_key

KEY = "live_123_canary4Hd8sK"


def key_file(folder: Path, text: str | bytes = KEY + "\n", mode: int = 0o600) -> Path:
    path = folder / "key"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def test_a_key_comes_from_the_block_then_the_file_then_the_environment(tmp_path: Path) -> None:
    path = key_file(tmp_path, "from_file\n")
    environment = {"STREAM_KEY": " from_environment \n"}
    assert read_key("from_block", path, "STREAM_KEY", environment) == "from_block"
    assert read_key(None, path, "STREAM_KEY", environment) == "from_file"
    assert read_key(None, None, "STREAM_KEY", environment) == "from_environment"
    assert read_key(None, None, "OTHER", environment) is None
    assert read_key(None, None, "STREAM_KEY", {"STREAM_KEY": ""}) is None


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    path = key_file(tmp_path, (KEY + "\r\n").encode(encoding))
    assert read_key(None, path, "STREAM_KEY", {}) == KEY
    assert read_key(None, None, "STREAM_KEY", {"STREAM_KEY": "\ufeff" + KEY}) == KEY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, mode=mode)
    with pytest.raises(StreamKeyError, match=f"can be read by others .mode {mode:o}.; run: chmod 600 {path}") as caught:
        read_key(None, path, "STREAM_KEY", {})
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "is empty; put the stream's key there"),
        ("two words", "contains no key: a key is one word"),
        (f"{KEY}\n{KEY}", "contains no key: a key is one word"),
        ("ключ", "contains no key: a key is one word"),
        (b"\xff\xfe\x00", "contains no key: write nothing but the key into it, as text"),
        ("x" * 5000, "contains no key: write nothing but the key into it, as text"),
    ],
)
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: str | bytes, rule: str) -> None:
    with pytest.raises(StreamKeyError, match=rule) as caught:
        read_key(None, key_file(tmp_path, text), "STREAM_KEY", {})
    assert KEY not in str(caught.value)


def test_a_path_that_is_not_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StreamKeyError, match="cannot be read: No such file"):
        read_key(None, tmp_path / "missing", "STREAM_KEY", {})
    with pytest.raises(StreamKeyError, match="is not a file"):
        read_key(None, tmp_path, "STREAM_KEY", {})
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(StreamKeyError, match="is not a file"):
        read_key(None, tmp_path / "pipe", "STREAM_KEY", {})


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"cannot open '{KEY}'", f"cannot open '{HIDDEN}'"),
        (f"rtmp://127.0.0.1:1935/app/{KEY}?bandwidthtest=true failed", f"rtmp://127.0.0.1:1935/app/{HIDDEN} failed"),
        ("rtmps://a.example/live2/unknown-key: refused", f"rtmps://a.example/live2/{HIDDEN} refused"),
        ("'rtmp://b.example/live2?backup=1/unknown'", f"'rtmp://b.example/live2?backup=1/{HIDDEN}'"),
        ("rtmp://me:word@host/app", "rtmp://host/app"),
        ("rtmp://host/app and nothing more", "rtmp://host/app and nothing more"),
        ("udp://127.0.0.1:5004", "udp://127.0.0.1:5004"),
    ],
)
def test_keys_are_hidden_by_value_and_by_where_they_stand(text: str, clean: str) -> None:
    assert Redactor(f"{KEY}?bandwidthtest=true")(text) == clean


def test_as_a_filter_it_cleans_records_with_their_tracebacks(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tests.secrets")
    redact = Redactor(KEY)
    logger.addFilter(redact)
    try:
        raise OSError(5, "Input/output error", f"rtmp://host/app/{KEY}")
    except OSError:
        logger.exception("lost %s", f"rtmp://host/app/{KEY}")
    finally:
        logger.removeFilter(redact)
    assert KEY not in caplog.text
    assert f"lost rtmp://host/app/{HIDDEN}" in caplog.text
    assert "Input/output error" in caplog.text
