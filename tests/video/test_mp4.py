"""MP4 in pieces: an interrupted video becomes the same as an uninterrupted one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamer.video.files import mp4
from streamer.video.files.file_format import FilmSound
from streamer.video.files.movie import MovieWriter
from tests.video.test_movie import frames
from tests.video.test_soundtrack import film as clicking

SIZE = (36, 64)
IMAGES = frames(11, SIZE)
TIMES = [0.0, 0.04, 0.2, 0.24, 0.5, 0.54, 1.2, 1.24, 1.28, 2.0, 2.04]


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mp4, "PIECE_FRAMES", (1, 4))
    monkeypatch.setitem(mp4.X264, "x264-params", "no-mbtree=1")  # makes x264 deterministic


def writer(path: Path, work_folder: Path, sound: Path | None) -> MovieWriter:
    return MovieWriter(path, SIZE, 25, None if sound is None else FilmSound(sound), work_folder=work_folder)


def write(movie: MovieWriter, numbers: range, times: list[float] | None) -> None:
    for number in numbers:
        movie.write(IMAGES[number], None if times is None else times[number])


def pictures(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        return [(round(float(frame.time), 4), frame.to_ndarray().tobytes()) for frame in container.decode(video=0)]


def saved(movie: MovieWriter) -> dict[str, Any]:
    return dict(json.loads(json.dumps(movie.state())))


@pytest.mark.parametrize("times", [None, TIMES], ids=["even", "uneven"])
@pytest.mark.parametrize("done", [1, 3, 4, 5, 8, 10])
@pytest.mark.parametrize("more", [0, 1, 5])
def test_whenever_it_is_killed_it_becomes_the_same(times: list[float] | None, done: int, more: int, tmp_path: Path) -> None:
    sound = None if times is None else clicking(tmp_path / "in.mp4", "aac", seconds=2.4)
    with writer(tmp_path / "whole.mp4", tmp_path / "room", sound) as movie:
        write(movie, range(len(IMAGES)), times)
    movie = writer(tmp_path / "a.mp4", tmp_path / "killed", sound)
    write(movie, range(done), times)
    state = saved(movie)
    write(movie, range(done, min(len(IMAGES), done + more)), times)  # lost
    shutil.copytree(tmp_path / "killed", tmp_path / "left")
    movie.abort()
    with writer(tmp_path / "a.mp4", tmp_path / "left", sound) as movie:
        movie.restore(state)
        assert movie.frames == done
        write(movie, range(done, len(IMAGES)), times)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    if times is not None:
        assert [time for time, _ in pictures(tmp_path / "a.mp4")] == pytest.approx(times, abs=0.001)


def test_an_unfinished_film_can_be_watched_and_continued(tmp_path: Path) -> None:
    movie = writer(tmp_path / "a.mp4", tmp_path / "room", None)
    write(movie, range(6), None)
    state = saved(movie)
    so_far = movie.stop_here()
    assert so_far == tmp_path / "room" / "so_far.mp4"
    assert len(pictures(so_far)) == 6
    with writer(tmp_path / "a.mp4", tmp_path / "room", None) as movie:
        movie.restore(state)
        write(movie, range(6, len(IMAGES)), None)
    with writer(tmp_path / "whole.mp4", tmp_path / "other", None) as movie:
        write(movie, range(len(IMAGES)), None)
    assert pictures(tmp_path / "a.mp4") == pictures(tmp_path / "whole.mp4")


def test_missing_pieces_are_reported(tmp_path: Path) -> None:
    movie = writer(tmp_path / "a.mp4", tmp_path / "room", None)
    write(movie, range(10), None)
    state = saved(movie)
    movie.abort()
    (tmp_path / "room" / "000000_0.mp4").unlink()
    movie = writer(tmp_path / "a.mp4", tmp_path / "room", None)
    with pytest.raises(OSError, match="pieces of the video are missing"):
        movie.restore(state)
    movie.abort()


def test_a_piece_is_as_long_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert mp4.piece_frames((360, 640)) == 250
    assert mp4.piece_frames((1080, 1920)) == 82
    assert mp4.piece_frames((4320, 7680)) == 12


@pytest.mark.parametrize("name", ["a.gif", "frames", "a.png"])
def test_other_kinds_go_on_too(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.video.files.gif.MAX_FRAMES", 4)
    with writer(tmp_path / f"whole_{name}", tmp_path / "room", None) as movie:
        write(movie, range(len(IMAGES)), None)
    movie = writer(tmp_path / name, tmp_path / "killed", None)
    write(movie, range(6), None)
    state = saved(movie)
    write(movie, range(6, 10), None)  # lost
    movie.abort()
    with writer(tmp_path / name, tmp_path / "killed", None) as movie:
        movie.restore(state)
        write(movie, range(6, len(IMAGES)), None)
    wanted, found = tmp_path / f"whole_{name}", tmp_path / name
    if found.is_dir():
        assert sorted(path.name for path in found.iterdir()) == sorted(path.name for path in wanted.iterdir())
        for path in found.iterdir():
            assert path.read_bytes() == (wanted / path.name).read_bytes()
    else:
        assert found.read_bytes() == wanted.read_bytes()


def test_modern_pictures_come_out(tmp_path: Path) -> None:
    from PIL import Image

    for name, form in (("a.webp", "WEBP"), ("a.avif", "AVIF")):
        with MovieWriter(tmp_path / name, SIZE, 25) as movie:
            write(movie, range(2), None)
        with Image.open(tmp_path / name) as image:
            assert (image.format, image.size) == (form, SIZE[::-1])
            assert np.abs(np.asarray(image.convert("RGB")).astype(float) - IMAGES[1]).mean() < 6
