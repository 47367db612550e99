from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import av
import pytest

from streamer.config import HlsOutput
from streamer.video.sinks import SinkError
from streamer.video.sinks.hls import INDEX, HlsSink
from streamer.video.sinks.playlist import Playlist, Segment
from tests.patience import PATIENCE_S
from tests.video.packets import Source

NOON = datetime(2026, 11, 21, 12, 0, 0, 250_000, UTC)


def sink_to(folder: Path, *, segment_s: float = 2.0, window: int = 3) -> HlsSink:
    output = HlsOutput(kind="hls", folder=folder, segment_s=segment_s, window=window)
    return HlsSink("hls", output, lambda: pytest.fail("nobody subscribes here"), now=lambda: NOON)


def deliver(sink: HlsSink, source: Source, count: int) -> None:
    for piece in source.pieces(count):
        sink.deliver(piece)


def tags(folder: Path) -> list[str]:
    return [line for line in (folder / INDEX).read_text().splitlines() if not line.startswith("#EXT-X-PROGRAM")]


def listed(folder: Path) -> list[str]:
    return [line for line in tags(folder) if not line.startswith("#")]


def played(folder: Path) -> tuple[int, int]:
    """Return how many pictures and keyframes FFmpeg reads through the playlist, with an end added to an unfinished one."""
    copy = folder / "copy.m3u8"
    text = (folder / INDEX).read_text()
    copy.write_text(text if text.endswith("#EXT-X-ENDLIST\n") else text + "#EXT-X-ENDLIST\n")
    try:
        with av.open(str(copy)) as container:
            keys = [frame.key_frame for frame in container.decode(video=0)]
    finally:
        copy.unlink()
    return len(keys), sum(keys)


