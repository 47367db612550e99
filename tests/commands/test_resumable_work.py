"""Renders that are stopped or killed and then continued give the same pictures."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from streamer.__main__ import app
from streamer.commands import resumable_work
from streamer.commands.resumable_work import ResumableWork
from streamer.video.files import mp4
from streamer.video.files.movie import MovieWriter
from tests.logging_setup import restored_logging
from tests.video.test_soundtrack import film as clicking

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
ROOT = Path(__file__).resolve().parents[2]
FAST = ["--set", "network.name=bundled", "--set", "device=cpu", "--set", "dream.views=[0.6]"]
SCRIPT = ["--script", "0 goldfish + umbrella; 0.5 pizza", "--size", "64x36", "--fps", "10", "--seconds", "1.6"]
SLOW = ["--seconds", "0.8", "--set", "dream.algorithm=original_2015", "--set", "dream.steps_per_keyframe=2"]
STILL = ["--class", "goldfish", "--iterations", "3", "--octaves", "3", "--size", "160x100"]
Look = Callable[..., None]


def call(*words: str | Path) -> Result:
    return bare(*FAST, *words)


def bare(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["render", *map(str, words)])


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[ResumableWork, int], None]], None]:
    """Return a function that sets a hook for each ``save_or_stop``; the hook gets the number of finished pictures."""
    look: Look = ResumableWork.save_or_stop

    def set_up(before: Callable[[ResumableWork, int], None]) -> None:
        def watched(work: ResumableWork, movie: MovieWriter, parts: Mapping[str, object], done: int, *more: object) -> None:
            before(work, done)
            look(work, movie, parts, done, *more)

        monkeypatch.setattr(ResumableWork, "save_or_stop", watched)

    return set_up


def stopping_after(number: int) -> Callable[[ResumableWork, int], None]:
    def before(work: ResumableWork, done: int) -> None:
        if done == number:
            work._again.stops.asked = signal.SIGINT

    return before


def contents(path: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(path.iterdir())] if path.is_dir() else [path.read_bytes()]


KINDS = [
    pytest.param("a.mp4", SCRIPT, id="script.mp4"),
    pytest.param("a.gif", SCRIPT, id="script.gif"),
    pytest.param("a", [*SCRIPT, "--captions"], id="script, folder"),
    pytest.param("a.png", [*SCRIPT, "--set", "dream.wake=alternate", "--set", "dream.wake_after_s=0.5"], id="woken"),
    pytest.param("a.png", [*SCRIPT, "--set", "dream.algorithm=deepdream"], id="deepdream"),
    pytest.param("a.png", [*SCRIPT, "--set", "dream.algorithm=ink"], id="ink"),
    pytest.param("a.png", [*SCRIPT, *SLOW], id="2015"),
    pytest.param("a.png", STILL, id="picture"),
    pytest.param("b.png", [*STILL, "--progress"], id="strip"),
    pytest.param("a.mp4", [*STILL, "--fps", "10"], id="iterations.mp4"),
    pytest.param("a.mp4", ["--video", "in.mp4", "--class", "goldfish", "--iterations", "1"], id="film.mp4"),
]


@pytest.mark.parametrize(("name", "words"), KINDS)
def test_a_stopped_render_resumes_with_the_same_pictures(
    name: str,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    looks: Callable[[Callable[[ResumableWork, int], None]], None],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mp4, "PIECE_FRAMES", (1, 4))
    monkeypatch.setitem(mp4.X264, "x264-params", "no-mbtree=1")  # makes x264 reproducible
    clicking(tmp_path / "in.mp4", "aac", seconds=1.0)
    for folder in ("whole", "stopped"):
        (tmp_path / folder).mkdir()
    whole, stopped = tmp_path / "whole" / name, tmp_path / "stopped" / name
    answer = call("-o", whole, "--seed", "3", *words)
    assert answer.exit_code == 0, answer.output
    assert [path.name for path in whole.parent.iterdir()] == [name], "nothing half-made is left"
    looks(stopping_after(5))
    answer = call("-o", stopped, "--seed", "3", *words)
    assert answer.exit_code == 130, answer.output
    last = answer.stderr.splitlines()[-1]
    assert last.startswith("zoomdream: stopped after 5 of ")
    assert last.endswith("has the finished part; the same call with --resume continues")
    assert not stopped.exists()
    (so_far,) = [path for path in (tmp_path / "stopped" / f"{name}.unfinished").iterdir() if path.stem in ("so_far", "whole")]
    assert so_far.is_dir() or so_far.stat().st_size > 0
    answer = call("--resume", "-o", stopped, *words)
    assert answer.exit_code == 0, answer.output
    assert "(seed 3)" in answer.stdout
    assert f"continuing '{stopped}' after 5" in answer.stderr
    assert contents(stopped) == contents(whole)
    assert [path.name for path in stopped.parent.iterdir()] == [name]


def test_a_render_killed_between_two_saves_resumes_from_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: Callable[[Callable[[ResumableWork, int], None]], None]
) -> None:
    monkeypatch.setattr(mp4, "PIECE_FRAMES", (1, 4))
    monkeypatch.setitem(mp4.X264, "x264-params", "no-mbtree=1")  # makes x264 reproducible
    left, output = tmp_path / "left", tmp_path / "a.mp4"

    def before(work: ResumableWork, done: int) -> None:
        work._every_s = 0.0 if done in (2, 6) else 1e9
        if done == 11:  # two pieces later
            shutil.copytree(work.folder, left)

    looks(before)
    assert call("-o", output, "--seed", "3", *SCRIPT).exit_code == 0
    whole = output.read_bytes()
    left.rename(tmp_path / "a.mp4.unfinished")
    output.unlink()
    answer = bare("--resume", "-o", output)  # no other words: the rest comes from the first call
    assert answer.exit_code == 0, answer.output
    assert "after 6" in answer.stderr
    assert output.read_bytes() == whole


def test_unfinished_work_is_neither_lost_nor_mixed_with_other_work(
    tmp_path: Path, looks: Callable[[Callable[[ResumableWork, int], None]], None]
) -> None:
    output = tmp_path / "a.png"
    looks(stopping_after(2))
    assert call("-o", output, *SCRIPT).exit_code == 130
    answer = call("-o", output, *SCRIPT)
    assert answer.exit_code == 2
    assert answer.stderr.splitlines()[-1] == (
        f"zoomdream: '{output}' was started before and got to 2 of 16: --resume continues, --fresh starts over"
    )
    for words, unlike in (
        (["--set", "dream.step=4"], "--overrides, settings of dream"),
        (["--seed", "5"], "seed"),
    ):
        answer = call("--resume", "-o", output, *SCRIPT, *words)
        assert answer.exit_code == 2
        assert f"'{output}' was started with other {unlike}: use those again" in answer.stderr
    answer = call("--fresh", "-o", output, *SCRIPT)  # stops at the same picture again
    assert answer.exit_code == 130
    state = tmp_path / "a.png.unfinished" / "state"
    state.write_bytes(state.read_bytes()[:-1])
    answer = call("--resume", "-o", output, *SCRIPT)
    assert answer.exit_code == 1
    assert "it is damaged" in answer.stderr
    answer = bare("--resume", "-o", tmp_path / "other.png")
    assert answer.exit_code == 2
    assert "nothing unfinished of" in answer.stderr
    assert call("--resume", "--fresh", "-o", output, *SCRIPT).exit_code == 2


def test_of_many_pictures_those_that_are_there_are_left_alone(
    tmp_path: Path, looks: Callable[[Callable[[ResumableWork, int], None]], None]
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        Image.new("RGB", (60, 40), (90, 120, 60)).save(tmp_path / name)
    pictures = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    stops = stopping_after(2)
    looks(lambda work, done: stops(work, done) if work.output.name == "b.png" else None)
    words = [*pictures, "--class", "goldfish", "--iterations", "3", "-o", tmp_path / "out"]
    assert call(*words, "--seed", "1").exit_code == 130
    answer = call(*words, "--resume")
    assert answer.exit_code == 0, answer.output
    assert "1 of 3 are there already" in answer.stderr
    assert answer.stdout.count("(seed 1)") == 2
    made = [np.asarray(Image.open(tmp_path / "out" / path.name)) for path in pictures]
    assert all(np.array_equal(made[0], other) for other in made[1:]), "they are alike, and so are their dreams"


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Return the last picture of a render that nothing stops: (H, W, 3) uint8."""
    output = tmp_path_factory.mktemp("uninterrupted") / "a.png"
    with restored_logging():
        assert call("-o", output, "--seed", "3", *SCRIPT).exit_code == 0
    return np.asarray(Image.open(output))


