from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.config import FileOutput, NullOutput, VideoConfig
from streamer.messages import Frame
from streamer.video.encode import Encoder
from streamer.video.sinks import Sink, SinkError, SinkState, make_sink
from streamer.video.sinks.file import FileSink
from streamer.video.sinks.sink import Subscribe

VIDEO = VideoConfig(width=160, height=96, fps=10, gop_s=0.5, bitrate_kbps=400, preset="ultrafast")
PATIENCE_S = 20.0


class FailingSink(Sink):
    """Keeps what it gets, fails when told to."""

    def __init__(self, subscribe: Subscribe) -> None:
        super().__init__("failing", subscribe, retry_s=0.0)
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


MAKERS: dict[str, Callable[[Encoder, Path], Sink]] = {
    "null": lambda encoder, folder: make_sink(NullOutput(kind="null"), encoder),
    "file": lambda encoder, folder: make_sink(FileOutput(kind="file", path=folder / "dream.mp4"), encoder),
    "failing": lambda encoder, folder: FailingSink(lambda: encoder.subscribe("ts")),
}


@pytest.fixture
def encoder() -> Iterator[Encoder]:
    made = Encoder(VIDEO)
    yield made
    made.close()


def feed(encoder: Encoder, numbers: range) -> None:
    pace = encoder.subscribe("jpeg")
    for number in numbers:
        image = np.full((96, 160, 3), (number * 9) % 250, np.uint8)
        encoder.put(Frame(image, number, None))
        assert pace.read(PATIENCE_S) is not None
    pace.close()


def ready(sink: Sink) -> None:
    """Start a sink and wait until it has its share."""
    sink.start()
    assert sink.wait_until(lambda status: status.state is not SinkState.CONNECTING, PATIENCE_S)


def delivered(sink: Sink, pieces: int = 1) -> None:
    assert sink.wait_until(lambda status: status.delivered >= pieces and status.state is SinkState.LIVE, PATIENCE_S)


@pytest.mark.parametrize("kind", MAKERS)
class TestEverySink:
    """The contract of all sinks."""

    def test_delivers_from_start_to_stop_and_gives_its_share_back(self, encoder: Encoder, tmp_path: Path, kind: str) -> None:
        sink = MAKERS[kind](encoder, tmp_path)
        assert sink.status().state is SinkState.STOPPED
        ready(sink)
        sink.start()
        feed(encoder, range(12))
        delivered(sink)
        assert sink.status().state is SinkState.LIVE
        assert sink.status().failures == 0
        assert sink.stop(PATIENCE_S)
        assert sink.stop(PATIENCE_S)
        assert sink.status().state is SinkState.STOPPED
        assert encoder.status().viewers == 0
        assert not [t for t in threading.enumerate() if t.name.startswith("sink-")]

    def test_stops_at_once_though_nothing_ever_came(self, encoder: Encoder, tmp_path: Path, kind: str) -> None:
        sink = MAKERS[kind](encoder, tmp_path)
        ready(sink)
        assert sink.stop(PATIENCE_S)
        assert os.listdir(tmp_path) == []

    def test_a_sink_that_never_started_stops(self, encoder: Encoder, tmp_path: Path, kind: str) -> None:
        assert MAKERS[kind](encoder, tmp_path).stop()

    def test_ends_quietly_when_the_encoder_is_gone_already(self, encoder: Encoder, tmp_path: Path, kind: str) -> None:
        encoder.close()
        sink = MAKERS[kind](encoder, tmp_path)
        sink.start()
        assert sink.wait_until(lambda status: status.state is SinkState.STOPPED, PATIENCE_S)
        assert sink.stop(PATIENCE_S)

    def test_ends_when_the_encoder_does(self, encoder: Encoder, tmp_path: Path, kind: str) -> None:
        sink = MAKERS[kind](encoder, tmp_path)
        ready(sink)
        encoder.close()
        assert sink.stop(PATIENCE_S)
        assert sink.status().state is SinkState.STOPPED


