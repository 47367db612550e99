from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from datetime import datetime
from pathlib import Path

import av
import pytest

from streamer.config import FileOutput
from streamer.video.sinks import SinkError
from streamer.video.sinks import recording as recording_module
from streamer.video.sinks import recording_files as pieces_module
from streamer.video.sinks.disk import MB
from streamer.video.sinks.file import FileSink
from streamer.video.sinks.recording_files import RecordingFiles
from tests.patience import PATIENCE_S
from tests.video.packets import Source

NOON = datetime(2026, 11, 21, 12, 0, 0)
ENDINGS = ("mp4", "mkv")


def sink_to(path: Path, *, split_s: float = 0.0, keep: int = 0, min_free_mb: int = 0) -> FileSink:
    output = FileOutput(kind="file", path=path, split_s=split_s, keep=keep, min_free_mb=min_free_mb)
    return FileSink("file", output, 500, lambda: pytest.fail("nobody subscribes here"), now=lambda: NOON)


def record(sink: FileSink, source: Source, count: int) -> None:
    sink.open()
    deliver(sink, source, count)
    sink.finish()


def deliver(sink: FileSink, source: Source, count: int) -> None:
    for piece in source.pieces(count):
        sink.deliver(piece)


def times(path: Path, kind: str = "video") -> list[float]:
    """Return the start times of the packets, in seconds."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(**{kind: 0}) if packet.pts is not None]
        return [float(packet.pts * packet.time_base) for packet in packets]


def pictures(path: Path) -> list[int]:
    """Return each picture's number modulo 10, read from its grey, up to where the file is damaged."""
    shown: list[int] = []
    with av.open(str(path)) as container, contextlib.suppress(av.FFmpegError):
        shown.extend(round((frame.to_ndarray(format="gray").mean() - 30) / 15) for frame in container.decode(video=0))
    return shown


@pytest.mark.parametrize("ending", ENDINGS)
def test_picture_and_sound_play_from_0(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "deep" / f"dream.{ending}"
    source = Source()
    source.skip(10)  # the stream is already running
    record(sink_to(path), source, 20)
    assert times(path) == pytest.approx([number / 10 for number in range(20)])
    assert pictures(path) == [number % 10 for number in range(20)]
    sound = times(path, "audio")
    assert 0 <= sound[0] < 0.022
    assert sound[-1] == pytest.approx(2.0, abs=0.05)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        audio = container.streams.audio[0]
        assert (audio.codec_context.name, audio.sample_rate, audio.layout.name) == ("aac", 48_000, "stereo")


@pytest.mark.parametrize("ending", ENDINGS)
def test_without_sound_there_is_no_track_for_it(tmp_path: Path, ending: str) -> None:
    record(sink_to(tmp_path / f"dream.{ending}"), Source(rate=0), 12)
    with av.open(str(tmp_path / f"dream.{ending}")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    assert len(times(tmp_path / f"dream.{ending}")) == 12


@pytest.mark.parametrize("ending", ENDINGS)
def test_pieces_play_back_to_back_without_a_lost_picture(tmp_path: Path, ending: str) -> None:
    record(sink_to(tmp_path / f"dream.{ending}", split_s=1.5), Source(), 50)
    files = [tmp_path / f"dream{number}.{ending}" for number in ("", "-2", "-3")]
    assert sorted(os.listdir(tmp_path)) == sorted(file.name for file in files)
    assert [len(times(file)) for file in files] == [20, 20, 10]  # keyframes are 1 s apart
    assert [number for file in files for number in pictures(file)] == [number % 10 for number in range(50)]
    for file in files:
        assert times(file)[0] == 0.0
    sound = sum(len(times(file, "audio")) for file in files)
    assert sound == len(times_of_whole(tmp_path / "whole.mp4"))
    for file in files:
        assert 0 <= times(file, "audio")[0] < 0.022


def times_of_whole(path: Path) -> list[float]:
    record(sink_to(path), Source(), 50)
    return times(path, "audio")


def test_what_would_fill_memory_with_an_index_is_split_and_the_rest_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(recording_module.LONGEST_S, ".mkv", 1.5)
    for ending in ENDINGS:
        record(sink_to(tmp_path / f"dream.{ending}"), Source(), 30)
    assert sorted(os.listdir(tmp_path)) == ["dream-2.mkv", "dream.mkv", "dream.mp4"]
    assert b"mfra" not in (tmp_path / "dream.mp4").read_bytes()
    with av.open(str(tmp_path / "dream.mp4")) as container:
        stream = container.streams.video[0]
        assert container.duration == pytest.approx(3_000_000, abs=50_000)
        assert stream.time_base is not None
        container.seek(int(2.5 / stream.time_base), stream=stream)
        packet = next(container.demux(stream))
        assert packet.pts is not None
        assert float(packet.pts * stream.time_base) == 2.0  # the keyframe before that time
    record(sink_to(tmp_path / "short.mkv", split_s=1.0), Source(), 30)
    assert len(list(tmp_path.glob("short*.mkv"))) == 3  # the setting takes precedence


@pytest.mark.parametrize("ending", ENDINGS)
def test_pictures_that_were_dropped_leave_their_time(tmp_path: Path, ending: str) -> None:
    source = Source()
    sink = sink_to(tmp_path / f"dream.{ending}")
    sink.open()
    deliver(sink, source, 5)
    source.skip(5)
    deliver(sink, source, 5)
    sink.finish()
    found = times(tmp_path / f"dream.{ending}")
    assert found == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 1.0, 1.1, 1.2, 1.3, 1.4])