def test_a_playlist_and_segments_that_play(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "hls"
    sink = sink_to(folder)
    sink.open()
    deliver(sink, Source(), 45)
    assert tags(folder) == [
        "#EXTM3U",
        "#EXT-X-VERSION:6",
        "#EXT-X-TARGETDURATION:2",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-DISCONTINUITY-SEQUENCE:0",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-DISCONTINUITY",
        "#EXTINF:2.000000,",
        "zoomdream-000000.ts",
        "#EXTINF:2.000000,",
        "zoomdream-000001.ts",
    ]
    assert "#EXT-X-PROGRAM-DATE-TIME:2026-11-21T12:00:00.250+00:00" in (folder / INDEX).read_text()
    assert played(folder) == (40, 4)
    sink.finish()
    assert tags(folder)[-3:] == ["#EXTINF:0.500000,", "zoomdream-000002.ts", "#EXT-X-ENDLIST"]
    assert played(folder) == (45, 5)


def test_segments_hold_every_picture_and_sound_once_and_times_go_on(tmp_path: Path) -> None:
    sink = sink_to(tmp_path)
    sink.open()
    deliver(sink, Source(), 60)
    sink.finish()
    video: list[float] = []
    audio: list[float] = []
    for name in listed(tmp_path):
        with av.open(str(tmp_path / name)) as container:
            for packet in container.demux():
                if packet.pts is not None:
                    (video if packet.stream.type == "video" else audio).append(float(packet.pts * packet.time_base))
    steps = [later - earlier for earlier, later in pairwise(video)]
    assert steps == pytest.approx([0.1] * 59, abs=0.001)
    steps = [later - earlier for earlier, later in pairwise(audio)]
    assert steps == pytest.approx([1024 / 48_000] * (len(audio) - 1), abs=0.001)
    assert len(audio) == -(-6 * 48_000 // 1024)


def test_old_segments_are_removed_a_little_after_they_left_the_list(tmp_path: Path) -> None:
    (tmp_path / "mine.ts").write_bytes(b"mine")
    sink = sink_to(tmp_path, segment_s=1.0)
    sink.open()
    deliver(sink, Source(), 105)
    assert listed(tmp_path) == [f"zoomdream-{number:06}.ts" for number in (7, 8, 9)]
    found = sorted(os.listdir(tmp_path))
    assert found == [INDEX, "mine.ts", *(f"zoomdream-{number:06}.ts" for number in range(4, 10))]
    assert "#EXT-X-MEDIA-SEQUENCE:7" in tags(tmp_path)
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1" in tags(tmp_path)


def test_numbers_go_on_over_a_crash_and_what_it_left_is_removed(tmp_path: Path) -> None:
    sink = sink_to(tmp_path)
    sink.open()
    deliver(sink, Source(), 85)  # then it crashes
    (tmp_path / "zoomdream-000004.ts.new").write_bytes(b"half")
    sink = sink_to(tmp_path)
    sink.open()
    assert listed(tmp_path) == [f"zoomdream-{number:06}.ts" for number in (1, 2, 3)]  # until a new segment is complete
    deliver(sink, Source(), 21)
    assert tags(tmp_path)[3:] == [
        "#EXT-X-MEDIA-SEQUENCE:4",
        "#EXT-X-DISCONTINUITY-SEQUENCE:1",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-DISCONTINUITY",
        "#EXTINF:2.000000,",
        "zoomdream-000004.ts",
    ]
    assert sorted(os.listdir(tmp_path)) == [INDEX, "zoomdream-000004.ts"]
    assert played(tmp_path) == (20, 2)


def test_another_encoder_is_a_discontinuity(tmp_path: Path) -> None:
    sink = sink_to(tmp_path)
    sink.open()
    deliver(sink, Source(), 25)
    deliver(sink, Source(width=128, height=64), 25)
    assert [line for line in tags(tmp_path)[6:] if "zoomdream" not in line] == [
        "#EXT-X-DISCONTINUITY",
        "#EXTINF:2.000000,",
        "#EXTINF:0.500000,",
        "#EXT-X-DISCONTINUITY",
        "#EXTINF:2.000000,",
    ]


def test_a_segment_lasts_as_long_as_its_keyframes_are_apart(tmp_path: Path) -> None:
    sink = sink_to(tmp_path, segment_s=1.0)
    sink.open()
    deliver(sink, Source(gop=25), 51)
    assert tags(tmp_path)[2] == "#EXT-X-TARGETDURATION:3"  # 2.5 s, rounded
    assert [line for line in tags(tmp_path) if "EXTINF" in line] == ["#EXTINF:2.500000,"] * 2


def test_a_failure_is_no_end_and_leaves_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = sink_to(tmp_path)
    sink.open()
    source = Source()
    deliver(sink, source, 25)
    before = (tmp_path / INDEX).read_text()

    def full(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(SinkError, match=r"the disk of .* is full; the HLS folder resumes by itself once 20 MB are free"):
            deliver(sink, source, 20)
        sink.finish()
    assert (tmp_path / INDEX).read_text() == before
    assert sorted(os.listdir(tmp_path)) == [INDEX, "zoomdream-000000.ts"]
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=19_000_000))
        with pytest.raises(SinkError):
            sink.open()
    sink.open()
    deliver(sink, Source(), 25)
    assert listed(tmp_path) == ["zoomdream-000001.ts"]


def test_a_playlist_of_someone_else_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_bytes(b"\xff\xfe#EXT-X-MEDIA-SEQUENCE:many\n#EXTINF:2,\nx.ts\n")
    sink = sink_to(tmp_path)
    sink.open()
    deliver(sink, Source(), 25)
    assert listed(tmp_path) == ["zoomdream-000001.ts"]


def test_a_stop_before_the_first_segment_leaves_nothing(tmp_path: Path) -> None:
    sink = sink_to(tmp_path)
    sink.open()
    sink.finish()
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the ffmpeg program")
def test_ffmpeg_follows_it_while_it_runs(tmp_path: Path) -> None:
    """The player starts before the middle of the stream and reads to its end without warnings."""
    sink = sink_to(tmp_path, segment_s=1.0)
    sink.open()
    source = Source()
    deliver(sink, source, 21)
    command = ["ffmpeg", "-nostdin", "-v", "level+verbose", "-live_start_index", "0", "-i", str(tmp_path / INDEX)]
    with subprocess.Popen([*command, "-f", "null", "-"], stderr=subprocess.PIPE, text=True) as player:
        assert player.stderr is not None
        seen = [player.stderr.readline()]
        while seen[-1] and "000001.ts' for reading" not in seen[-1]:
            seen.append(player.stderr.readline())
        deliver(sink, source, 20)
        sink.finish()
        seen += player.stderr.readlines()
        assert player.wait(PATIENCE_S) == 0
    assert re.findall(r"frame=\s*(\d+)", "".join(seen))[-1] == "41"
    assert not [line for line in seen if "[warning]" in line or "[error]" in line]


class TestPlaylist:
    def test_the_target_never_shrinks(self) -> None:
        playlist = Playlist(2, 2.0)
        for number, length_s in enumerate((2.0, 4.6, 2.0, 2.0, 2.0)):
            playlist.add(Segment(f"{number}.ts", length_s, NOON, False))
        assert "#EXT-X-TARGETDURATION:5\n" in playlist.text()

    def test_the_shortest_target_is_a_second(self) -> None:
        playlist = Playlist(3, 0.2)
        playlist.add(Segment("0.ts", 0.2, NOON, False))
        assert "#EXT-X-TARGETDURATION:1\n" in playlist.text()

    def test_discontinuities_that_left_are_counted_also_over_a_restart(self) -> None:
        playlist = Playlist(1, 2.0)
        for number in range(3):
            playlist.add(Segment(f"{number}.ts", 2.0, NOON, True))
        assert "#EXT-X-DISCONTINUITY-SEQUENCE:2\n#" in playlist.text()
        later = Playlist(1, 2.0, playlist.text())
        assert later.next_number == 3
        assert "#EXT-X-DISCONTINUITY-SEQUENCE:3\n" in later.text()


@pytest.mark.skipif(os.name == "nt", reason="names that Windows does not have")
def test_the_folder_has_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("12:30 %03d#?")
    sink = sink_to(folder)
    sink.open()
    deliver(sink, Source(), 10)
    sink.finish()
    (part,) = listed(folder)
    with (folder / part).open("rb") as file, av.open(file) as container:
        assert len(list(container.decode(video=0))) == 10
