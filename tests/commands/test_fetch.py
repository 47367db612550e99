"""Weights fetched ahead of time, from the test's own server and from folders."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from streamer.__main__ import app
from tests.dream.test_weights import BODY, DIGITS, NAME, FakeHost, serving

pytestmark = pytest.mark.torch


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "cache" / "zoomdream" / "weights"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    monkeypatch.setattr("streamer.dream.networks.mirrors.file_name", lambda architecture: NAME)
    with serving() as host:
        yield host


def fetch(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["fetch", *map(str, words)])


def mirror(host: FakeHost) -> str:
    return host.url.rpartition("/")[0]


def test_from_a_mirror_by_its_folder_or_by_the_file(host: FakeHost, cache: Path) -> None:
    answer = fetch("vgg16", "--from", mirror(host))
    assert answer.exit_code == 0, answer.output
    assert answer.stdout == f"vgg16: {cache / NAME} (1 MB)\n"
    assert (cache / NAME).read_bytes() == BODY
    answer = fetch("vgg16", "--from", host.url)
    assert answer.stdout == f"vgg16: {cache / NAME} (1 MB, was there already)\n"
    assert host.asked == [None]


def test_an_interrupted_download_is_resumed(host: FakeHost, cache: Path) -> None:
    host.status = 503
    cache.mkdir(parents=True)
    (cache / f"{NAME}.part").write_bytes(BODY[:1000])
    answer = fetch("vgg16", "--from", mirror(host))
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert answer.stderr.splitlines() == [f"zoomdream: {host.url}: the server answered 503 Service Unavailable"]
    host.status = None
    assert fetch("vgg16", "--from", mirror(host)).exit_code == 0
    assert host.asked[-1] == "bytes=1000-"
    assert [path.name for path in cache.iterdir()] == [NAME]


def test_another_file_is_not_kept(host: FakeHost, cache: Path) -> None:
    host.body = BODY[::-1]
    answer = fetch("vgg16", "--from", mirror(host))
    assert answer.exit_code == 1
    assert f"the download is damaged or another file: its hash is {hashlib.sha256(host.body).hexdigest()[:16]}" in answer.stderr
    assert list(cache.iterdir()) == []


def test_an_absent_server_is_reported_in_one_line(cache: Path) -> None:
    answer = fetch("vgg16", "--from", f"http://127.0.0.1:9/{NAME}")
    assert answer.exit_code == 1
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"zoomdream: http://127.0.0.1:9/{NAME}: ")
    assert "refused" in line


def test_from_a_folder_or_a_file(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.dream.networks.mirrors.file_name", lambda architecture: NAME)
    stick = tmp_path / "stick"
    stick.mkdir()
    answer = fetch("vgg16", "--from", stick)
    assert answer.stderr.splitlines() == [f"zoomdream: '{stick}' does not hold {NAME}, the weights of vgg16"]
    (stick / NAME).write_bytes(BODY[:-1])
    answer = fetch("vgg16", "--from", stick)
    assert answer.stderr.splitlines() == [
        f"zoomdream: {stick / NAME} is damaged: its hash is not the one in its name; copy it again"
    ]
    assert not cache.exists() or list(cache.iterdir()) == []
    (stick / NAME).write_bytes(BODY)
    assert fetch("vgg16", "--from", stick).exit_code == 0
    assert [path.name for path in cache.iterdir()] == [NAME]
    assert "was there already" in fetch("vgg16", "--from", stick / NAME).stdout
    answer = fetch("vgg16", "--from", tmp_path / "none")
    assert answer.stderr.startswith(
        f"zoomdream: there is no '{tmp_path / 'none'}'; --from takes a folder, a file or an address"
    )
    (tmp_path / "weights.pth").write_bytes(BODY)
    answer = fetch("vgg16", "--from", tmp_path / "weights.pth")
    assert "holds no hash to check it by; it should be" in answer.stderr


def test_without_a_connection_what_is_there_will_do(cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / NAME).write_bytes(BODY)
    assert DIGITS in fetch("vgg16").stdout


def test_names_that_there_are_not_and_what_comes_along(cache: Path) -> None:
    answer = fetch("vgg61")
    assert answer.exit_code == 2
    assert answer.stderr.splitlines() == ["zoomdream: there is no network 'vgg61'; near: vgg16"]
    answer = fetch("bundled")
    assert answer.exit_code == 0
    assert answer.stdout.startswith("bundled: comes with the program, in ")
