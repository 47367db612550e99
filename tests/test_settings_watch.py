"""A file that changes in every way that files do: what the watch notices, and when."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer import settings_watch
from streamer.processes import RoundClock
from streamer.settings_watch import FileWatch, ends_whole, folders_of, mark_of
from tests.patience import PATIENCE_S, until


class Watched:
    """A watch that records the file's content at each change that it notices."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.seen: list[str | None] = []
        self.news = threading.Condition()
        self.watch = FileWatch(path, self._changed)
        self.watch.start()
        self.await_count(1)

    def _changed(self) -> None:
        with self.news:
            self.seen.append(self.path.read_text() if self.path is not None and self.path.exists() else None)
            self.news.notify_all()

    def await_count(self, count: int) -> None:
        with self.news:
            assert self.news.wait_for(lambda: len(self.seen) >= count, PATIENCE_S), self.seen


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("SETTLE_S", 0.15), ("UNENDED_S", 0.9), ("STEP_S", 0.02), ("LOOK_S", 0.2)):
        monkeypatch.setattr(settings_watch, name, seconds)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "live.yaml"
    file.write_text("first\n")
    return file


@pytest.fixture
def watched(file: Path) -> Iterator[Watched]:
    watched = Watched(file)
    yield watched
    assert watched.watch.stop(PATIENCE_S)


def write_over(file: Path, text: str) -> None:
    """Overwrite the file in place with a longer text in a single write, so that half of it is never visible."""
    with file.open("r+b", buffering=0) as writing:
        assert writing.write(text.encode()) == len(text) >= file.stat().st_size


def put(file: Path, text: str) -> None:
    """Replace the file with a new one that is complete from the start."""
    other = file.with_suffix(".new")
    other.write_text(text)
    os.replace(other, file)


def test_it_is_looked_at_at_the_start(watched: Watched) -> None:
    assert watched.seen == ["first\n"]


def test_a_file_written_in_place_is_noticed(watched: Watched, file: Path) -> None:
    write_over(file, "second\n")
    watched.await_count(2)
    assert watched.seen == ["first\n", "second\n"]


def test_a_file_put_in_its_place_is_noticed(watched: Watched, file: Path) -> None:
    for number in (2, 3):
        put(file, f"{number}\n")
        watched.await_count(number)
    assert watched.seen == ["first\n", "2\n", "3\n"]


def test_a_file_written_in_many_pieces_is_read_once_it_rests(
    watched: Watched, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_watch, "SETTLE_S", 2.0)
    with file.open("w") as writing:
        for number in range(10):
            writing.write(f"{number}\n")
            writing.flush()
            time.sleep(0.05)  # shorter than the time to settle
    watched.await_count(2)
    assert watched.seen[1] == "".join(f"{number}\n" for number in range(10))


def test_time_in_which_the_program_was_stopped_is_no_rest(
    watched: Watched, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_watch, "SETTLE_S", 2.0)
    looks: list[float] = []

    def clock() -> float:
        looks.append(60.0 if len(looks) < 3 else 0.0)
        return time.monotonic() + sum(looks)

    monkeypatch.setattr(settings_watch, "RoundClock", lambda: RoundClock(clock))
    write_over(file, "half of it\n")
    until(lambda: len(looks) > 4)
    write_over(file, "half of it\nand the rest\n")
    watched.await_count(2)
    assert watched.seen[1] == "half of it\nand the rest\n"


def test_a_line_without_an_end_is_waited_for(watched: Watched, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_watch, "UNENDED_S", 10 * PATIENCE_S)
    write_over(file, "not whole yet")
    time.sleep(0.4)  # longer than a complete file takes to settle
    assert len(watched.seen) == 1
    write_over(file, "not whole yet, and now it is\n")
    watched.await_count(2)
    assert watched.seen[1] == "not whole yet, and now it is\n"
    monkeypatch.setattr(settings_watch, "UNENDED_S", 0.9)
    write_over(file, "not whole yet, and now it is, but never ends")
    watched.await_count(3)
    assert watched.seen[2] == "not whole yet, and now it is, but never ends"


def test_a_file_that_goes_and_comes_is_noticed(watched: Watched, file: Path) -> None:
    file.unlink()
    watched.await_count(2)
    put(file, "back\n")
    watched.await_count(3)
    assert watched.seen == ["first\n", None, "back\n"]


def test_a_file_that_is_gone_for_a_moment_is_not_missed(watched: Watched, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_watch, "SETTLE_S", 2.0)
    file.unlink()
    file.write_text("second\n")
    watched.await_count(2)
    assert watched.seen == ["first\n", "second\n"]


def test_other_files_in_the_folder_are_nothing(watched: Watched, file: Path) -> None:
    for number in range(20):
        (file.parent / f"{number}.log").write_text("x")
        time.sleep(0.02)
    write_over(file, "second\n")
    watched.await_count(2)
    assert watched.seen == ["first\n", "second\n"]


