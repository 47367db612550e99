from __future__ import annotations

import http.server
import re
import socket
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.config import SourceConfig
from streamer.dream.sources import capture, readers
from streamer.dream.sources.capture import Capture
from streamer.dream.sources.picture import SourceError
from streamer.messages.keyframes import SourcePicture
from tests.cameras import FakeCamera
from tests.fakes import HandClock
from tests.films import write_film
from tests.media.patches import BT2020, PQ, patches, pq
from tests.media.patches import write as write_patches
from tests.patience import PATIENCE_S
from tests.shapes import EXIF, MATRIX, disc, extent, fields, joined, note_in_header, quad, write, write_tracks

CAMERA = SourceConfig(kind="camera", device=3)


class Seen:
    """Records pictures in order of arrival."""

    def __init__(self) -> None:
        self.pictures: list[SourcePicture] = []
        self._changed = threading.Condition()

    def __call__(self, picture: SourcePicture) -> None:
        with self._changed:
            self.pictures.append(picture)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[int]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.pictures) >= count, PATIENCE_S), f"only {len(self.pictures)}"
        return [int(picture.image[24, 32, 0]) for picture in self.pictures]


def until(true: Callable[[], bool]) -> None:
    ticks = threading.Event()
    for _ in range(int(PATIENCE_S / 0.01)):
        if true():
            return
        ticks.wait(0.01)
    raise AssertionError("it never came to that")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "BACKOFF_S", 0.01)
    monkeypatch.setattr(capture, "BACKOFF_MOST_S", 0.02)


@pytest.mark.logs("retrying. The dream continues", "reading the source failed")
def test_a_camera_pulled_out_leaves_its_last_picture_and_comes_back() -> None:
    camera, seen = FakeCamera(), Seen()
    reading = Capture(CAMERA, (48, 64), 25, seen, open_source=camera.open)
    assert reading.status().state == "connecting"
    reading.start()
    camera.show(50)
    seen.wait_for(1)
    assert reading.status().state == "live"
    camera.pull_out()
    until(lambda: reading.status().state == "lost")
    until(lambda: "there is no camera" in reading.status().reason)
    assert camera.closed == 1
    last = reading.newest()
    assert last is not None
    assert (last.image == 50).all()
    camera.plugged = True
    camera.show(90)
    assert seen.wait_for(2) == [50, 90]
    status = reading.status()
    assert (status.state, status.reason, status.losses, status.size) == ("live", "", 1, (48, 64))
    assert seen.pictures[1].number > seen.pictures[0].number
    camera.pull_out()
    assert reading.stop(PATIENCE_S)


@pytest.mark.logs("retrying. The dream continues", "reading the source failed")
def test_a_camera_that_is_not_there_at_first_is_waited_for() -> None:
    camera, seen = FakeCamera(), Seen()
    camera.plugged = False
    reading = Capture(CAMERA, (48, 64), 25, seen, open_source=camera.open)
    reading.start()
    until(lambda: reading.status().state == "lost")
    assert reading.newest() is None
    camera.plugged = True
    camera.show(50)
    seen.wait_for(1)
    camera.pull_out()
    assert reading.stop(PATIENCE_S)


@pytest.mark.logs("retrying. The dream continues", "reading the source failed")
def test_a_driver_that_raises_anything_is_tried_again() -> None:
    camera, seen = FakeCamera(), Seen()
    camera.pictures.put(RuntimeError("out of luck"))
    camera.show(50)
    reading = Capture(CAMERA, (48, 64), 25, seen, open_source=camera.open)
    reading.start()
    seen.wait_for(1)
    camera.pull_out()
    assert reading.stop(PATIENCE_S)
    assert camera.opened == 2


def test_a_camera_that_says_nothing_counts_as_lost() -> None:
    camera, seen, clock = FakeCamera(), Seen(), HandClock()
    reading = Capture(CAMERA, (48, 64), 25, seen, open_source=camera.open, clock=clock)
    reading.start()
    camera.show(50)
    seen.wait_for(1)
    clock.advance(5.0)
    assert reading.status().state == "lost"
    assert "no picture for 5 s" in reading.status().reason
    camera.show(60)
    seen.wait_for(2)
    assert reading.status().state == "live"
    reading._stopping.set()
    camera.show(70)
    assert reading.stop(PATIENCE_S)


