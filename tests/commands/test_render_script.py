from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from streamer.__main__ import app
from streamer.commands import render_script as scripts
from streamer.messages.scenes import Scene
from streamer.video.frames.colour_interpolator import ColourInterpolator
from tests.disks import full_disk

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
SMALL = ["--size", "64x36", "--fps", "10", "--seconds", "0.6"]
SMALL += ["--set", "network.name=bundled", "--set", "device=cpu", "--set", "dream.views=[0.6]"]
SCRIPT = ["--script", "0 goldfish + umbrella; 0.3 pizza"]


@pytest.fixture
def render(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that renders to a file of a given name, or fails."""

    def call(name: str, *more: str) -> Path:
        output = tmp_path / name
        answer = CliRunner().invoke(app, ["render", *SMALL, *SCRIPT, "-o", str(output), *more])
        assert answer.exit_code == 0, answer.output
        return output

    return call


def pixels(folder: Path) -> np.ndarray:
    """Return the pictures of a folder as (frames, H, W, 3)."""
    return np.stack([np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.iterdir())])


def test_the_same_seed_gives_the_same_pixels(render: Callable[..., Path]) -> None:
    first, again, other = (pixels(render(name, "--seed", seed)) for name, seed in (("a", "1"), ("b", "1"), ("c", "2")))
    assert first.shape == (6, 36, 64, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_video_has_its_size_rate_and_length(render: Callable[..., Path]) -> None:
    with av.open(str(render("a.mp4", "--seed", "1")), "r") as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (64, 36, 10)
        assert sum(1 for _ in container.decode(stream)) == 6


def test_a_gif_moves(render: Callable[..., Path]) -> None:
    with Image.open(render("a.gif", "--seed", "1")) as image:
        assert image.size == (64, 36)
        assert image.n_frames == 6


def test_a_picture_is_the_last_frame(render: Callable[..., Path]) -> None:
    last = np.asarray(Image.open(render("a.png", "--seed", "1")).convert("RGB"))
    assert np.array_equal(last, pixels(render("a", "--seed", "1"))[-1])


def test_it_starts_from_a_picture(render: Callable[..., Path], tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.new("RGB", (1, 1), (200, 40, 40)).save(photo)
    first = pixels(render("a", "--seed", "1", "--image", str(photo)))[0]
    assert np.abs(first.astype(int) - (200, 40, 40)).max() <= 1


def test_captions_are_drawn_when_asked_for(render: Callable[..., Path]) -> None:
    large = ("--size", "320x180", "--set", "canvas.width=64")
    without, captioned = (
        pixels(render(name, "--seed", "1", *more)) for name, more in (("a", large), ("b", (*large, "--captions")))
    )
    assert not np.array_equal(without[2], captioned[2])


def test_a_file_does_not_flash(render: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def strobe(show: ColourInterpolator, time_s: float) -> tuple[np.ndarray, Scene]:
        return np.full((36, 64, 3), 255 * (round(time_s * 30) // 2 % 2), np.uint8), Scene(1, ())

    monkeypatch.setattr(ColourInterpolator, "frame", strobe)
    levels = pixels(render("a", "--fps", "30", "--seconds", "1.2")).mean((1, 2, 3))
    assert np.abs(np.diff(levels[20:])).max() < 30
    bare = pixels(render("b", "--fps", "30", "--seconds", "1.2", "--set", "video.flash_limiter=false")).mean((1, 2, 3))
    assert np.abs(np.diff(bare[20:])).max() == 255


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (["--script", ""], "the script is empty"),
        (["--script", "0 goldfish; pizza"], "script, character 13, 'pizza': begins without a time"),
        (["--script", "0 goldfish; 9 pizza"], "script, character 13, '9 pizza': begins at 9 s, but the video ends at 0.6 s"),
        (["--script", "0 qwxyzzy"], "script, character 1, '0 qwxyzzy': "),
        (
            ["--script", "0 goldfish; 0.2 volcano"],
            "script, character 13, '0.2 volcano': 'volcano' is not among the 200 things",
        ),
        (["--script", "goldfish", "--image", "nowhere.png"], "there is no picture 'nowhere.png'"),
        (["--script", "goldfish", "-o", "dream.xyz"], "'dream.xyz': cannot write '.xyz'; use .mp4, .gif, .png"),
    ],
)
def test_a_wrong_call_ends_with_2_and_one_line(
    call: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(app, ["render", *SMALL, *call])
    assert (answer.exit_code, answer.stdout) == (2, ""), answer.output
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"zoomdream: {says}")
    assert not list(tmp_path.iterdir()), "nothing half-made is left"


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.png", "a"])
def test_an_unwritable_output_is_reported_before_anything_is_rendered(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts, "OfflineDream", lambda config: pytest.fail("it dreams"))
    with full_disk():
        answer = CliRunner().invoke(app, ["render", *SMALL, *SCRIPT, "-o", str(tmp_path / name)])
    assert answer.exit_code == 1, answer.output
    assert answer.stderr.splitlines() == [f"zoomdream: cannot write '{tmp_path / name}': File too large"]
    assert not list(tmp_path.iterdir())


def test_broken_weights_end_with_1_and_one_line(tmp_path: Path) -> None:
    weights = tmp_path / "broken.safetensors"
    weights.write_bytes(b"broken")
    settings = ["--set", f"network.weights={weights}", "-o", str(tmp_path / "a.png")]
    answer = CliRunner().invoke(app, ["render", *SMALL, *SCRIPT, *settings])
    assert answer.exit_code == 1
    (line,) = answer.stderr.splitlines()
    assert str(weights) in line
    assert not (tmp_path / "a.png").exists()
