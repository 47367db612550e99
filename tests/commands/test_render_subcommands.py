"""A real render with each subcommand and the bundled network; the old form gives the same pixels."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from streamer.__main__ import app
from streamer.commands import render_work, resumable_work
from streamer.commands.on_ray.options import RayCall
from streamer.commands.render_facts import RenderCall
from streamer.commands.render_work import RenderRun
from streamer.commands.resumable_work import ResumableWork, saved_facts
from streamer.video.files.movie import MovieWriter
from tests.shapes import quad, write

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
FAST = ["--set", "network.name=bundled", "--set", "device=cpu", "--set", "dream.views=[0.6]", "--set", "canvas.width=64"]
SCRIPT = ["--size", "64x36", "--fps", "10", "--seconds", "0.6", "--seed", "1"]
STILL = ["--class", "goldfish", "--iterations", "2", "--seed", "1"]


def render(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["render", *(str(word) for word in words)])


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (["script", "0 goldfish", *SCRIPT], ["--script", "0 goldfish", *SCRIPT]),
        (["pictures", "a.png", *STILL], ["a.png", *STILL]),
        (["pictures", "--size", "64x40", *STILL], ["--size", "64x40", *STILL]),
        (["film", "a.mp4", *STILL], ["--video", "a.mp4", *STILL]),
    ],
    ids=["script", "pictures", "noise", "film"],
)
def test_a_sub_command_renders_the_same_pixels_as_the_old_form(
    new: list[str], old: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("a.mp4"), [quad((48, 64))] * 2)
    Image.fromarray(quad((48, 64))).save("a.png")
    for words, output in ((new, "new.png"), (old, "old.png")):
        answer = render(*words, *FAST, "-o", output)
        assert answer.exit_code == 0, answer.output
        assert answer.stdout == f"{output} (seed 1)\n"
    assert np.array_equal(pixels(Path("new.png")), pixels(Path("old.png")))
    assert np.ptp(pixels(Path("new.png"))) > 0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["--script", "0 goldfish"], ["resume", "a.png"]),
        (["script", "0 goldfish"], ["resume", "a.png"]),
        (["script", "0 goldfish"], ["--resume", "-o", "a.png"]),
        (["--script", "0 goldfish"], ["script", "0 goldfish", *SCRIPT, *FAST, "--resume", "-o", "a.png"]),
    ],
)
def test_either_form_continues_what_the_other_began(
    first: list[str], second: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    look = ResumableWork.save_or_stop

    def stopping(work: ResumableWork, movie: MovieWriter, parts: dict[str, object], done: int, *more: int | None) -> None:
        if done == 3:
            work._again.stops.asked = signal.SIGINT
        look(work, movie, parts, done, *more)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(ResumableWork, "save_or_stop", stopping)
        answer = render(*first, *SCRIPT, *FAST, "-o", "a.png")
    assert answer.exit_code == 130, answer.output
    saved = saved_facts(Path("a.png"))
    assert {name: saved[name] for name in ("kind", "--script", "--size", "--fps", "--seconds", "seed")} == {
        "kind": "script",
        "--script": "0 goldfish",
        "--size": "64x36",
        "--fps": 10,
        "--seconds": 0.6,
        "seed": 1,
    }
    answer = render(*second)
    assert answer.exit_code == 0, answer.output
    assert "continuing 'a.png' after 3" in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


SAVED = {
    "kind": "film",
    "seed": 3,
    "--files": ["/films/look.yaml"],
    "--subject": "goldfish",
    "--video": "/films/in.mp4",
    "--overrides": ["source.mix=0.6"],
    "settings of dream": "0123456789abcdef",
    "--ray": True,
    "--ray-segment": 9.0,
}
"""The facts that an earlier version saved for a film on a cluster."""


def test_what_an_earlier_version_saved_is_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    performed = []
    monkeypatch.setattr(resumable_work, "saved_facts", lambda output: SAVED)
    monkeypatch.setattr(render_work, "perform", lambda *call: performed.append(call))
    answer = render("resume", "out.mp4", "--ray", "auto")
    assert answer.exit_code == 0, answer.output
    files, film = (Path("/films/look.yaml"),), Path("/films/in.mp4")
    call = RenderCall(files, subject="goldfish", video=film, overrides=("source.mix=0.6",))
    assert performed == [("film", call, RenderRun(Path("out.mp4"), resume=True, ray=RayCall("auto", segment_s=9.0)))]
    answer = render("resume", "out.mp4")
    assert (answer.exit_code, answer.stderr) == (2, "zoomdream: 'out.mp4' was started with --ray: do the same now\n")
    assert len(performed) == 1


def test_nothing_to_resume_ends_with_2_and_one_line(tmp_path: Path) -> None:
    answer = render("resume", tmp_path / "a.mp4")
    assert answer.exit_code == 2
    assert answer.stderr == f"zoomdream: there is nothing unfinished of '{tmp_path / 'a.mp4'}' to continue\n"
