from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamer.config import SourceConfig
from streamer.dream import capture
from streamer.dream.capture import Capture, fitted
from streamer.dream.sources import SourceError
from streamer.messages import SourcePicture
from tests.fakes import HandClock
from tests.films import write_film

WAIT_S = 20.0
CAMERA = SourceConfig(kind="camera", device=3)


class FakeCamera:
    """A camera whose pictures a test hands out, and that can be pulled out and put back, as a V4L2 device on USB is."""

    live = True

    def __init__(self) -> None:
        self.pictures: queue.Queue[np.ndarray | Exception] = queue.Queue()
        self.plugged = True
        self.opened = self.closed = 0

    def open(self, source: SourceConfig, size: tuple[int, int], fps: float) -> FakeCamera:
        if not self.plugged:
            raise SourceError(f"there is no camera {source.device!r}, or another program has it")
        self.opened += 1
        return self

    def show(self, shade: int, size: tuple[int, int] = (48, 64)) -> None:
        self.pictures.put(np.full((*size, 3), shade, np.uint8))

    def pull_out(self) -> None:
        self.plugged = False
        self.pictures.put(SourceError("the camera 3 gives no more pictures; is it still plugged in?"))

    def read(self) -> tuple[np.ndarray, float]:
        got = self.pictures.get(timeout=WAIT_S)
        if isinstance(got, Exception):
            raise got
        return got, 0.0

    def close(self) -> None:
        self.closed += 1


class Seen:
    """Takes pictures as they come."""

    def __init__(self) -> None:
        self.pictures: list[SourcePicture] = []
        self._changed = threading.Condition()

    def __call__(self, picture: SourcePicture) -> None:
        with self._changed:
            self.pictures.append(picture)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[int]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.pictures) >= count, WAIT_S), f"only {len(self.pictures)}"
        return [int(picture.image[24, 32, 0]) for picture in self.pictures]


def until(true: Callable[[], bool]) -> None:
    ticks = threading.Event()
    for _ in range(int(WAIT_S / 0.01)):
        if true():
            return
        ticks.wait(0.01)
    raise AssertionError("it never came to that")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "BACKOFF_S", 0.01)
    monkeypatch.setattr(capture, "BACKOFF_MOST_S", 0.02)


@pytest.mark.logs("it is tried again", "reading the source failed")
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
    assert reading.stop(WAIT_S)


@pytest.mark.logs("it is tried again", "reading the source failed")
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
    assert reading.stop(WAIT_S)


@pytest.mark.logs("it is tried again", "reading the source failed")
def test_a_driver_that_raises_anything_is_tried_again() -> None:
    camera, seen = FakeCamera(), Seen()
    camera.pictures.put(RuntimeError("out of luck"))
    camera.show(50)
    reading = Capture(CAMERA, (48, 64), 25, seen, open_source=camera.open)
    reading.start()
    seen.wait_for(1)
    camera.pull_out()
    assert reading.stop(WAIT_S)
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
    assert reading.stop(WAIT_S)


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
    assert reading.stop(WAIT_S)


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
    assert reading.stop(WAIT_S)


def test_a_film_plays_at_its_own_pace_and_begins_anew(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", times_s=[0.0, 0.05, 0.3, 0.35])
    seen = Seen()
    reading = Capture(SourceConfig(kind="video", path=str(film)), (48, 64), 25, seen)
    assert reading.newest() is not None, "the first is there at once"
    reading.start()
    shades = seen.wait_for(6)
    assert reading.stop(WAIT_S)
    assert shades[:6] == pytest.approx([40, 80, 120, 160, 40, 80], abs=5)
    times = [picture.time_s for picture in seen.pictures]
    assert times[2] - times[1] > 0.15, "the long picture is shown for long"
    assert reading.status().losses == 0


def test_a_film_that_is_not_to_loop_ends_on_its_last_picture(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", times_s=[0.0, 0.01, 0.02, 0.03])
    reading = Capture(SourceConfig(kind="video", path=str(film), loop=False), (48, 64), 25)
    reading.start()
    until(lambda: reading.status().state == "ended")
    last = reading.newest()
    assert last is not None
    assert last.image[24, 32, 0] == pytest.approx(160, abs=5)
    assert reading.stop(WAIT_S)


@pytest.mark.logs("it is tried again", "reading the source failed")
def test_a_film_that_is_deleted_while_it_plays_is_waited_for(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mp4", times_s=[0.0, 0.01, 0.02, 0.03])
    data = film.read_bytes()
    reading = Capture(SourceConfig(kind="video", path=str(film)), (48, 64), 25)
    film.unlink()
    reading.start()
    until(lambda: "there is no film" in reading.status().reason)
    film.write_bytes(data)
    until(lambda: reading.status().state == "live")
    assert reading.stop(WAIT_S)


def test_a_film_that_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"not a film")
    with pytest.raises(SourceError, match=r"a\.mp4' cannot be read"):
        Capture(SourceConfig(kind="video", path=str(tmp_path / "a.mp4")), (48, 64), 25)


@pytest.mark.parametrize("shape", [(35, 51), (48, 64), (480, 20), (1, 1), (7, 300)])
def test_any_size_is_made_to_cover(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 77, np.uint8)
    assert fitted(image, (36, 64)).shape == (36, 64, 3)
    assert (fitted(image, (36, 64)) == 77).all()


def test_what_sticks_out_is_cut_equally() -> None:
    stripes = np.zeros((10, 30, 3), np.uint8)
    stripes[:, 10:20] = 200
    assert (fitted(stripes, (10, 10)) == 200).all()