def start_waiting_after(number: int, output: Path) -> subprocess.Popen[str]:
    """Start a render in its own process that saves after each picture and prints its number.

    After the given number of pictures it waits for a signal; without one, it goes on after two minutes.
    """
    code = f"""
import sys, time
import streamer.commands.resumable_work as work
from streamer.__main__ import main
work.EVERY_S = work.MOST_EVERY_S = 0.0
look = work.ResumableWork.save_or_stop
def watched(self, movie, parts, done, *more):
    look(self, movie, parts, done, *more)
    print(done, flush=True)
    end_s = time.monotonic() + 120
    while done == {number} and self._again.stops.asked is None and time.monotonic() < end_s:
        time.sleep(0.01)
work.ResumableWork.save_or_stop = watched
main()
"""
    command = [sys.executable, "-W", "ignore", "-c", code, "render", *FAST, *SCRIPT, "--seed", "3", "-o", str(output)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_signals_to_a_real_process(number: signal.Signals, tmp_path: Path, uninterrupted: np.ndarray) -> None:
    output = tmp_path / "a.png"
    process = start_waiting_after(5, output)
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "5":
            break
    process.send_signal(number)
    if number is signal.SIGKILL:
        assert process.wait(120) == -signal.SIGKILL
        process.communicate()
    else:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 128 + number, said
        assert "stopped after 6 of 16" in said
    assert not output.exists()
    assert (tmp_path / "a.png.unfinished" / "state").exists()
    answer = call("--resume", "-o", output, *SCRIPT, "--seed", "3")
    assert answer.exit_code == 0, answer.stderr
    assert os.listdir(tmp_path) == ["a.png"]
    assert np.array_equal(np.asarray(Image.open(output)), uninterrupted)


def test_two_at_once_do_not_write_the_same(
    tmp_path: Path, looks: Callable[[Callable[[ResumableWork, int], None]], None]
) -> None:
    output = tmp_path / "a.png"
    said = []

    def before(work: ResumableWork, done: int) -> None:
        if done == 3:
            answer = call("--fresh", "-o", output, *SCRIPT)
            said.append((answer.exit_code, answer.stderr.splitlines()[-1]))

    looks(before)
    assert call("-o", output, *SCRIPT).exit_code == 0
    assert said == [(1, f"zoomdream: '{output}' is being written by another zoomdream")]


def test_a_name_too_long_for_more_has_another_folder(tmp_path: Path) -> None:
    folder = resumable_work.folder_of(tmp_path / f"{'n' * 251}.mp4")
    assert len(folder.name) < 40
    assert folder.name.endswith(".unfinished")
    assert resumable_work.folder_of(tmp_path / "a.mp4") == tmp_path / "a.mp4.unfinished"
    assert resumable_work.folder_of(tmp_path) == tmp_path / "unfinished"
