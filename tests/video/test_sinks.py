from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from pkgutil import resolve_name
from types import SimpleNamespace
from typing import Literal, get_args

import av
import numpy as np
import pytest

from streamer.config import (
    FileOutput,
    HlsOutput,
    MpegtsUdpOutput,
    NullOutput,
    Output,
    VideoConfig,
    VirtualCameraOutput,
)
from streamer.messages.keyframes import Frame
from streamer.video.encoding.encoders import Encoders
from streamer.video.encoding.packet_protocol import VIDEO_RATE, Media, PacketUnpacker
from streamer.video.encoding.subscription import Subscription
from streamer.video.sinks import Sink, SinkError, SinkState, make_sink
from streamer.video.sinks.backoff import BackOff
from streamer.video.sinks.file import FileSink
from streamer.video.sinks.sink import Subscribe
from tests.patience import PATIENCE_S
from tests.video.camera_driver import install

VIDEO = VideoConfig(width=160, height=96, fps=10, gop_s=0.5, bitrate_kbps=400, preset="ultrafast")

Make = Callable[[str], Sink]


class FailingSink(Sink):
    """A sink that keeps its pieces, and fails when a test tells it to."""

    def __init__(self, subscribe: Subscribe) -> None:
        super().__init__("failing", subscribe, back_off=BackOff(first_s=0.0))
        self.pieces: list[bytes] = []
        self.fail_with: Exception | None = None
        self.opened = self.finished = 0
        self.arrived = threading.Condition()

    def open(self) -> None:
        self.opened += 1

    def deliver(self, piece: bytes) -> None:
        with self.arrived:
            error, self.fail_with = self.fail_with, None
            if error is not None:
                raise error
            self.pieces.append(piece)
            self.arrived.notify_all()

    def finish(self) -> None:
        self.finished += 1

    def wait(self, count: int) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.pieces) >= count, PATIENCE_S)


MAKERS: dict[str, Callable[[Encoders, Path, int], Sink]] = {
    "null": lambda encoders, folder, port: make_sink(NullOutput(kind="null"), encoders, "null"),
    "mp4": lambda encoders, folder, port: make_sink(recording(folder / "dream.mp4"), encoders, "file"),
    "mkv": lambda encoders, folder, port: make_sink(recording(folder / "dream.mkv"), encoders, "file-2"),
    "hls": lambda encoders, folder, port: make_sink(HlsOutput(kind="hls", folder=folder, audio=False), encoders, "hls"),
    "smaller": lambda encoders, folder, port: make_sink(
        FileOutput(kind="file", path=folder / "dream.mp4", width=80, height=48, audio=False), encoders, "file-3"
    ),
    "udp": lambda encoders, folder, port: make_sink(
        MpegtsUdpOutput(kind="mpegts_udp", url=f"udp://127.0.0.1:{port}"), encoders, "udp"
    ),
    "camera": lambda encoders, folder, port: make_sink(VirtualCameraOutput(kind="virtual_camera"), encoders, "camera"),
    "failing": lambda encoders, folder, port: FailingSink(lambda: encoders.main.subscribe("ts")),
}
"""Functions that make each kind of sink, given the encoders, a folder for its files and a port with a listener."""


@pytest.mark.parametrize("settings", get_args(get_args(Output)[0]))
def test_every_kind_of_output_names_its_sink_unless_the_web_server_serves_it(settings):
    if settings.sink is None:
        assert settings.model_fields["kind"].annotation in (Literal["mpegts_http"], Literal["mjpeg"])
    else:
        sink = resolve_name(settings.sink)
        assert issubclass(sink, Sink)
        assert callable(sink.from_settings)


def recording(path: Path) -> FileOutput:
    return FileOutput(kind="file", path=path, audio=False, min_free_mb=0)


@pytest.fixture
def encoders() -> Iterator[Encoders]:
    made = Encoders(VIDEO)
    yield made
    made.close()