def test_the_rate_is_that_of_the_pictures() -> None:
    camera, seen, clock = FakeCamera(), Seen(), HandClock()
    reading = Capture(CAMERA, (48, 64), 25, seen, open_source=camera.open, clock=clock)
    reading.start()
    for number in range(5):
        camera.show(number)
        seen.wait_for(number + 1)
        clock.advance(0.05)
    assert reading.status().fps == pytest.approx(20)
    reading._stopping.set()
    camera.show(70)
    assert reading.stop(PATIENCE_S)


def test_a_mirror_swaps_left_and_right() -> None:
    camera, seen = FakeCamera(), Seen()
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :8] = 200
    camera.pictures.put(image)
    mirrored = CAMERA.model_copy(update={"mirror": True})
    reading = Capture(mirrored, (48, 64), 25, seen, open_source=camera.open)
    reading.start()
    seen.wait_for(1)
    assert (seen.pictures[0].image[:, -8:] == 200).all()
    assert (seen.pictures[0].image[:, :8] == 0).all()
    reading._stopping.set()
    camera.show(70)
    assert reading.stop(PATIENCE_S)


def test_a_film_plays_at_its_own_pace_and_loops(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", times_s=[0.0, 0.05, 0.8, 0.85])
    seen = Seen()
    reading = Capture(SourceConfig(kind="video", path=str(film)), (48, 64), 25, seen)
    assert reading.newest() is not None, "the first is there at once"
    reading.start()
    shown: list[tuple[int, float]] = []

    def enough() -> bool:
        """Return whether the film restarted after its long picture; a busy machine skips some pictures."""
        shown[:] = [(round(int(picture.image[24, 32, 0]) / 40), picture.time_s) for picture in list(seen.pictures)]
        numbers = [number for number, _ in shown]
        return len(numbers) >= 6 and (2, 3) in pairwise(numbers) and any(after < before for before, after in pairwise(numbers))

    until(enough)
    assert reading.stop(PATIENCE_S)
    shades = seen.wait_for(6)
    assert all(abs(shade - 40 * round(shade / 40)) <= 5 and 35 <= shade <= 165 for shade in shades)
    for (before, before_s), (after, after_s) in pairwise(shown):
        assert (before, after) != (2, 3) or after_s - before_s > 0.15, "the long picture is shown for long"
    assert reading.status().losses == 0


def test_a_film_that_is_not_to_loop_ends_on_its_last_picture(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", times_s=[0.0, 0.01, 0.02, 0.03])
    reading = Capture(SourceConfig(kind="video", path=str(film), loop=False), (48, 64), 25)
    reading.start()
    until(lambda: reading.status().state == "ended")
    last = reading.newest()
    assert last is not None
    assert last.image[24, 32, 0] == pytest.approx(160, abs=5)
    assert reading.stop(PATIENCE_S)


def test_a_film_ends_on_its_last_picture_though_all_of_it_is_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "LATE_S", -PATIENCE_S)
    film, seen = write_film(tmp_path / "a.mp4", times_s=[0.0, 0.01, 0.02, 0.03]), Seen()
    reading = Capture(SourceConfig(kind="video", path=str(film), loop=False), (48, 64), 25, seen)
    reading.start()
    until(lambda: reading.status().state == "ended")
    assert seen.wait_for(1)[-1] == pytest.approx(160, abs=5)
    assert len(seen.pictures) < 4, "others were passed over"
    assert reading.stop(PATIENCE_S)


@pytest.mark.logs("retrying. The dream continues", "reading the source failed")
def test_a_film_that_is_deleted_while_it_plays_is_waited_for(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", times_s=[0.0, 0.01, 0.02, 0.03])
    data = film.read_bytes()
    reading = Capture(SourceConfig(kind="video", path=str(film)), (48, 64), 25)
    film.unlink()
    reading.start()
    until(lambda: "there is no film" in reading.status().reason)
    film.write_bytes(data)
    until(lambda: reading.status().state == "live")
    assert reading.stop(PATIENCE_S)


def test_a_film_that_cannot_be_read_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"not a film")
    with pytest.raises(SourceError, match=r"a\.mp4' cannot be read"):
        Capture(SourceConfig(kind="video", path=str(tmp_path / "a.mp4")), (48, 64), 25)


def test_a_film_of_one_picture_is_no_race(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", shades=[90], times_s=[0.0], lasts_s=0.4)
    seen = Seen()
    reading = Capture(SourceConfig(kind="video", path=str(film)), (48, 64), 25, seen)
    reading.start()
    seen.wait_for(4)
    assert reading.stop(PATIENCE_S)
    times = [picture.time_s for picture in seen.pictures]
    assert times[3] - times[1] > 2 / 25 * 0.9


def test_the_last_picture_is_shown_as_long_as_it_lasts(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", shades=[40, 80], times_s=[0.0, 0.1], lasts_s=1.0)
    seen = Seen()
    reading = Capture(SourceConfig(kind="video", path=str(film)), (48, 64), 25, seen)
    reading.start()
    seen.wait_for(3)
    assert reading.stop(PATIENCE_S)
    assert seen.pictures[2].time_s - seen.pictures[1].time_s > 0.25


def test_a_film_of_long_pictures_is_not_lost(tmp_path: Path) -> None:
    clock = HandClock()
    film = write_film(tmp_path / "a.mp4", times_s=[0.0, 20.0, 40.0, 60.0])
    reading = Capture(SourceConfig(kind="video", path=str(film)), (48, 64), 25, clock=clock)
    clock.advance(15.0)
    assert reading.status().state == "live"
    assert reading.stop(PATIENCE_S)


def write_motion_jpeg(path: Path, shade: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuvj420p"
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.logs("retrying. The dream continues")
def test_opencv_reopens_a_device_that_vanished(tmp_path: Path) -> None:
    """OpenCV reads a file like a device: its end is like an unplugged cable, a missing file like a missing camera."""
    device, seen = tmp_path / "video0.avi", Seen()
    write_motion_jpeg(device, 50)
    reading = Capture(CAMERA.model_copy(update={"device": str(device)}), (48, 64), 25, seen)
    reading.start()
    seen.wait_for(1)
    device.unlink()
    until(lambda: "there is no camera" in reading.status().reason)
    count = len(seen.pictures)
    write_motion_jpeg(tmp_path / "new.avi", 90)
    (tmp_path / "new.avi").rename(device)
    assert seen.wait_for(count + 1)[count] == pytest.approx(90, abs=4)
    assert reading.stop(PATIENCE_S)
    assert reading.status().losses >= 1


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


class Station:
    """A film server that can be stopped and restarted at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0
        self.start()

    def start(self) -> None:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), partial(Files, directory=str(self.folder)))
        server.daemon_threads = True
        self.port = server.server_port
        self.serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        self.serving.start()
        self.server = server

    def stop(self) -> None:
        self.server.shutdown()
        self.serving.join()
        self.server.server_close()


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    station = Station(tmp_path)
    yield station
    station.stop()


@pytest.mark.logs("retrying. The dream continues")
def test_a_film_on_a_server_plays_at_its_own_pace_and_comes_back_with_the_server(
    tmp_path: Path, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "LATE_S", PATIENCE_S)  # skip no picture, even on a busy machine
    write_film(tmp_path / "a.mp4", times_s=[0.0, 0.05, 0.8, 0.85])
    seen = Seen()
    film = SourceConfig(kind="video", path=f"http://127.0.0.1:{station.port}/a.mp4?key=abc")
    reading = Capture(film, (48, 64), 25, seen)
    reading.start()
    assert seen.wait_for(6)[:6] == pytest.approx([40, 80, 120, 160, 40, 80], abs=5)
    assert seen.pictures[2].time_s - seen.pictures[1].time_s > 0.15, "the long picture is shown for long"
    station.stop()
    until(lambda: reading.status().state == "lost")
    assert "abc" not in reading.status().reason + reading.status().name
    assert reading.newest() is not None
    count = len(seen.pictures)
    station.start()
    seen.wait_for(count + 1)
    until(lambda: reading.status().state == "live")
    assert reading.stop(PATIENCE_S)


@pytest.mark.logs("retrying. The dream continues")
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("none.mp4", "cannot be read: Server returned 404"),
        ("long.mp4", r"breaks off: .*; if it is an MP4, its server may deliver whole files only"),
        ("text.mp4", "it is not a film in a known format"),
    ],
)
def test_errors_of_a_film_on_a_server_are_shown_without_secrets(tmp_path: Path, station: Station, name: str, says: str) -> None:
    """Python's server does not support ranges, and by default the index of an MP4 is at its end."""
    (tmp_path / "text.mp4").write_text("not a film" * 1000)
    chance = np.random.default_rng(0)
    with av.open(str(tmp_path / "long.mp4"), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.height, stream.width, stream.pix_fmt = 240, 320, "yuvj420p"
        for _ in range(30):
            frame = av.VideoFrame.from_ndarray(chance.integers(0, 255, (240, 320, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    film = SourceConfig(kind="video", path=f"http://me:word@127.0.0.1:{station.port}/{name}?key=abc")
    reading = Capture(film, (48, 64), 25)
    reading.start()
    until(lambda: reading.status().state == "lost")
    assert re.search(says, reading.status().reason), reading.status().reason
    assert "word" not in reading.status().reason
    assert "abc" not in reading.status().reason
    assert reading.stop(PATIENCE_S)


@pytest.mark.logs("retrying. The dream continues")
def test_a_stream_that_says_nothing_is_given_up_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "OPEN_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        reading = Capture(SourceConfig(kind="video", path=address), (48, 64), 25)
        reading.start()
        until(lambda: "nothing came for a while" in reading.status().reason)
        assert reading.stop(PATIENCE_S)


@pytest.mark.parametrize("orientation", EXIF)
def test_all_eight_orientations_stand_upright(tmp_path: Path, orientation: int) -> None:
    film = note_in_header(write(tmp_path / "a.mp4", [quad()] * 3), MATRIX[orientation])
    size = (120, 160) if orientation < 5 else (160, 120)
    reading = Capture(SourceConfig(kind="video", path=str(film)), size, 25)
    first = reading.newest()
    assert first is not None
    assert fields(first.image) == EXIF[orientation]
    assert reading.status().size == size
    assert reading.stop(PATIENCE_S)


def test_a_mirror_is_held_before_the_upright_picture(tmp_path: Path) -> None:
    film = note_in_header(write(tmp_path / "a.mp4", [quad()] * 3), MATRIX[6])
    reading = Capture(SourceConfig(kind="video", path=str(film), mirror=True), (160, 120), 25)
    first = reading.newest()
    assert first is not None
    assert fields(first.image) == "RB/GY"
    assert reading.stop(PATIENCE_S)


@pytest.mark.parametrize(("fit", "found"), [("crop", (160, 160)), ("pad", (50, 50)), ("stretch", (160, 50))])
def test_another_shape_is_brought_to_the_size_as_the_settings_say(tmp_path: Path, fit: str, found: tuple[int, int]) -> None:
    film = write(tmp_path / "a.mp4", [disc((180, 320), 90)] * 2)
    reading = Capture(SourceConfig(kind="video", path=str(film), fit=fit), (320, 180), 25)
    first = reading.newest()
    assert first is not None
    assert first.image.shape == (320, 180, 3)
    assert extent(first.image) == pytest.approx(found, abs=2)
    assert reading.stop(PATIENCE_S)


def test_pixels_that_change_their_shape_midway_stay_square(tmp_path: Path) -> None:
    parts = [
        write(tmp_path / f"{number}.ts", [disc((90, 120), 60, pixel)] * 10, form="mpegts", pixel=Fraction(pixel))
        for number, pixel in enumerate((1, 2))
    ]
    seen = Seen()
    source = SourceConfig(kind="video", path=str(joined(tmp_path / "a.ts", parts)), fit="pad", loop=False)
    reading = Capture(source, (90, 240), 25, seen)
    reading.start()
    until(lambda: reading.status().state == "ended")
    assert reading.stop(PATIENCE_S)
    first, last = seen.pictures[0].image, seen.pictures[-1].image
    assert extent(first) == pytest.approx((60, 60), abs=2)
    assert extent(last) == pytest.approx((60, 60), abs=2)
    assert first[:, :50].max() == 0, "120 of 240 pixels are filled at first, between black bars"
    assert last[:, :50].min() > 8


def test_hdr_is_logged_once_however_often_the_film_restarts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tags = {"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": PQ}
    path = write_patches(tmp_path / "a.mkv", pq(patches() * 100), "yuv420p10le", BT2020, tags=tags)
    seen = Seen()
    with caplog.at_level("INFO"):
        reading = Capture(SourceConfig(kind="video", path=str(path)), (48, 64), 25, seen)
        reading.start()
        seen.wait_for(5)
        assert reading.stop(PATIENCE_S)
    assert sum("it is HDR (PQ)" in line for line in caplog.messages) == 1


def test_a_track_can_be_chosen(tmp_path: Path) -> None:
    film = write_tracks(tmp_path / "a.mkv", [((48, 64), 60), ((120, 160), 160)])
    for track, shade in ((None, 160), (1, 60), (2, 160)):
        reading = Capture(SourceConfig(kind="video", path=str(film), track=track), (48, 64), 25)
        first = reading.newest()
        assert first is not None
        assert int(first.image[24, 32, 0]) == pytest.approx(shade, abs=4)
        assert reading.stop(PATIENCE_S)
    with pytest.raises(SourceError, match=r"has no video track 3; it has 1 \(64x48\), 2 \(160x120\)"):
        Capture(SourceConfig(kind="video", path=str(film), track=3), (48, 64), 25)
