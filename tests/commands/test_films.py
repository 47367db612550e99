"""The command line on films: the bundled network, small sizes."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from streamer.__main__ import app
from tests.video.test_soundtrack import clicks, heard
from tests.video.test_soundtrack import film as clicking

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
FAST = ["--set", "network.name=bundled", "--set", "device=cpu", "--set", "dream.views=[0.6]", "--seed", "1"]


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["render", *FAST, *(str(word) for word in words)])


def dream(film: Path, output: Path, *words: str) -> Path:
    answer = call("--video", film, "--class", "goldfish", "--iterations", "1", "-o", output, *words)
    assert answer.exit_code == 0, answer.output
    return output


def pictures(path: Path) -> tuple[list[np.ndarray], list[float]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.to_ndarray(format="rgb24") for frame in frames], [float(frame.time) for frame in frames]


def test_a_film_keeps_its_size_its_length_and_its_sound(tmp_path: Path) -> None:
    source = clicking(tmp_path / "in.mp4", "aac", seconds=1.2)
    made = dream(source, tmp_path / "out.mp4")
    before, after = pictures(source), pictures(made)
    assert after[1] == pytest.approx(before[1], abs=0.001)
    assert {image.shape for image in after[0]} == {(36, 64, 3)}
    assert 1 < np.abs(after[0][-1].astype(float) - before[0][-1]).mean() < 60
    assert heard(made)[0] == "aac"
    assert clicks(heard(made)[1]) == pytest.approx(clicks(heard(source)[1]), abs=0.03)


def test_uneven_times_and_odd_sizes_are_kept(tmp_path: Path) -> None:
    times = [0, 40, 200, 240, 500]
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 67, 45, "bgr0"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, time_ms in enumerate(times):
            image = np.random.default_rng(number).integers(90, 110, (45, 67, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    images, found = pictures(dream(tmp_path / "in.mkv", tmp_path / "out.mp4"))
    assert found == pytest.approx([time_ms / 1000 for time_ms in times], abs=0.001)
    assert images[0].shape == (46, 68, 3), "MP4 needs even sides: the last row and column are repeated"


def test_the_same_seed_gives_the_same_pictures_and_a_part_will_do(tmp_path: Path) -> None:
    source = clicking(tmp_path / "in.mp4", None, seconds=1.0)
    first, again = (dream(source, tmp_path / name, "--seconds", "0.5") for name in ("a", "b"))
    assert len(list(first.iterdir())) == 5
    for one, other in zip(sorted(first.iterdir()), sorted(again.iterdir()), strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_smaller_dream_lies_on_a_picture_that_stays_sharp(tmp_path: Path) -> None:
    checks = np.kron(np.indices((20, 30)).sum(0) % 2, np.ones((4, 4)))[..., None].repeat(3, 2) * 40 + 100
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=5)
        stream.width, stream.height, stream.pix_fmt = 120, 80, "bgr0"
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(checks.astype(np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 5)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    answer = dream(tmp_path / "in.mkv", tmp_path / "out.png", "--set", "canvas.width=48", "--set", "dream.step=0.5")
    image = np.asarray(Image.open(answer)).astype(float)
    assert image.shape == (80, 120, 3)
    assert np.corrcoef(image.ravel(), checks.ravel())[0, 1] > 0.9


def test_pictures_that_flash_are_told_of(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=20)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "bgr0"
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(np.full((36, 64, 3), 230 * (number // 2 % 2), np.uint8), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 20)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    answer = call("--video", tmp_path / "in.mkv", "--class", "goldfish", "--iterations", "1", "-o", tmp_path / "out.mp4")
    assert answer.exit_code == 0
    assert "of 30 pictures were held back, for they flash" in answer.stderr


def test_a_film_that_was_not_copied_to_its_end_is_told_of(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    with av.open(str(whole), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        stream.gop_size, stream.max_b_frames = 1, 0
        for number in range(20):
            image = np.random.default_rng(number).integers(0, 255, (36, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    answer = call("--video", cut, "--class", "goldfish", "--iterations", "1", "-o", tmp_path / "out.mp4")
    assert answer.exit_code == 0, answer.output
    assert len(pictures(tmp_path / "out.mp4")[0]) < 15
    assert "the film ended after 1." in answer.stderr
    assert "of 4.0 s; was it copied to its end?" in answer.stderr
    answer = call("--video", whole, "--class", "goldfish", "--iterations", "1", "-o", tmp_path / "out.mp4")
    assert "ended after" not in answer.stderr


def test_a_film_of_one_picture_that_stands_is_whole(tmp_path: Path) -> None:
    film = tmp_path / "in.gif"
    Image.new("RGB", (64, 36), (90, 120, 60)).save(film, duration=3000)
    answer = call("--video", film, "--class", "goldfish", "--iterations", "1", "-o", tmp_path / "out.png")
    assert answer.exit_code == 0, answer.output
    assert "ended after" not in answer.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--video", "none.mp4", "--class", "goldfish"], "there is no film 'none.mp4'"),
        (["--video", "empty.mp4", "--class", "goldfish"], "the film 'empty.mp4' is empty"),
        (["--video", "text.mp4", "--class", "goldfish"], "the film 'text.mp4' cannot be read: "),
        (["--video", "in.mp4"], "say what to dream: "),
        (["--video", "in.mp4", "--class", "goldfish", "-o", "in.mp4"], "'in.mp4' would be replaced by its own dream"),
        (["--video", "in.mp4", "--class", "goldfish", "-o", "out.xyz"], "'out.xyz': cannot write '.xyz'; use .mp4"),
        (["--video", "in.mp4", "--class", "goldfish", "--octaves", "2"], "--octaves goes with a picture, not with a film"),
        (
            ["--video", "in.mp4", "--class", "goldfish", "--fps", "9"],
            "--fps goes with a script or a picture or a journal",
        ),
        (["--video", "in.mp4", "--class", "goldfish", "--image", "a.jpg"], "a film takes --class, --layer or --guide, and no"),
        (["--video", "in.mp4", "--class", "goldfish", "--size", "8x0"], "--size is 8x0; there is nothing to dream on in"),
        (
            ["--video", "in.mp4", "--class", "goldfish", "--set", "dream.algorithm=ink"],
            "'dream.algorithm: ink' cannot dream on",
        ),
        (["--video", "in.mp4", "--class", "goldfish", "--size", "9000x9000"], "--size is 9000x9000; films are dreamt up to"),
    ],
)
def test_a_wrong_call_ends_with_2_and_one_line(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clicking(tmp_path / "in.mp4", None, seconds=0.3)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no film, but a text of some length")
    before = sorted(tmp_path.iterdir())
    answer = call("-o", "out.mp4", *words)
    assert (answer.exit_code, answer.stdout) == (2, ""), answer.output
    assert answer.stderr.splitlines()[-1].startswith(f"zoomdream: {says}"), answer.stderr
    assert sorted(tmp_path.iterdir()) == before, "nothing half-made is left"