def test_a_failed_sink_tries_again_and_says_so(encoder: Encoder, caplog: pytest.LogCaptureFixture) -> None:
    sink = FailingSink(lambda: encoder.subscribe("ts"))
    other = FailingSink(lambda: encoder.subscribe("ts"))
    ready(sink)
    ready(other)
    feed(encoder, range(3))
    sink.wait(3)
    sink.fail_with = SinkError("the server is gone")
    feed(encoder, range(3, 4))
    other.wait(4)
    assert sink.wait_until(lambda status: status.failures == 1 and status.state is SinkState.WAITING, PATIENCE_S)
    feed(encoder, range(4, 14))
    sink.wait(5)
    other.wait(14)
    assert sink.status().failures == 1
    assert (sink.opened, sink.finished) == (2, 1)
    assert other.status().failures == 0
    assert "the server is gone" in caplog.text
    assert sink.stop(PATIENCE_S)
    assert other.stop(PATIENCE_S)


def test_an_unforeseen_failure_is_told_and_final(encoder: Encoder, caplog: pytest.LogCaptureFixture) -> None:
    sink = FailingSink(lambda: encoder.subscribe("ts"))
    ready(sink)
    sink.fail_with = ZeroDivisionError("oops")
    feed(encoder, range(1))
    assert sink.wait_until(lambda status: status.state is SinkState.FAILED, PATIENCE_S)
    assert encoder.status().viewers == 0
    assert sink.stop(PATIENCE_S)
    assert sink.status().state is SinkState.FAILED
    assert sink.status().error == "ZeroDivisionError: oops"
    assert "output failing died" in caplog.text


def record(encoder: Encoder, sink: FileSink, numbers: range) -> None:
    ready(sink)
    feed(encoder, numbers)
    delivered(sink, len(numbers))  # the init segment, and one fragment less than frames
    encoder.close()
    assert sink.stop(PATIENCE_S)


def test_a_recording_plays_and_keeps_true_time(tmp_path: Path) -> None:
    encoder = Encoder(VIDEO)
    path = tmp_path / "deep" / "dream.mp4"
    sink = make_sink(FileOutput(kind="file", path=path), encoder)
    assert isinstance(sink, FileSink)
    slow = encoder.subscribe("jpeg")
    ready(sink)
    for number in (*range(5), *range(9, 14)):
        encoder.put(Frame(np.full((96, 160, 3), number * 9, np.uint8), number, None))
        assert slow.read(PATIENCE_S) is not None
    slow.close()
    delivered(sink, 10)
    assert sink.stop(PATIENCE_S)
    encoder.close()
    with av.open(str(path)) as container:
        times = [round(frame.time * 10) for frame in container.decode(video=0)]
    assert times == [0, 1, 2, 3, 4, 9, 10, 11, 12]


def test_a_recording_cut_anywhere_still_plays(encoder: Encoder, tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "dream.mp4", lambda: encoder.subscribe("mp4"))
    record(encoder, sink, range(20))
    data = (tmp_path / "dream.mp4").read_bytes()
    whole, cut = tmp_path / "dream.mp4", tmp_path / "cut.mp4"
    with av.open(str(whole)) as container:
        count = sum(1 for _ in container.decode(video=0))
    for share in (0.95, 0.7):
        cut.write_bytes(data[: int(len(data) * share)])
        with av.open(str(cut)) as container:
            shown = 0
            try:
                for _ in container.decode(video=0):
                    shown += 1
            except av.FFmpegError:  # the last fragment is torn
                pass
        assert shown >= int(count * share) - 3


def test_a_recording_is_never_written_over(encoder: Encoder, tmp_path: Path) -> None:
    (tmp_path / "dream.mp4").write_bytes(b"mine")
    sink = FileSink(tmp_path / "dream.mp4", lambda: encoder.subscribe("mp4"))
    record(encoder, sink, range(4))
    assert (tmp_path / "dream.mp4").read_bytes() == b"mine"
    assert sink.current == tmp_path / "dream-2.mp4"
    assert (tmp_path / "dream-2.mp4").stat().st_size > 100


def test_a_folder_that_cannot_be_made_is_retried(encoder: Encoder, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_bytes(b"")
    sink = FileSink(tmp_path / "file" / "dream.mp4", lambda: encoder.subscribe("mp4"), retry_s=0.001)
    sink.start()
    assert sink.wait_until(lambda status: status.failures >= 2 and status.state is SinkState.RETRYING, PATIENCE_S)
    assert sink.stop(PATIENCE_S)
    assert "output file dream.mp4 failed" in caplog.text
