from __future__ import annotations

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from streamer.config import SourceConfig
from streamer.dream.sources import readers
from streamer.dream.sources.picture import SourceError
from streamer.dream.sources.readers import FilmReader, VideoReader, first_picture, open_reader, shown_name
from tests.films import write_film
from tests.media.patches import BT2020, PQ, patches, pq, write
from tests.soundtracks import unseen


def read_all(reader: VideoReader) -> list[tuple[np.ndarray, float]]:
    found = []
    try:
        while True:
            found.append(reader.read())
    except EOFError:
        return found
    finally:
        reader.close()


def read_first(path: Path) -> np.ndarray:
    with closing(FilmReader(str(path))) as reader:
        image, _ = reader.read()
    return image


def test_pictures_come_in_order_with_their_times(tmp_path: Path) -> None:
    found = read_all(FilmReader(str(write_film(tmp_path / "a.mp4"))))
    assert [time_s for _, time_s in found] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert [int(image[40, 50].mean()) for image, _ in found] == pytest.approx([40, 80, 120, 160], abs=4)
    assert found[0][0].shape == (48, 64, 3)
    assert found[0][0].dtype == np.uint8


def test_a_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    times_s = [0.0, 0.04, 0.5, 0.51]
    found = read_all(FilmReader(str(write_film(tmp_path / "a.mp4", times_s=times_s))))
    assert [time_s for _, time_s in found] == pytest.approx(times_s, abs=0.001)


def test_a_film_that_begins_late_begins_at_0(tmp_path: Path) -> None:
    found = read_all(FilmReader(str(write_film(tmp_path / "a.mkv", times_s=[5.0, 5.1, 5.2, 5.3]))))
    assert [time_s for _, time_s in found] == pytest.approx([0.0, 0.1, 0.2, 0.3], abs=0.002)


@pytest.mark.parametrize(("rotation", "corner"), [(0, (0, 0)), (90, (1, 0)), (180, (1, 1)), (270, (0, 1))])
def test_the_rotation_noted_in_the_file_is_applied(tmp_path: Path, rotation: int, corner: tuple[int, int]) -> None:
    image = read_first(write_film(tmp_path / "a.mp4", rotation=rotation))
    assert image.shape == ((48, 64, 3) if rotation % 180 == 0 else (64, 48, 3))
    bright = {(y, x): float(image[-y, -x].mean()) for y in (0, 1) for x in (0, 1)}
    assert max(bright, key=bright.__getitem__) == corner, "turned counter-clockwise"


def test_odd_sizes_will_do(tmp_path: Path) -> None:
    image = read_first(write_film(tmp_path / "a.mkv", size=(35, 51)))
    assert image.shape == (35, 51, 3)


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    image = read_first(write_film(tmp_path / "a.mp4", shape=Fraction(4, 3)))
    assert image.shape == (48, 85, 3)


def write_garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


def write_torso(path: Path) -> None:
    write_film(path)
    path.write_bytes(path.read_bytes()[:400])


def write_no_pictures(path: Path) -> None:
    write_film(path, shades=(), times_s=())


def write_sound(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_unseen(path: Path) -> None:
    unseen(write_film(path))


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path: None, "there is no film"),
        (Path.mkdir, "is a folder"),
        (Path.touch, "is empty"),
        (write_garbage, "cannot be read"),
        (write_torso, "cannot be read"),
        (write_no_pictures, "holds no pictures|cannot be read"),
        (write_sound, "holds no pictures"),
        (write_unseen, "holds pictures in a format that cannot be decoded: xyz1$"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, write, says: str) -> None:
    path = tmp_path / "film.mp4"
    write(path)
    with pytest.raises(SourceError, match=says) as caught:
        read_first(path)
    assert str(path) in str(caught.value)


def test_a_film_cut_off_plays_to_where_it_was_cut(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mkv", shades=tuple(range(0, 250, 5)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert 10 < len(read_all(FilmReader(str(path)))) < 50


def test_a_picture_file_is_a_film_of_one_picture(tmp_path: Path) -> None:
    Image.fromarray(np.full((10, 20, 3), 90, np.uint8)).save(tmp_path / "a.png")
    (found,) = read_all(FilmReader(str(tmp_path / "a.png")))
    assert (found[0] == 90).all()


def test_a_camera_that_is_not_there_is_named() -> None:
    with pytest.raises(SourceError, match="there is no camera 93"):
        open_reader(SourceConfig(kind="camera", device=93), (48, 64), 10)


def test_a_camera_gives_pictures_in_rgb(tmp_path: Path) -> None:
    """The camera is a file, since OpenCV reads both alike."""
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuvj420p"
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), (200, 40, 40), np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    reader = open_reader(SourceConfig(kind="camera", device=str(path)), (48, 64), 10)
    image, _ = reader.read()
    assert image[24, 32] == pytest.approx((200, 40, 40), abs=8)
    with pytest.raises(SourceError, match="still plugged in"):
        reader.read()
    reader.close()


def test_titles_in_another_encoding_do_no_harm(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), (90, 20, 20)).save(tmp_path / "a.gif", comment=b"\xa9 1998, caf\xe9")
    assert read_first(tmp_path / "a.gif").shape == (48, 64, 3)


def test_a_film_that_grows_beyond_all_bounds_breaks_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [write_film(tmp_path / f"{number}.ts", size=size) for number, size in enumerate([(48, 64), (96, 128)])]
    (tmp_path / "a.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    monkeypatch.setattr(readers, "MAX_PIXELS", 48 * 64)
    with pytest.raises(SourceError, match="breaks off: its pictures are larger"):
        read_all(FilmReader(str(tmp_path / "a.ts")))


def test_a_first_picture_says_what_was_done_with_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tags = {"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": PQ}
    path = write(tmp_path / "a.mkv", pq(patches() * 100), "yuv420p10le", BT2020, tags=tags)
    with caplog.at_level("INFO"):
        first_picture(SourceConfig(kind="video", path=str(path), ride=False))
    (line,) = caplog.messages
    assert "it is HDR (PQ), tone-mapped to SDR" in line


def test_secrets_in_a_url_are_not_shown() -> None:
    assert shown_name("rtsp://me:word@cam.local:554/live?key=abc") == "rtsp://cam.local:554/live"
    assert shown_name("films/a@b?.mp4") == "films/a@b?.mp4"
