"""The command line on pictures: the bundled network, small sizes."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from streamer.__main__ import app
from streamer.dream.sessions.still import StillDream
from streamer.requests.knowledge import LARGER
from tests.disks import full_disk

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
FAST = ["--set", "network.name=bundled", "--set", "device=cpu", "--set", "dream.views=[0.6]"]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    coarse = np.random.default_rng(1).integers(60, 200, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((71, 53)).save(path, quality=95)
    return path


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["render", *FAST, *(str(word) for word in words)])


@pytest.fixture
def render(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that renders to a file of a given name, or fails."""

    def render(name: str, *words: str | Path) -> Path:
        output = tmp_path / name
        answer = call("-o", output, *words)
        assert answer.exit_code == 0, answer.output
        return output

    return render


def test_a_picture_is_rendered_at_its_own_size(render: Callable[..., Path], photo: Path) -> None:
    wanted = ("--image", photo, "--class", "goldfish + umbrella", "--iterations", "3", "--seed")
    first, again, other = (
        np.asarray(Image.open(render(name, *wanted, seed))) for name, seed in (("a.png", "1"), ("b.png", "1"), ("c.png", "2"))
    )
    assert first.shape == (53, 71, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert 1 < np.abs(first.astype(float) - np.asarray(Image.open(photo))).mean() < 60


def test_layers_and_guides_are_rendered_at_any_size(render: Callable[..., Path], photo: Path) -> None:
    with Image.open(render("a.jpg", photo, "--layer", "conv3_2:1-4", "--iterations", "2", "--size", "64x40")) as image:
        assert (image.size, image.format) == ((64, 40), "JPEG")
    render("b.png", photo, "--guide", photo, "--layer", "relu3_2", "--octaves", "2", "--iterations", "2")


def test_the_iterations_make_a_film_or_a_gif(render: Callable[..., Path], photo: Path) -> None:
    wanted = (photo, "--class", "goldfish", "--iterations", "4", "--fps", "10")
    with av.open(str(render("a.mp4", *wanted)), "r") as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (72, 54)
        assert sum(1 for _ in container.decode(stream)) == 8 + 4 + 20
    with Image.open(render("a.gif", *wanted)) as image:
        assert image.n_frames > 4


def test_a_strip_shows_how_it_came(render: Callable[..., Path], photo: Path) -> None:
    with Image.open(render("a.png", photo, "--class", "goldfish", "--iterations", "4", "--progress")) as image:
        assert image.width > 4 * 71
        assert 53 < image.height < 100


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.mp4"])
@pytest.mark.parametrize("strip", [False, True])
def test_an_output_that_cannot_be_written_is_found_out_before_any_step(
    name: str, strip: bool, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if strip and name not in ("a.png", "a.jpg"):
        pytest.skip("a strip is a picture")
    for step in ("estimate", "dream"):
        monkeypatch.setattr(StillDream, step, lambda *_, **__: pytest.fail("it dreams"))
    words = ("--class", "goldfish", "--iterations", "4", *(["--progress"] if strip else []))
    with full_disk():
        answer = call(photo, *words, "-o", tmp_path / name)
    assert answer.exit_code == 1, answer.output
    assert answer.stderr.splitlines()[-1] == f"zoomdream: cannot write '{tmp_path / name}': File too large"
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_a_dream_needs_no_picture(render: Callable[..., Path]) -> None:
    with Image.open(render("a.png", "--class", "goldfish", "--iterations", "2", "--size", "64x36")) as image:
        assert image.size == (64, 36)


def test_many_pictures_are_rendered_and_a_broken_one_is_reported(photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    photo.rename(folder / "b.jpg")
    (folder / "a.png").write_bytes(b"no picture")
    Image.new("RGB", (40, 30)).save(folder / "c.png")
    (folder / "d.cr3").touch()
    answer = call("--image", folder, "--class", "goldfish", "--iterations", "1", "-o", tmp_path / "out")
    assert f"passed over in '{folder}': d.cr3 (kinds that cannot be read)" in answer.stderr
    assert answer.exit_code == 1
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["b.png", "c.png"]
    assert "a.png" in answer.stderr
    assert answer.stderr.splitlines()[-1] == "zoomdream: 1 of 3 pictures could not be rendered"


def test_it_says_beforehand_what_it_takes(photo: Path, tmp_path: Path) -> None:
    answer = call(photo, "--class", "goldfish", "--iterations", "2", "-o", tmp_path / "a.png")
    assert "2 iterations at 71x53: about " in answer.stderr
    assert "GB of memory" in answer.stderr


def test_it_says_what_it_took_the_words_for(photo: Path, tmp_path: Path) -> None:
    answer = call(photo, "--class", "goldfsh + umbrella", "--iterations", "1", "-o", tmp_path / "a.png")
    assert "goldfish + umbrella, 1 iteration at 71x53: about " in answer.stderr


def test_a_picture_becomes_a_picture_where_nothing_else_is_said(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = call(photo, "--class", "goldfish", "--iterations", "1", "--progress")
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith("dream.png (seed ")


def test_a_picture_too_large_for_memory_does_not_stop_the_others(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "large.png"
    Image.new("RGB", (600, 400)).save(large)
    monkeypatch.setattr("streamer.dream.sessions.still.needed_bytes", lambda network, device, size, tile_px: size[1] * 10**7)
    monkeypatch.setattr("streamer.dream.sessions.still.available_bytes", lambda device: 3 * 10**9)
    answer = call(large, photo, "--class", "goldfish", "--iterations", "1", "-o", tmp_path / "out")
    assert answer.exit_code == 1
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["photo.png"]
    assert f"zoomdream: '{large}': 600x400 needs about 6.0 GB" in answer.stderr


def test_what_does_not_fit_into_memory_is_refused(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.dream.sessions.still.available_bytes", lambda device: 1_500_000_000)
    answer = call(photo, "--class", "goldfish", "--size", "7680x4320", "-o", tmp_path / "a.png")
    assert answer.exit_code == 1
    last = answer.stderr.splitlines()[-1]
    assert last.startswith("zoomdream: 7680x4320 needs about ")
    assert "(1.5 GB available); try a --size such as 3840x2160" in last
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["photo.jpg"], "say what to dream: --class 'tree frog', --layer fire5 or --guide flowers.jpg"),
        (["photo.jpg", "--class", "qwxyzzy"], "'qwxyzzy': "),
        (["photo.jpg", "--class", "volcano"], "'volcano': 'volcano' is not among the 200 things"),
        (["photo.jpg", "--layer", "conv33_2"], "'layer conv33_2': this network has no layer 'conv33_2'"),
        (["photo.jpg", "--layer", "conv3_2:999"], "'layer conv3_2:999': layer conv3_2 has channels 0 to "),
        (["photo.jpg", "--guide", "none.jpg"], "'guide \"none.jpg\"': there is no picture 'none.jpg'"),
        (["--image", "none.jpg", "--class", "goldfish"], "there is no picture 'none.jpg'"),
        (["photo.jpg", "--class", "goldfish", "-o", "a.xyz"], "'a.xyz': a picture becomes .png, .jpg, .webp, .avif, .gif"),
        (["photo.jpg", "--class", "goldfish", "--size", "9000x4320"], "--size is 9000x4320; pictures are rendered up to"),
        (["photo.jpg", "--class", "goldfish", "--size", "8x8"], "--size is 8x8; there is nothing to dream on in"),
        (["--class", "goldfish", "--size", "9000x4320"], "--size is 9000x4320; pictures are rendered up to"),
        (["--class", "goldfish", "--size", "5x90"], "--size is 5x90; there is nothing to dream on in"),
        (["photo.jpg", "--class", "goldfish", "--progress", "-o", "a.gif"], "'a.gif': a strip is a picture; name a .png"),
        (["photo.jpg", "--class", "goldfish", "--script", "goldfish"], "say what to dream either with --script, or"),
        (["photo.jpg", "other.yaml", "--class", "goldfish"], "one config, and that first: 'other.yaml'"),
        (["photo.jpg", "--script", "goldfish", "--iterations", "3"], "--iterations goes with a picture or a film, not with a"),
        (["photo.jpg", "photo.jpg", "--script", "goldfish"], "a script takes one --image to start from"),
        (["photo.jpg", "--class", "goldfish", "--seconds", "3"], "--seconds goes with a script or a film, not with a"),
        (["photo.jpg", "--class", "goldfish", "--captions"], "--captions goes with a script, not with a picture"),
        (["text.jpg", "--class", "goldfish"], "'text.jpg' is not a picture in a known format"),
    ],
)  # fmt: skip
def test_a_wrong_call_ends_with_2_and_one_line(
    words: list[str], says: str, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.jpg").write_text("no picture")
    before = sorted(tmp_path.iterdir())
    answer = call("-o", "a.png", *words)
    assert (answer.exit_code, answer.stdout) == (2, ""), answer.output
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"zoomdream: {says}")
    assert line.endswith(LARGER) == ("volcano" in words), "how to get another network"
    assert sorted(tmp_path.iterdir()) == before, "nothing half-made is left"
