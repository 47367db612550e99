"""Clips and GIFs as players see them."""

from __future__ import annotations

import io
import struct
from itertools import count
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from streamer.video.album.album_files import ERRORS, SMALL_WIDTH, jpeg, small_jpeg, write_clip, write_gif
from streamer.video.album.clip_buffer import ClipBuffer, Cut
from tests.video.studio import FPS, HEIGHT, SPEC, WIDTH, encode, picture


@pytest.fixture
def cut() -> Cut:
    ring = ClipBuffer(SPEC, 8.0)
    encode(ring, range(300, 400))
    found = ring.cut(0, 395, 8.0)
    assert found is not None
    return found


def boxes(data: bytes) -> list[str]:
    """Return the outermost boxes of an MP4 file."""
    found, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        found.append(data[at + 4 : at + 8].decode())
        at += size
    return found


def test_a_clip_begins_at_nought_with_a_keyframe_and_runs_evenly(cut: Cut, tmp_path: Path) -> None:
    path = tmp_path / "a%03d: clip"
    write_clip(cut, path)
    kinds = boxes(path.read_bytes())
    assert kinds.index("moov") < kinds.index("mdat"), "it plays while it loads"
    with av.open(io.BytesIO(path.read_bytes())) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate, stream.frames) == (WIDTH, HEIGHT, FPS, 86)
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert packets[0].is_keyframe
        assert [packet.pts * packet.time_base for packet in packets] == [
            n * stream.time_base * packets[1].pts for n in range(86)
        ]
        assert packets[1].pts * packets[1].time_base * FPS == 1
        assert all(packet.pts == packet.dts for packet in packets)
        assert [n for n, packet in enumerate(packets) if packet.is_keyframe] == list(range(0, 86, 10))
        assert float(stream.duration * stream.time_base) == pytest.approx(8.6)
    with av.open(io.BytesIO(path.read_bytes())) as container:
        frames = list(container.decode(video=0))
    for number, shown in enumerate(frames, start=310):
        assert np.abs(shown.to_ndarray(format="rgb24").astype(float) - picture(number)).mean() < 6
    assert not any(frame.is_corrupt for frame in frames)


def test_a_gif_shows_the_same_smaller_and_for_as_long(cut: Cut, tmp_path: Path) -> None:
    write_clip(cut, tmp_path / "clip")
    write_gif(tmp_path / "clip", tmp_path / "gif")
    with Image.open(tmp_path / "gif") as gif:
        assert (gif.format, gif.size, gif.n_frames, gif.info["loop"]) == ("GIF", (WIDTH, HEIGHT), 86, 0)
        lasts_ms = 0
        for number in range(gif.n_frames):
            gif.seek(number)
            lasts_ms += gif.info["duration"]
        assert lasts_ms == pytest.approx(8600, abs=50)
        gif.seek(5)
        shown = np.asarray(gif.convert("RGB"), float)
    assert np.abs(cv2.blur(shown, (5, 5)) - cv2.blur(picture(315).astype(float), (5, 5)))[4:-4, 4:-4].mean() < 12


@pytest.mark.parametrize("last", [1, 86, 87, 180], ids=["read", "all read", "palette", "written"])
def test_a_gif_can_be_given_up_at_any_frame(cut: Cut, tmp_path: Path, last: int) -> None:
    class Enough(Exception):
        pass

    write_clip(cut, tmp_path / "clip")
    looks = count(1)

    def look() -> None:
        if next(looks) == last:
            raise Enough

    with pytest.raises(Enough):
        write_gif(tmp_path / "clip", tmp_path / "gif", look)
    assert next(looks) == last + 1


def test_what_is_no_clip_makes_no_gif(tmp_path: Path) -> None:
    (tmp_path / "clip").write_bytes(b"no film at all")
    with pytest.raises(ERRORS):
        write_gif(tmp_path / "clip", tmp_path / "gif")


def test_pictures_are_jpegs_and_the_small_one_is_small() -> None:
    image = np.full((360, 640, 3), (200, 30, 60), np.uint8)
    for data, size in ((jpeg(image), (640, 360)), (small_jpeg(image), (SMALL_WIDTH, 180))):
        with Image.open(io.BytesIO(data)) as found:
            assert (found.format, found.size) == ("JPEG", size)
            assert np.abs(np.asarray(found.convert("RGB"), float).mean((0, 1)) - (200, 30, 60)).max() < 4
    tiny = np.zeros((20, 10, 3), np.uint8)
    with Image.open(io.BytesIO(small_jpeg(tiny))) as found:
        assert found.size == (10, 20)