def test_a_link_that_is_swapped_two_steps_away_is_noticed(tmp_path: Path) -> None:
    """Kubernetes updates config maps in this way."""
    for version in ("..1", "..2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "live.yaml").write_text(f"{version}\n")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "live.yaml").symlink_to("..data/live.yaml")
    watched = Watched(tmp_path / "live.yaml")
    for version in ("..2", "..1"):
        (tmp_path / "..tmp").symlink_to(version)
        os.replace(tmp_path / "..tmp", tmp_path / "..data")
        watched.await_count(len(watched.seen) + 1)
    assert watched.watch.stop(PATIENCE_S)
    assert watched.seen == ["..1\n", "..2\n", "..1\n"]


def test_what_a_link_leads_to_is_watched(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "real.yaml"
    target.write_text("first\n")
    (tmp_path / "live.yaml").symlink_to(target)
    watched = Watched(tmp_path / "live.yaml")
    write_over(target, "second\n")
    watched.await_count(2)
    assert watched.watch.stop(PATIENCE_S)
    assert watched.seen == ["first\n", "second\n"]


def test_a_folder_that_goes_and_comes_is_watched_again(tmp_path: Path) -> None:
    folder = tmp_path / "settings"
    folder.mkdir()
    file = folder / "live.yaml"
    file.write_text("first\n")
    watched = Watched(file)
    file.unlink()
    folder.rmdir()
    watched.await_count(2)
    folder.mkdir()
    put(file, "back\n")
    watched.await_count(3)
    assert watched.watch.stop(PATIENCE_S)
    assert watched.seen == ["first\n", None, "back\n"]


@pytest.mark.logs("the config's folder cannot be watched, so the file is checked every 0.2 s: no more watches")
def test_where_nothing_can_be_watched_the_file_is_looked_at(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*folders: Path, **settings: object) -> Iterator[None]:
        raise OSError("no more watches")
        yield

    monkeypatch.setattr(settings_watch, "watch", fails)
    watched = Watched(file)
    write_over(file, "second\n")
    watched.await_count(2)
    assert watched.watch.stop(PATIENCE_S)


def test_a_folder_that_is_removed_while_it_is_looked_for_is_no_fault(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, gone = settings_watch.watch, [True]

    def late(*folders: Path, **settings: object) -> Iterator[object]:
        if gone:
            raise FileNotFoundError(gone.pop())
        yield from real(*folders, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(settings_watch, "watch", late)
    watched = Watched(file)
    watched.await_count(1)
    write_over(file, "second\n")
    watched.await_count(2)
    assert not gone
    assert watched.watch.stop(PATIENCE_S)


def test_network_drives_that_tell_of_nothing_are_looked_at(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*folders: Path, stop_event: FileWatch, rust_timeout: int, **settings: object) -> Iterator[None]:
        while not stop_event.is_set():
            time.sleep(rust_timeout / 1000)
            yield

    monkeypatch.setattr(settings_watch, "watch", silent)
    watched = Watched(file)
    write_over(file, "second\n")
    watched.await_count(2)
    assert watched.watch.stop(PATIENCE_S)


@pytest.mark.parametrize("named", [True, False])
def test_who_asks_is_heard_though_nothing_has_changed(file: Path, named: bool) -> None:
    watched = Watched(file if named else None)
    for count in (2, 3):
        watched.watch.ask()
        watched.await_count(count)
    assert watched.watch.stop(PATIENCE_S)
    assert watched.seen == [("first\n" if named else None)] * 3


def test_who_asks_while_the_file_has_not_come_to_rest_is_heard_at_once_and_once(
    watched: Watched, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_watch, "UNENDED_S", 10 * PATIENCE_S)
    write_over(file, "not whole")
    time.sleep(0.3)  # the watch has noticed it and waits for it to settle
    watched.watch.ask()
    watched.await_count(2)
    assert watched.seen[1] == "not whole"
    time.sleep(0.5)
    assert len(watched.seen) == 2


def test_what_goes_wrong_does_not_end_the_watch(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    count = 0

    def fails() -> None:
        nonlocal count
        count += 1
        raise RuntimeError("out of luck")

    watch = FileWatch(file, fails)
    watch.start()
    for wanted in (1, 2):
        until(lambda wanted=wanted: count >= wanted)  # type: ignore[misc]
        watch.ask()
    assert watch.stop(PATIENCE_S)
    assert "the config could not be read again; the previous settings stay in force" in caplog.text


def test_a_watch_stops_quickly_even_if_never_started(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FileWatch(file, lambda: None).stop(0.0)
    monkeypatch.setattr(settings_watch, "LOOK_S", 2 * PATIENCE_S)
    watched = Watched(file)
    assert watched.watch.stop(PATIENCE_S)


def test_the_folders_of_links_that_lead_nowhere_or_in_circles(tmp_path: Path) -> None:
    assert folders_of(None) == ()
    assert folders_of(tmp_path / "none" / "at" / "all.yaml") == (tmp_path,)
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert folders_of(tmp_path / "a") == (tmp_path,)
    (tmp_path / "c").symlink_to("c/d")
    assert tmp_path in folders_of(tmp_path / "c" / "live.yaml")
    (tmp_path / "broken").symlink_to("nowhere/at/all")
    assert folders_of(tmp_path / "broken") == (tmp_path,)


def test_marks_tell_states_apart(file: Path, tmp_path: Path) -> None:
    before = mark_of(file)
    assert mark_of(file) == before
    os.utime(file, ns=(1, 1))
    assert mark_of(file) != before
    assert mark_of(tmp_path / "none") is None
    assert mark_of(None) is None


@pytest.mark.parametrize(("text", "whole"), [("a\n", True), ("a\r", True), ("a", False), ("", True), ("ä", False)])
def test_how_a_file_ends(file: Path, text: str, whole: bool) -> None:
    file.write_text(text)
    assert ends_whole(file) is whole
    assert ends_whole(file.parent / "none")
    os.mkfifo(file.parent / "pipe")
    assert ends_whole(file.parent / "pipe"), "nor is it waited for"
    assert ends_whole(None)
