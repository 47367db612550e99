"""The command line on films and pictures of every shape and name, shown undistorted: the bundled network, small sizes."""

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from streamer.__main__ import app
from tests.shapes import EXIF, MATRIX, disc, extent, fields, joined, note_in_header, quad, write, write_tracks

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
PLAIN = [
    "--set",
    "network.name=bundled",
    "--set",
    "device=cpu",
    "--set",
    "dream.views=[0.6]",
    "--seed",
    "1",
    "--iterations",
    "1",
]
PLAIN += ["--set", "source.mix=0", "--set", "canvas.width=64", "--set", "video.flash_limiter=false", "--class", "goldfish"]
FITS = pytest.mark.parametrize(("fit", "found"), [("", (160, 160)), ("pad", (50, 50)), ("stretch", (160, 50))])


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["render", *PLAIN, *(str(word) for word in words)])


def shown(output: Path) -> list[np.ndarray]:
    with av.open(f"file:{output}") as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def render(*words: str | Path, output: Path) -> list[np.ndarray]:
    answer = call(*words, "-o", output)
    assert answer.exit_code == 0, answer.output
    return shown(output)


@FITS
def test_a_film_of_another_shape_is_cut_or_as_the_call_says(tmp_path: Path, fit: str, found: tuple[int, int]) -> None:
    film = write(tmp_path / "a.mp4", [disc((180, 320), 90)] * 2)
    for image in render("--video", film, "--size", "180x320", *(["--fit", fit] if fit else []), output=tmp_path / "b.mp4"):
        assert image.shape == (320, 180, 3)
        assert extent(image) == pytest.approx(found, abs=2)


@FITS
def test_so_is_a_picture(tmp_path: Path, fit: str, found: tuple[int, int]) -> None:
    Image.fromarray(disc((180, 320), 90)).save(tmp_path / "a.png")
    (image,) = render(tmp_path / "a.png", "--size", "180x320", *(["--fit", fit] if fit else []), output=tmp_path / "b.png")
    assert image.shape == (320, 180, 3)
    assert extent(image) == pytest.approx(found, abs=2)


@pytest.mark.parametrize(("fit", "found"), [("crop", (80, 80)), ("pad", (46, 46))])
def test_a_film_that_changes_its_shape_keeps_its_first_size(tmp_path: Path, fit: str, found: tuple[int, int]) -> None:
    parts = [
        write(tmp_path / f"{number}.ts", [disc(size, 60)] * 3, form="mpegts")
        for number, size in enumerate(((90, 160), (118, 120)))
    ]
    film = joined(tmp_path / "a.ts", parts)
    images = render("--video", film, "--fit", fit, output=tmp_path / "b.mp4")
    assert {image.shape for image in images} == {(90, 160, 3)}
    assert extent(images[0]) == pytest.approx((60, 60), abs=2)
    assert extent(images[-1]) == pytest.approx(found, abs=2)


def test_a_film_stands_upright(tmp_path: Path) -> None:
    film = note_in_header(write(tmp_path / "a.mp4", [quad((60, 80))] * 2), MATRIX[7])
    for image in render("--video", film, output=tmp_path / "b.mp4"):
        assert image.shape == (80, 60, 3)
        assert fields(image) == EXIF[7]


def test_a_track_is_the_best_or_the_one_called_for(tmp_path: Path) -> None:
    film = write_tracks(tmp_path / "a.mp4", [((48, 64), 60), ((120, 160), 160)], pictures=(1, 3))
    assert [image.shape for image in render("--video", film, output=tmp_path / "b.mp4")] == [(120, 160, 3)] * 3
    answer = call("--video", film, "--track", "1", "-o", tmp_path / "c.mp4")
    assert answer.exit_code == 0, answer.output
    assert "1 picture of 64x48" in answer.stderr, "its own length, too"
    assert [image.shape for image in shown(tmp_path / "c.mp4")] == [(48, 64, 3)]


@pytest.mark.skipif(sys.platform == "win32", reason="names that Windows does not have")
@pytest.mark.parametrize("name", ["-12:30%03d", "pipe:a|b\n#?"])
def test_files_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("plain.mp4"), [quad((48, 64))] * 2).rename(f"{name}.mp4")
    answer = call("--video", f"{name}.mp4", "-o", f"{name}.out.mp4")
    assert answer.exit_code == 0, answer.output
    assert sorted(os.listdir()) == sorted([f"{name}.mp4", f"{name}.out.mp4"])
    assert [fields(image) for image in shown(tmp_path / f"{name}.out.mp4")] == ["RG/BY"] * 2


@pytest.mark.skipif(sys.platform == "win32", reason="names that Windows does not have")
def test_a_file_name_that_is_not_text_is_shown_on_any_terminal(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\n.mp4")
    (tmp_path / name).write_bytes(write(tmp_path / "a.mp4", [quad((48, 64))]).read_bytes())
    command = [sys.executable, "-m", "streamer", "render", *PLAIN, "--video", name, "-o", name.replace("\n", "2")]
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict", "PYTHONPATH": os.getcwd()}
    done = subprocess.run(command, cwd=tmp_path, env=strict, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "\\udcff2.mp4 (seed 1)\n"
    command[-3] = "b\n.mp4"
    done = subprocess.run(command, cwd=tmp_path, env=strict, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (2, "zoomdream: there is no film 'b\\n.mp4'\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--video", "a.mp4", "--fit", "cover"], "--fit is 'cover'; must be crop, pad or stretch"),
        (["a.png", "--fit", "pad"], "--fit goes with --size: without one, a picture keeps its own shape"),
        (["--size", "64x48", "--fit", "pad"], "--fit goes with a picture or a film; this starts from noise, of any shape"),
        (["a.png", "--track", "1"], "--track goes with a film, not with a picture"),
        (["--video", "a.mp4", "--track", "2"], "the film 'a.mp4' has no video track 2; it has 1 (64x48)"),
    ],
)
def test_a_wrong_call_ends_with_2_and_one_line(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("a.mp4"), [quad((48, 64))])
    Image.fromarray(quad((48, 64))).save("a.png")
    answer = call(*words, "-o", "b.png")
    assert (answer.exit_code, answer.stdout, answer.stderr) == (2, "", f"zoomdream: {says}\n")
    assert not Path("b.png").exists()


def test_a_script_takes_it_with_a_picture_only(tmp_path: Path) -> None:
    Image.fromarray(disc((180, 320), 90)).save(tmp_path / "a.png")
    script = ["--script", "0 goldfish", "--seconds", "0.1", "--size", "90x160", "--fit", "pad", "-o", str(tmp_path / "b.png")]
    words = [word for word in PLAIN if word not in ("--iterations", "1", "--class", "goldfish")]
    words[words.index("--seed")] = "--seed=1"
    runner = CliRunner()
    answer = runner.invoke(app, ["render", *words, *script])
    assert (answer.exit_code, answer.stderr.splitlines()[-1]) == (
        2,
        "zoomdream: --fit goes with a picture or a film; this starts from noise, of any shape",
    )
    answer = runner.invoke(app, ["render", *words, *script, "--image", str(tmp_path / "a.png"), "--set", "dream.step=0.1"])
    assert answer.exit_code == 0, answer.output
    (image,) = shown(tmp_path / "b.png")
    assert image[:50].mean() < 60, "a bar"
    assert image[60:100].mean() > image[:50].mean() + 40