@pytest.fixture
def make(encoders: Encoders, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    if kind == "camera":
        install(monkeypatch)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        yield lambda kind: MAKERS[kind](encoders, tmp_path, listener.getsockname()[1])


def feed(encoders: Encoders, numbers: range) -> None:
    pace = encoders.main.subscribe("jpeg")
    for number in numbers:
        image = np.full((96, 160, 3), (number * 9) % 250, np.uint8)
        encoders.put(Frame(image, number, None))
        assert pace.read(PATIENCE_S) is not None
    pace.close()


def ready(sink: Sink) -> None:
    """Start a sink and wait until it has its subscription, so that it misses no frame from now on."""
    subscribe, subscribed = sink._subscribe, threading.Event()

    def tell() -> Subscription:
        share = subscribe()
        subscribed.set()
        return share

    sink._subscribe = tell
    sink.start()
    assert subscribed.wait(PATIENCE_S)


def delivered(sink: Sink, pieces: int = 1) -> None:
    assert sink.wait_until(lambda status: status.delivered >= pieces and status.state is SinkState.LIVE, PATIENCE_S)


@pytest.mark.parametrize("kind", MAKERS)
class TestEverySink:
    """The contract of all sinks."""

    def test_delivers_from_start_to_stop_and_gives_its_share_back(self, encoders: Encoders, make: Make, kind: str) -> None:
        sink = make(kind)
        assert sink.status().state is SinkState.STOPPED
        ready(sink)
        sink.start()
        feed(encoders, range(12))
        delivered(sink)
        assert sink.status().state is SinkState.LIVE
        assert sink.status().failures == 0
        assert sink.stop(PATIENCE_S)
        assert sink.stop(PATIENCE_S)
        assert sink.status().state is SinkState.STOPPED
        assert encoders.status().viewers == 0
        assert not [t for t in threading.enumerate() if t.name.startswith("sink-")]

    def test_stops_immediately_although_nothing_ever_came(self, tmp_path: Path, make: Make, kind: str) -> None:
        sink = make(kind)
        ready(sink)
        assert sink.stop(PATIENCE_S)
        assert os.listdir(tmp_path) == []

    def test_a_sink_that_never_started_stops(self, make: Make, kind: str) -> None:
        assert make(kind).stop()

    def test_ends_quietly_when_the_encoder_is_gone_already(self, encoders: Encoders, make: Make, kind: str) -> None:
        sink = make(kind)
        encoders.close()
        sink.start()
        assert sink.wait_until(lambda status: status.state is SinkState.STOPPED, PATIENCE_S)
        assert sink.stop(PATIENCE_S)

    def test_ends_when_the_encoder_does(self, encoders: Encoders, make: Make, kind: str) -> None:
        sink = make(kind)
        ready(sink)
        encoders.close()
        assert sink.stop(PATIENCE_S)
        assert sink.status().state is SinkState.STOPPED


def test_a_failed_sink_tries_again_and_says_so(encoders: Encoders, caplog: pytest.LogCaptureFixture) -> None:
    sink = FailingSink(lambda: encoders.main.subscribe("ts"))
    other = FailingSink(lambda: encoders.main.subscribe("ts"))
    ready(sink)
    ready(other)
    feed(encoders, range(3))
    sink.wait(3)
    sink.fail_with = SinkError("the server is gone")
    feed(encoders, range(3, 4))
    other.wait(4)
    assert sink.wait_until(lambda status: status.failures == 1 and status.state is SinkState.WAITING, PATIENCE_S)
    feed(encoders, range(4, 14))
    sink.wait(5)
    other.wait(14)
    assert sink.status().failures == 1
    assert (sink.opened, sink.finished) == (2, 1)
    assert other.status().failures == 0
    assert "the server is gone" in caplog.text
    assert sink.stop(PATIENCE_S)
    assert other.stop(PATIENCE_S)


def test_an_unexpected_failure_is_reported_and_final(encoders: Encoders, caplog: pytest.LogCaptureFixture) -> None:
    sink = FailingSink(lambda: encoders.main.subscribe("ts"))
    ready(sink)
    sink.fail_with = ZeroDivisionError("oops")
    feed(encoders, range(1))
    assert sink.wait_until(lambda status: status.state is SinkState.FAILED, PATIENCE_S)
    assert encoders.status().viewers == 0
    assert sink.stop(PATIENCE_S)
    assert sink.status().state is SinkState.FAILED
    assert sink.status().error == "ZeroDivisionError: oops"
    assert "output failing died" in caplog.text


def up_to(share: Subscription, number: int) -> list[bytes]:
    """Read the pieces up to a frame."""
    pieces, unpacker = [], PacketUnpacker()
    while (piece := share.read(PATIENCE_S)) is not None:
        pieces.append(piece)
        if any(isinstance(media, Media) and media.pts == number * VIDEO_RATE // VIDEO.fps for media in unpacker.feed(piece)):
            break
    share.close()
    return pieces


def test_a_recording_keeps_true_time_when_frames_are_missing(encoders: Encoders, tmp_path: Path) -> None:
    path = tmp_path / "dream.mkv"
    sink = make_sink(recording(path), encoders, "file")
    reference = encoders.main.subscribe("packets")
    ready(sink)
    feed(encoders, range(5))
    feed(encoders, range(34, 40))
    delivered(sink, len(up_to(reference, 39)))
    assert sink.stop(PATIENCE_S)
    with av.open(str(path)) as container:
        times = [round(frame.time * VIDEO.fps) for frame in container.decode(video=0) if frame.time is not None]
    assert {*range(5), *range(34, 40)} <= set(times)  # plus frames that the encoder inserted


def test_a_folder_that_cannot_be_made_is_retried(encoders: Encoders, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    sink = make_sink(recording(tmp_path / "file" / "dream.mp4"), encoders, "wall")
    sink.start()
    assert sink.wait_until(lambda status: status.failures >= 1 and status.state is SinkState.RETRYING, PATIENCE_S)
    assert sink.status().error == f"[Errno 17] File exists: '{tmp_path / 'file'}'"
    assert sink.stop(PATIENCE_S)
    assert "output wall failed" in caplog.text


def test_a_full_disk_stops_the_recording_alone_until_there_is_room(
    encoders: Encoders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    free_mb = 600
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free_mb * 1_000_000))
    output = FileOutput(kind="file", path=tmp_path / "dream.mp4", audio=False, min_free_mb=500)
    sink = FileSink(
        "file", output, 400, lambda: encoders.main.subscribe("packets"), back_off=BackOff(first_s=0.01, most_s=0.01)
    )
    other = make_sink(recording(tmp_path / "other.mp4"), encoders, "other")
    for each in (sink, other):
        ready(each)
    feed(encoders, range(20))
    delivered(sink, 10)
    free_mb = 400
    feed(encoders, range(20, 40))
    assert sink.wait_until(lambda status: status.failures >= 2 and status.state is SinkState.RETRYING, PATIENCE_S)
    assert "is full but for the 500 MB to be left free (min_free_mb); recording resumes by itself" in sink.status().error
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1
    free_mb = 600
    assert sink.wait_until(lambda status: status.state is not SinkState.RETRYING, PATIENCE_S)
    before = sink.status().delivered
    feed(encoders, range(40, 60))
    delivered(sink, before + 10)  # stopping does not wait for the rest
    assert other.status().failures == other.status().dropped == 0
    for each in (sink, other):
        assert each.stop(PATIENCE_S)
    for name in ("dream.mp4", "dream-2.mp4", "other.mp4"):
        with av.open(str(tmp_path / name)) as container:
            assert sum(1 for _ in container.decode(video=0)) >= 10