def test_another_encoder_begins_another_file(tmp_path: Path) -> None:
    sink = sink_to(tmp_path / "dream.mp4")
    sink.open()
    deliver(sink, Source(), 5)
    deliver(sink, Source(width=128, height=64), 7)
    sink.finish()
    assert len(times(tmp_path / "dream.mp4")) == 5
    assert len(times(tmp_path / "dream-2.mp4")) == 7


CRASH = """
import os, pathlib, sys, time
from tests.video.packets import Source
from tests.video.test_recording import sink_to
sink = sink_to(pathlib.Path(sys.argv[1]))
sink.open()
for piece in Source().pieces(57):
    sink.deliver(piece)
print("recorded", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_kill_9_costs_less_than_a_second(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"dream.{ending}"
    with subprocess.Popen([sys.executable, "-c", CRASH, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "recorded\n"
        child.send_signal(signal.SIGKILL)
        assert child.wait(PATIENCE_S) == -signal.SIGKILL
    assert len(pictures(path)) >= 57 - 10
    assert times(path, "audio")[-1] >= 4.7


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_cut_anywhere_plays_up_to_there(tmp_path: Path, ending: str) -> None:
    path, cut = tmp_path / f"dream.{ending}", tmp_path / f"cut.{ending}"
    record(sink_to(path), Source(), 60)
    data = path.read_bytes()
    for share in (0.9, 0.6, 0.3):
        cut.write_bytes(data[: int(len(data) * share)])
        assert len(pictures(cut)) >= int(60 * share) - 10


class SmallDisk(io.FileIO):
    """A file on a disk with little space."""

    room = 0

    def write(self, data: bytes) -> int:
        fits = min(len(data), SmallDisk.room)
        SmallDisk.room -= fits
        if not fits:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(memoryview(data)[:fits])

    def truncate(self, size: int | None = None) -> int:
        SmallDisk.room += os.fstat(self.fileno()).st_size - (size or 0)
        return super().truncate(size)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk_ends_the_file_in_a_whole_picture(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces_module.io, "FileIO", SmallDisk)
    SmallDisk.room = 120_000
    sink = sink_to(tmp_path / f"dream.{ending}")
    with pytest.raises(SinkError, match=r"the disk of .* is full; recording resumes by itself once 1 MB are free"):
        record(sink, Source(), 60)
    sink.finish()
    path = tmp_path / f"dream.{ending}"
    found = pictures(path)
    assert len(found) == len(times(path))  # every picture is complete
    assert len(found) >= 10
    assert path.stat().st_size < 120_000
    SmallDisk.room = 10_000_000
    record(sink, Source(), 10)
    assert len(times(tmp_path / f"dream-2.{ending}")) == 10


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("room", [0, 100, 5000])
def test_a_disk_too_full_for_a_picture_leaves_no_file(
    tmp_path: Path, ending: str, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces_module.io, "FileIO", SmallDisk)
    SmallDisk.room = room
    sink = sink_to(tmp_path / f"dream.{ending}")
    with pytest.raises(SinkError):
        record(sink, Source(), 20)
    sink.finish()
    assert os.listdir(tmp_path) == []


Usage = namedtuple("Usage", "total used free")


def test_a_recording_stops_before_the_disk_is_full_and_resumes_with_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_mb = 600.0
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, int(free_mb * MB)))
    sink = sink_to(tmp_path / "dream.mp4", min_free_mb=500)
    source = Source()
    sink.open()
    deliver(sink, source, 5)
    free_mb = 499.0
    with pytest.raises(SinkError, match=r"is full but for the 500 MB to be left free \(min_free_mb\); .* once 501 MB are free"):
        deliver(sink, source, 11)
    sink.finish()
    assert 5 <= len(times(tmp_path / "dream.mp4")) <= 15
    free_mb = 500.5
    with pytest.raises(SinkError, match="once 501 MB"):
        sink.open()
    sink.finish()
    free_mb = 501.5
    record(sink, Source(), 5)
    assert len(times(tmp_path / "dream-2.mp4")) == 5


def test_nothing_is_written_over_and_numbers_go_up(tmp_path: Path) -> None:
    for name in ("dream.mp4", "dream-7.mp4", "dream-x.mp4", "dream-8.mkv"):
        (tmp_path / name).write_bytes(b"mine")
    record(sink_to(tmp_path / "dream.mp4"), Source(), 3)
    assert len(times(tmp_path / "dream-8.mp4")) == 3
    assert (tmp_path / "dream.mp4").read_bytes() == (tmp_path / "dream-7.mp4").read_bytes() == b"mine"


def test_the_name_shows_when_it_started(tmp_path: Path) -> None:
    sink = sink_to(tmp_path / "%Y-%m" / "dream-%d-%H%M%S.mp4", split_s=1.0)
    record(sink, Source(), 20)
    assert sorted(os.listdir(tmp_path / "2026-11")) == ["dream-21-120000-2.mp4", "dream-21-120000.mp4"]
    assert sink.status().file == tmp_path / "2026-11" / "dream-21-120000-2.mp4"


def test_the_newest_are_kept_and_what_others_made_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "dream.mp4").write_bytes(b"mine")
    caplog.set_level(logging.INFO)
    record(sink_to(tmp_path / "dream.mp4", split_s=1.0, keep=2), Source(), 40)
    seen = {name for name in os.listdir(tmp_path) if not name.startswith(".")}
    assert seen == {"dream.mp4", "dream-4.mp4", "dream-5.mp4"}
    assert "dream-2.mp4, keeping the newest 2" in caplog.text
    record(sink_to(tmp_path / "dream.mp4", split_s=1.0, keep=2), Source(), 5)  # after a restart
    seen = {name for name in os.listdir(tmp_path) if not name.startswith(".")}
    assert seen == {"dream.mp4", "dream-5.mp4", "dream-6.mp4"}
    assert (tmp_path / "dream.mp4").read_bytes() == b"mine"


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be deleted there")
def test_a_deleted_file_is_noticed_and_another_started(tmp_path: Path) -> None:
    sink = sink_to(tmp_path / "dream.mp4")
    source = Source()
    sink.open()
    deliver(sink, source, 15)
    (tmp_path / "dream.mp4").unlink()
    with pytest.raises(SinkError, match=r"dream\.mp4 was deleted while it was written"):
        deliver(sink, source, 15)
    sink.finish()
    record(sink, Source(), 5)
    assert len(times(tmp_path / "dream.mp4")) == 5


def test_an_old_file_that_cannot_be_deleted_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pieces = RecordingFiles(tmp_path / "dream.mp4", keep=1)
    file, path = pieces.create(NOON)
    file.close()
    path.unlink()
    path.mkdir()
    (path / "in the way").write_bytes(b"")
    file, _ = pieces.create(NOON)
    file.close()
    assert "an old recording could not be deleted" in caplog.text


def test_a_stop_before_the_first_picture_leaves_nothing(tmp_path: Path) -> None:
    sink = sink_to(tmp_path / "dream.mp4")
    sink.open()
    sink.finish()
    sink.finish()
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="names that Windows does not have")
def test_folder_and_file_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("pipe:1", "concat:a#?|b.mp4")
    record(sink_to(path), Source(), 10)
    assert [str(found) for found in Path().rglob("*.mp4")] == [str(path)]
    with path.open("rb") as file, av.open(file) as container:
        assert len(list(container.decode(video=0))) == 10
