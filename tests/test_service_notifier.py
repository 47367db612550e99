"""What a service manager receives, over a real socket of its kind."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.messages.programme import Programme
from streamer.messages.renderer_status import RendererStatus
from streamer.messages.scenes import Region, Scene, Target
from streamer.messages.status import FrameCounters, StatusSnapshot
from streamer.service_notifier import ServiceNotifier, line
from tests.acceptance.stream import RESTING, SMALL_PICTURE, WITHOUT_SPARE, Stream
from tests.conftest import BUSY
from tests.patience import PATIENCE_S, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there are no abstract sockets here")

UNIT = Path(__file__).resolve().parents[1] / "deploy" / "zoomdream.service"


class Manager:
    """Listens like systemd."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address[0] == "@" else address)
        self.heard: list[str] = []

    def hear(self, enough: Callable[[list[str]], object]) -> list[str]:
        """Return the lines so far, once they are enough or time is up."""
        end_s = time.monotonic() + PATIENCE_S
        while not enough(self.heard) and (left_s := end_s - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            with contextlib.suppress(TimeoutError):
                self.heard += self._socket.recv(4096).decode().split("\n")
        return self.heard

    def drain(self) -> list[str]:
        """Return the lines so far without waiting for more."""
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.heard += self._socket.recv(4096).decode().split("\n")
        return self.heard

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = f"@zoomdream-{secrets.token_hex(8)}" if request.param == "abstract" else str(tmp_path / "notify")
    manager = Manager(name)
    yield manager
    manager.close()


class Frames:
    """A stream's number of frames, which a test controls."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.runs = False
        self.asked = 0

    def __call__(self) -> int | None:
        self.asked += 1
        if self.runs:
            self.number = (self.number or 0) + 1
        return self.number

    def await_looks(self, count: int) -> None:
        """Wait until the number has been read so many more times."""
        before = self.asked
        until(lambda: self.asked >= before + count)


def snapshot(problems: tuple[str, ...] = (), title: str | None = "jellyfish") -> StatusSnapshot:
    scene = title and Scene(1, (Region(Target("n01910747", title), (0.0, 0.0, 1.0, 1.0)),))
    programme = Programme(scene or None, 0.0, None, (), False)
    renderer = RendererStatus(activity="" if title else "loading the network")
    return StatusSnapshot(programme, FrameCounters(9), 25.0, 24.97, renderer, 3, 9.0, "0.1.0", problems=problems)


def test_it_is_ready_with_the_first_frame_and_fed_only_while_frames_advance(manager: Manager) -> None:
    environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "200000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    service, frames = ServiceNotifier(environment), Frames()
    assert environment == {"HOME": "/"}  # child processes cannot notify in the program's name
    service.start(frames, snapshot)
    try:
        frames.await_looks(5)
        assert manager.drain() == []  # no frame is out yet
        frames.runs = True
        heard = manager.hear(lambda heard: heard.count("WATCHDOG=1") > 3)
        assert heard[:2] == ["READY=1", "WATCHDOG=1"]
        assert heard.count("READY=1") == 1
        frames.runs = False
        frames.await_looks(2)  # by then, everything read before has been reported
        stood = manager.drain().count("WATCHDOG=1")
        frames.await_looks(5)
        assert manager.drain().count("WATCHDOG=1") == stood  # the thread runs, but the picture stands still
        frames.runs = True
        assert manager.hear(lambda heard: heard.count("WATCHDOG=1") > stood)
        service.stopping()
        assert "STOPPING=1" in manager.hear(lambda heard: "STOPPING=1" in heard)
    finally:
        assert service.stop(PATIENCE_S)


def test_a_status_that_cannot_be_read_is_no_reason_to_bite(manager: Manager, caplog: pytest.LogCaptureFixture) -> None:
    service, frames = ServiceNotifier({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "200000"}), Frames()
    frames.runs = True
    mended = threading.Event()

    def hangs() -> StatusSnapshot:
        mended.wait(PATIENCE_S)
        raise RuntimeError("the queue's disk hangs")

    service.start(frames, hangs)
    try:
        assert manager.hear(lambda heard: heard.count("WATCHDOG=1") > 10).count("WATCHDOG=1") > 10
    finally:
        mended.set()
        assert service.stop(PATIENCE_S)


def test_a_watchdog_of_another_process_is_not_fed(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.service_notifier.LOOK_S", 0.05)
    service = ServiceNotifier({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
    frames = Frames()
    frames.runs = True
    service.start(frames, snapshot)
    assert manager.hear(lambda heard: "READY=1" in heard)
    frames.await_looks(3)
    assert service.stop(PATIENCE_S)
    assert "WATCHDOG=1" not in manager.drain()


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (snapshot(), "25 of 25 frames a second; dreaming jellyfish; 0 waiting; 3 watching"),
        (
            snapshot(("no new picture for 31 s: it\nhangs", "another")),
            "unwell: no new picture for 31 s: it hangs; 25 of 25 frames a second; dreaming jellyfish; 0 waiting; 3 watching",
        ),
        (snapshot(title=None), "25 of 25 frames a second; loading the network; 0 waiting; 3 watching"),
    ],
)
def test_the_status_is_one_line(told: StatusSnapshot, expected: str) -> None:
    assert line(told) == expected


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "vsock:2:1234"])
def test_without_a_manager_nothing_happens(address: str, caplog: pytest.LogCaptureFixture) -> None:
    service = ServiceNotifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"})
    service.start(Frames(), snapshot)
    service.stopping()
    assert service.stop()
    assert len(caplog.records) == bool(address)
    assert address in caplog.text


def test_a_service_manager_that_is_gone_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    manager, frames = Manager(str(tmp_path / "notify")), Frames()
    frames.runs = True
    service = ServiceNotifier({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "100000"})
    service.start(frames, snapshot)
    assert manager.hear(lambda heard: "WATCHDOG=1" in heard)
    manager.close()
    frames.await_looks(4)
    service.stopping()
    assert service.stop(PATIENCE_S)
    assert [record.getMessage() for record in caplog.records] == ["the service manager cannot be notified: Connection refused"]


@pytest.mark.torch
@pytest.mark.parametrize("manager", ["abstract"], indirect=True)
def test_the_program_notifies_its_manager(manager: Manager, tmp_path: Path) -> None:
    environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "8000000"}
    with Stream(tmp_path, [*SMALL_PICTURE, *RESTING, *WITHOUT_SPARE], environment=environment) as stream:
        heard = manager.hear(lambda heard: heard.count("WATCHDOG=1") > 3 and "dreaming" in "".join(heard))
        assert heard[0] == "READY=1"
        assert re.search(
            r"STATUS=(unwell: .*; )?\d+ of 25 frames a second; dreaming .+; 0 waiting; 0 watching", "\n".join(heard)
        )
        os.kill(stream.process.pid, signal.SIGTERM)
        assert "STOPPING=1" in manager.hear(lambda heard: "STOPPING=1" in heard)
        assert stream.process.wait(PATIENCE_S) == 0
        warnings = [line for line in stream.log().splitlines() if " WARNING " in line]
        assert [line for line in warnings if not any(text in line for text in BUSY)] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_unit_is_understood(tmp_path: Path) -> None:
    unit = tmp_path / "zoomdream.service"
    unit.write_text(UNIT.read_text().replace("/opt/zoomdream/.venv/bin/zoomdream", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_units_watchdog_waits_longer_than_a_frame_takes_that_nobody_sees() -> None:
    seconds = re.search(r"^WatchdogSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert seconds is not None
    assert int(seconds[1]) >= 10  # one frame a second, on a busy machine
