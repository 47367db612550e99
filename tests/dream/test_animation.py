"""Animations in files with a picture's suffix."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from streamer.__main__ import app
from streamer.config import SourceConfig
from streamer.dream.sources.animation import WebPReader, animated, open_film
from streamer.dream.sources.picture import SourceError
from streamer.dream.sources.readers import FilmReader, first_picture
from streamer.video.files.film_probe import probe_film

SHADES = (40, 90, 160)
LASTS_MS = (100, 400, 250)


def animation(path: Path, shades: tuple[int, ...] = SHADES) -> Path:
    pictures = [Image.new("RGB", (64, 48), (shade, shade, 20)) for shade in shades]
    options = {"lossless": True} if path.suffix == ".webp" else {}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=list(LASTS_MS[: len(shades)]), **options)
    return path


def test_an_animated_webp_is_a_film(tmp_path: Path) -> None:
    reader = open_film(str(animation(tmp_path / "a.webp")))
    assert isinstance(reader, WebPReader)
    found = [reader.read() for _ in SHADES]
    assert [round(float(image[..., 0].mean())) for image, _ in found] == list(SHADES)
    assert [time_s for _, time_s in found] == pytest.approx([0, 0.1, 0.5])
    assert reader.ends_s == pytest.approx(0.75)
    with pytest.raises(EOFError):
        reader.read()
    reader.close()
    facts = probe_film(tmp_path / "a.webp")
    assert (facts.pictures(), facts.seconds) == (3, pytest.approx(0.75))


def test_live_it_is_one_too(tmp_path: Path) -> None:
    source = SourceConfig(kind="video", path=str(animation(tmp_path / "a.webp")))
    assert first_picture(source)[..., 0].mean() == SHADES[0]


def test_transparency_becomes_grey(tmp_path: Path) -> None:
    pictures = [Image.new("RGBA", (8, 8), (255, 255, 255, alpha)) for alpha in (0, 255)]
    pictures[0].save(tmp_path / "a.webp", save_all=True, append_images=pictures[1:], lossless=True)
    reader = open_film(str(tmp_path / "a.webp"))
    assert [int(reader.read()[0][0, 0, 0]) for _ in pictures] == [128, 255]
    reader.close()


def test_other_formats_go_to_ffmpeg_and_broken_ones_are_reported(tmp_path: Path) -> None:
    reader = open_film(str(animation(tmp_path / "a.gif")))
    assert isinstance(reader, FilmReader)
    reader.close()
    data = animation(tmp_path / "a.webp").read_bytes()
    (tmp_path / "cut.webp").write_bytes(data[:60])
    with pytest.raises(SourceError, match=r"the film '.*cut\.webp' (cannot be read|breaks off)"):
        open_film(str(tmp_path / "cut.webp")).read()


def test_what_moves_is_counted(tmp_path: Path) -> None:
    assert [animated(animation(tmp_path / name)) for name in ("a.gif", "a.webp", "a.png")] == [3, 3, 3]
    assert animated(animation(tmp_path / "b.webp", (40,))) == 1
    (tmp_path / "c.gif").write_text("no picture")
    assert [animated(path) for path in (tmp_path / "c.gif", tmp_path / "none.gif", tmp_path / "a.jpg", None)] == [1] * 4


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_command_line_dreams_on_all_or_says_that_it_does_not(tmp_path: Path) -> None:
    fast = ["--set", "network.name=bundled", "--set", "device=cpu", "--set", "dream.views=[0.6]", "--class", "goldfish"]
    film = animation(tmp_path / "a.webp")
    words = [*fast, "--iterations", "1", "--seed", "1", "-o"]
    answer = CliRunner().invoke(app, ["render", "--video", str(film), *words, str(tmp_path / "out.mp4")])
    assert answer.exit_code == 0, answer.output
    with av.open(str(tmp_path / "out.mp4")) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
        assert times == pytest.approx([0, 0.1, 0.5], abs=0.001)
        video = container.streams.video[0]
        assert float(video.duration * video.time_base) == pytest.approx(0.75, abs=0.01)
    answer = CliRunner().invoke(app, ["render", str(film), *words, str(tmp_path / "out.webp")])
    assert answer.exit_code == 0, answer.output
    assert f"'{film}' is an animation of 3 pictures, of which only the first is used; render film uses all" in answer.stderr
    with Image.open(tmp_path / "out.webp") as image:
        assert (image.format, np.asarray(image).shape) == ("WEBP", (48, 64, 3))
