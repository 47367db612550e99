from __future__ import annotations

import os
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageSequence

from streamer.video.files import gif
from streamer.video.files.movie import MovieError, MovieWriter
from tests.disks import full_disk
from tests.video.test_colour_interpolator import photo

SIZE = (54, 96)


def frames(count: int, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    scene = photo(size[0] + 40, size[1] + 40)
    return [np.ascontiguousarray(scene[n : n + size[0], n : n + size[1]]) for n in range(count)]


def write(path: Path, images: list[np.ndarray], fps: float = 25) -> None:
    with MovieWriter(path, images[0].shape[:2], fps) as movie:
        for image in images:
            movie.write(image)


def interrupted(path: Path) -> None:
    with MovieWriter(path, SIZE, 25) as movie:
        movie.write(frames(1)[0])
        raise KeyboardInterrupt


def leftovers(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if ".part" in name)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


def test_mp4_opens_elsewhere_and_shows_the_frames(tmp_path: Path) -> None:
    path, images = tmp_path / "out.mp4", frames(12)
    write(path, images)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == 25
        decoded = list(container.decode(video=0))
    assert len(decoded) == 12
    assert (decoded[0].colorspace, decoded[0].color_range) == (1, 1)
    for shown, image in zip(decoded, images, strict=True):
        assert difference(shown.to_ndarray(format="rgb24"), image) < 5
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")
def test_ffprobe_finds_nothing_wrong_with_the_mp4(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", frames(8), fps=30)
    command = [
        "ffprobe",
        "-v",
        "error",
        "-count_frames",
        "-show_entries",
        "stream=nb_read_frames,r_frame_rate",
        "-of",
        "csv=p=0",
    ]
    probe = subprocess.run([*command, str(tmp_path / "out.mp4")], capture_output=True, text=True, check=True)
    assert probe.stderr == ""
    assert probe.stdout.strip() == "30/1,8"


@pytest.mark.parametrize("size", [(55, 97), (54, 97), (1, 1)])
def test_odd_sides_grow_by_one_in_mp4(tmp_path: Path, size: tuple[int, int]) -> None:
    write(tmp_path / "odd.mp4", frames(3, size))
    with av.open(str(tmp_path / "odd.mp4")) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert shown.shape[:2] == (size[0] + size[0] % 2, size[1] + size[1] % 2)


def test_gif_opens_elsewhere_loops_and_keeps_its_pace(tmp_path: Path) -> None:
    path, images = tmp_path / "out.gif", frames(25)
    write(path, images, fps=25)
    with Image.open(path) as picture:
        assert picture.format == "GIF"
        assert picture.size == (96, 54)
        assert picture.info["loop"] == 0
        shown, durations = [], []
        for n in range(picture.n_frames):  # type: ignore[attr-defined]
            picture.seek(n)
            durations.append(picture.info["duration"])
            shown.append(np.asarray(picture.convert("RGB")))
    assert len(shown) == 13
    assert set(durations) == {80}
    for n, image in enumerate(shown):
        assert difference(image, images[2 * n]) < 10
    assert leftovers(tmp_path) == []


def test_gif_is_bounded_in_width_and_number_of_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gif, "MAX_WIDTH", 48)
    monkeypatch.setattr(gif, "MAX_FRAMES", 6)
    write(tmp_path / "long.gif", frames(40), fps=10)
    with Image.open(tmp_path / "long.gif") as picture:
        assert picture.size == (48, 27)
        assert picture.n_frames <= 6  # type: ignore[attr-defined]
        total = 0
        for n in range(picture.n_frames):  # type: ignore[attr-defined]
            picture.seek(n)
            total += picture.info["duration"]
    assert total == pytest.approx(4000, abs=900)


def test_gif_has_the_frames_own_times(tmp_path: Path) -> None:
    times_s = [0.0, 0.04, *(4 + number / 25 for number in range(24))]
    with MovieWriter(tmp_path / "a.gif", (36, 64), 25) as movie:
        for number, time_s in enumerate(times_s):
            movie.write(np.full((36, 64, 3), 8 * number, np.uint8), time_s)
        movie.ends(4.96)
    with Image.open(tmp_path / "a.gif") as gif:
        shown = [
            (frame.info["duration"], round(np.asarray(frame.convert("RGB")).mean() / 8))
            for frame in ImageSequence.Iterator(gif)
        ]
    assert sum(duration for duration, _ in shown) == pytest.approx(4960, abs=10)
    assert shown[0] == (80, 0)
    assert shown[1] == (3920, 1), "a frame left out at first is seen where it stands"
    assert {duration for duration, _ in shown[2:-1]} == {80}


def test_gif_of_one_frame(tmp_path: Path) -> None:
    write(tmp_path / "one.gif", frames(1))
    with Image.open(tmp_path / "one.gif") as picture:
        assert picture.size == (96, 54)


def test_png_is_the_last_frame_exactly(tmp_path: Path) -> None:
    images = frames(3, (55, 97))
    write(tmp_path / "last.PNG", images)
    with Image.open(tmp_path / "last.PNG") as picture:
        assert (np.asarray(picture) == images[-1]).all()


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_gets_every_frame_and_loses_those_of_before(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "pictures"
    if exists:
        folder.mkdir()
        (folder / "frame_000009.png").write_bytes(b"old")
        (folder / "notes.txt").write_text("mine")
    images = frames(4)
    write(folder, images)
    names = sorted(os.listdir(folder))
    assert names == [f"frame_{n:06}.png" for n in range(1, 5)] + ["notes.txt"] * exists
    for n, image in enumerate(images, start=1):
        assert (cv2.imread(str(folder / f"frame_{n:06}.png"), cv2.IMREAD_COLOR_RGB) == image).all()
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("name", ["out.mp4", "out.gif", "out.png", "folder"])
class TestFailures:
    """Failures that every format handles alike."""

    def test_a_failed_block_leaves_nothing_and_what_was_there_stays(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        if "." in name:
            path.write_bytes(b"before")
        with pytest.raises(KeyboardInterrupt):
            interrupted(path)
        assert os.listdir(tmp_path) == ([name] if "." in name else [])
        if "." in name:
            assert path.read_bytes() == b"before"

    def test_no_frame_is_an_error(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(MovieError, match="there was no frame"):
            MovieWriter(tmp_path / name, SIZE, 25).close()
        assert os.listdir(tmp_path) == []

    def test_a_frame_of_another_size_is_refused(self, tmp_path: Path, name: str) -> None:
        movie = MovieWriter(tmp_path / name, SIZE, 25)
        with pytest.raises(ValueError, match=r"frame is \(10, 10, 3\) uint8; must be \(54, 96, 3\) uint8"):
            movie.write(np.zeros((10, 10, 3), np.uint8))
        movie.abort()
        movie.abort()
        assert os.listdir(tmp_path) == []

    def test_missing_folders_above_are_made(self, tmp_path: Path, name: str) -> None:
        write(tmp_path / "a" / "b" / name, frames(2))
        assert os.listdir(tmp_path / "a" / "b") == [name]

    def test_a_path_below_a_file_is_a_wrong_call(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(MovieError, match="cannot write") as caught:
            MovieWriter(tmp_path / "file" / name, SIZE, 25)
        assert caught.value.wrong_call


def test_an_unknown_suffix_names_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(MovieError, match=r"cannot write '\.avi'; use \.mp4, \.gif, \.png") as caught:
        MovieWriter(tmp_path / "out.avi", SIZE, 25)
    assert caught.value.wrong_call
    (tmp_path / "there").write_bytes(b"")
    with pytest.raises(MovieError, match="is not a folder") as caught:
        MovieWriter(tmp_path / "there", SIZE, 25)
    assert caught.value.wrong_call


def test_a_full_disk_is_reported_in_one_line_and_cleaned_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    movie = MovieWriter(tmp_path / "pictures", SIZE, 25)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(MovieError, match="No space left on device") as caught:
        movie.write(frames(1)[0])
    assert not caught.value.wrong_call
    assert os.listdir(tmp_path) == []


KINDS = ["out.mp4", "out.gif", "out.png", "out.jpg", "folder"]


@pytest.mark.parametrize("name", KINDS)
def test_a_disk_without_room_is_found_out_before_the_first_frame(name: str, tmp_path: Path) -> None:
    with full_disk(), pytest.raises(MovieError, match=r"^cannot write '.*': File too large$") as caught:
        MovieWriter(tmp_path / name, SIZE, 25)
    assert not caught.value.wrong_call
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [
        ("out.mp4", (64, 16386), "16386x64 is too large for H.264, whose sides are at most 16384 pixels"),
        ("out.mp4", (16385, 64), "64x16385 is too large for H.264, whose sides are at most 16384 pixels"),
        ("out.jpg", (8, 65501), "65501x8 is too large for .jpg"),
        ("out.png", (8, 1_000_001), "1000001x8 is too large for .png"),
        ("folder", (8, 1_000_001), "1000001x8 is too large for .png"),
        ("out.gif", (70_000, 8), "Invalid argument"),
    ],
)
def test_a_size_that_a_kind_cannot_hold_is_found_out_before_the_first_frame(
    name: str, size: tuple[int, int], says: str, tmp_path: Path
) -> None:
    with pytest.raises(MovieError) as caught:
        MovieWriter(tmp_path / name, size, 25)
    assert str(caught.value) == f"cannot write '{tmp_path / name}': {says}"
    assert os.listdir(tmp_path) == []


def test_the_largest_size_that_h264_holds_is_written(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", [np.zeros((32, 16384, 3), np.uint8)])
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].width == 16384


class WithoutX264:
    """A container that behaves as in an FFmpeg built without x264."""

    def __init__(self, container: av.container.OutputContainer) -> None:
        self.close = container.close

    def add_stream(self, name: str, **_: object) -> None:
        raise av.codec.codec.UnknownCodecError(name)


def test_a_codec_that_this_ffmpeg_lacks_is_found_out_before_the_first_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = av.open
    monkeypatch.setattr(av, "open", lambda *words, **more: WithoutX264(opened(*words, **more)))
    with pytest.raises(MovieError, match=r"^cannot write '.*': libx264$"):
        MovieWriter(tmp_path / "out.mp4", SIZE, 25)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["12:30.mp4", "12:30.gif", "12:30.png", "rtmp:film.mp4"])
def test_a_colon_in_the_name_is_no_protocol(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path(name), frames(2))
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("ending", [".mp4", ".gif", ".png", ""])
def test_names_are_as_long_as_the_disk_takes_them(ending: str, tmp_path: Path) -> None:
    longest = os.pathconf(tmp_path, "PC_NAME_MAX") - len(ending)
    write(tmp_path / f"{'n' * longest}{ending}", frames(2))
    with pytest.raises(MovieError, match=r": File name too long$") as caught:
        MovieWriter(tmp_path / f"{'n' * (longest + 1)}{ending}", SIZE, 25)
    assert caught.value.wrong_call
    assert len(os.listdir(tmp_path)) == 1


def test_frames_for_a_folder_that_is_there_are_kept_in_it(tmp_path: Path) -> None:
    """The folder may be on a disk of its own, or the folder above may be read-only."""
    (tmp_path / "disk").mkdir()
    with MovieWriter(tmp_path / "disk", SIZE, 25) as movie:
        movie.write(frames(1)[0])
        assert os.listdir(tmp_path) == ["disk"]
        assert len(leftovers(tmp_path / "disk")) == 1
    assert os.listdir(tmp_path / "disk") == ["frame_000001.png"]


def test_uneven_rates_are_kept(tmp_path: Path) -> None:
    write(tmp_path / "out.mp4", frames(6), fps=29.97)
    with av.open(str(tmp_path / "out.mp4")) as container:
        rate = container.streams.video[0].average_rate
    assert rate is not None
    assert abs(rate - Fraction(2997, 100)) < Fraction(1, 100)


@pytest.mark.skipif(os.name == "nt", reason="names that Windows does not have")
@pytest.mark.parametrize("ending", [".mp4", ".gif"])
@pytest.mark.parametrize(
    "name", ["12:30", "-a", "a%03d", "a#1", "pipe:1", "concat:a|b", "http:a", "a\nb", os.fsdecode(b"\xff:")]
)
def test_a_video_goes_to_the_file_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, ending: str) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path(f"{name}{ending}"), frames(3), 10)
    assert os.listdir() == [f"{name}{ending}"]
    with open(f"{name}{ending}", "rb") as file, av.open(file) as container:
        assert len(list(container.decode(video=0))) == 3
