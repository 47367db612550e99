from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import av
import numpy as np
import pytest
from PIL import Image

from streamer.dream.sources.readers import FilmReader
from streamer.media.timeline import MAY_JUMP, WRAP, Timeline
from streamer.video.files.film_probe import probe_film
from tests.films import carried_over, clicks, flashes, write_clip, write_film
from tests.soundtracks import film_of_tones, renamed

FPS = 25
APART_S = 0.015
"""Largest accepted error of the sound's times, in seconds."""


def joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def twice(path: Path) -> Path:
    return joined(path.with_name("twice.ts"), path, path)


def cut(path: Path) -> Path:
    """Cut a recording so that it begins in the middle of a group of pictures."""
    packets = path.stat().st_size // 188
    path.write_bytes(path.read_bytes()[packets // 6 * 188 :])
    return path


def playlist(folder: Path) -> Path:
    write_clip(folder / "1.ts", 2)
    write_clip(folder / "2.ts", 2, begins_s=500)
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:2"]
    lines += ["#EXTINF:2,", "1.ts", "#EXT-X-DISCONTINUITY", "#EXTINF:2,", "2.ts", "#EXT-X-ENDLIST", ""]
    (folder / "film.m3u8").write_text("\n".join(lines))
    return folder / "film.m3u8"


MADE = {
    "one part": (lambda folder: write_clip(folder / "a.ts"), 3.0),
    "the same twice": (lambda folder: twice(write_clip(folder / "a.ts")), 6.0),
    "an hour between": (
        lambda folder: joined(folder / "b.ts", write_clip(folder / "a.ts"), write_clip(folder / "c.ts", 2, begins_s=3600)),
        5.0,
    ),
    "an hour back": (
        lambda folder: joined(folder / "b.ts", write_clip(folder / "a.ts", begins_s=3600), write_clip(folder / "c.ts", 2)),
        5.0,
    ),
    "a playlist with a discontinuity": (playlist, 4.0),
    "over the clock's end": (lambda folder: write_clip(folder / "a.ts", 8, begins_s=int(WRAP) - 3, form="mpegts"), 8.0),
    "no sound": (lambda folder: joined(folder / "b.ts", *[write_clip(folder / "a.ts", sound=None)] * 3), 9.0),
    "sound that is encoded again": (
        lambda folder: joined(folder / "b.ts", *[write_clip(folder / "a.ts", sound="mp2")] * 2),
        6.0,
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_parts_follow_each_other_and_sound_stays_with_its_pictures(name: str, tmp_path: Path) -> None:
    make, seconds = MADE[name]
    film = make(tmp_path)
    with closing(FilmReader(str(film))) as reader:
        seen = flashes(reader)
        assert reader.ends_s == pytest.approx(seconds, abs=1e-3)
    assert seen == pytest.approx([float(second) for second in range(round(seconds))], abs=1e-3)
    assert probe_film(film).seconds == pytest.approx(seconds, abs=1e-3)
    out = carried_over(film, tmp_path / "out.mp4")
    with av.open(str(out)) as made:
        video = made.streams.video[0]
        assert float(video.duration * video.time_base) == pytest.approx(seconds, abs=1 / FPS)
    with closing(FilmReader(str(out))) as reader:
        assert flashes(reader) == pytest.approx(seen, abs=1e-3)
    if name == "no sound":
        return
    heard = clicks(out)
    # The first block of a part's sound may be cut off where parts meet.
    assert len(heard) >= len(seen) - 2
    for click in heard:
        assert min(abs(click - flash) for flash in seen) < APART_S


def test_what_cannot_be_decoded_at_first_does_not_make_sound_late(tmp_path: Path) -> None:
    film = cut(write_clip(tmp_path / "a.ts", 6))
    out = carried_over(film, tmp_path / "out.mp4")
    with closing(FilmReader(str(out))) as reader:
        seen = flashes(reader)
        assert 4 < reader.ends_s < 6
    heard = clicks(out)
    assert len(heard) == len(seen) >= 4
    assert heard == pytest.approx(seen, abs=APART_S)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_reordered_pictures_in_avi_come_in_order(codec: str, tmp_path: Path) -> None:
    film = write_clip(tmp_path / "a.avi", codec=codec, sound="libmp3lame")
    with av.open(str(film)) as container:
        own_s = float(next(iter(container.decode(video=0))).time) - clicks(film)[0]
    with closing(FilmReader(str(film))) as reader:
        assert flashes(reader) == pytest.approx([0, 1, 2], abs=1e-3)
        assert reader.ends_s == pytest.approx(3.0, abs=1e-3)
    heard = clicks(carried_over(film, tmp_path / "out.mp4"))
    assert heard[-1] == pytest.approx(2 - own_s, abs=APART_S)


def test_the_last_picture_lasts_as_long_as_it_says(tmp_path: Path) -> None:
    stills = write_film(tmp_path / "a.mp4", (40, 80, 120), [0, 3, 6], lasts_s=3)
    pictures = [Image.new("RGB", (64, 48), (shade, 0, 0)) for shade in (40, 80, 120, 160)]
    pictures[0].save(tmp_path / "b.gif", save_all=True, append_images=pictures[1:], duration=[2000, 100, 100, 100])
    for film, seconds in ((stills, 9.0), (tmp_path / "b.gif", 2.3)):
        for suffix in (".mp4", ".gif"):
            with av.open(str(carried_over(film, tmp_path / f"out{suffix}"))) as made:
                assert made.duration / av.time_base == pytest.approx(seconds, abs=0.011), (film.name, suffix)


@pytest.mark.parametrize("sound_first", [True, False])
@pytest.mark.parametrize("heard", [True, False])
def test_every_picture_is_shown_whatever_is_first_in_the_file(sound_first: bool, heard: bool, tmp_path: Path) -> None:
    film = film_of_tones(tmp_path / "a.mp4", [440], sound_first=sound_first)
    with closing(FilmReader(str(film if heard else renamed(film, "apac")))) as reader, suppress(EOFError):
        shown = []
        while True:
            shown.append(reader.read()[1])
    assert shown == pytest.approx([number / 10 for number in range(10)], abs=1e-6)


def test_a_bare_stream_keeps_the_rate_it_declares(tmp_path: Path) -> None:
    film = write_clip(tmp_path / "a.h264", 2, 30, sound=None)
    with closing(FilmReader(str(film))) as reader:
        assert flashes(reader) == pytest.approx([0, 1], abs=1e-3)
        assert reader.ends_s == pytest.approx(2.0, abs=1e-3)
    facts = probe_film(film)
    assert (facts.fps, facts.seconds) == pytest.approx((30, 2.0))


def test_an_empty_packet_means_that_the_picture_stays(tmp_path: Path) -> None:
    """Theora specifies this (section 7.1), but PyAV has no encoder for it."""
    path = tmp_path / "a.nut"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuvj420p"
        stream.codec_context.time_base = tick = Fraction(1, 10)
        for number in range(21):
            if number in (0, 12, 20):
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 60 + 5 * number, np.uint8), format="rgb24")
                frame.pts, frame.time_base = number, tick
                container.mux(stream.encode(frame))
            else:
                packet = av.Packet(b"")
                packet.stream, packet.time_base, packet.duration = stream, tick, 1
                packet.pts = packet.dts = number
                container.mux(packet)
    found = []
    with closing(FilmReader(str(path))) as reader, suppress(EOFError):
        while True:
            found.append(reader.read())
    assert [time_s for _, time_s in found] == pytest.approx([number / 10 for number in range(21)], abs=0.002)
    assert [round(float(image.mean()), -1) for image, _ in found] == [60.0] * 12 + [120.0] * 8 + [160.0]


# The timeline's rules, with made-up packets: captures of a day are too long for a test.


@dataclass
class Made:
    """The part of a packet that a timeline reads."""

    stream_index: int
    dts: int | None
    pts: int | None = None
    duration: int = 3600
    time_base: Fraction = Fraction(1, 90_000)


def place(timeline: Timeline, track: int, time_s: float, *, displayed: bool = False) -> float:
    """Return the time that a packet of a track gets, in seconds."""
    ticks = round(time_s * 90_000)
    packet = Made(track, None if displayed else ticks, ticks)
    timeline.place(cast(Any, packet))
    assert packet.pts is not None
    assert displayed or packet.dts == packet.pts
    return packet.pts / 90_000


def a_timeline(*, leaps: bool = True) -> Timeline:
    return Timeline(cast(Any, SimpleNamespace(format=SimpleNamespace(flags=MAY_JUMP if leaps else 0))))


def test_a_track_that_is_late_stays_in_its_part() -> None:
    timeline = a_timeline()
    for number in range(100):
        place(timeline, 0, number / 25)
        place(timeline, 1, number / 25)
    assert place(timeline, 0, 100) == pytest.approx(4.0)  # the picture jumps before the sound does
    assert place(timeline, 1, 4.0) == pytest.approx(4.0)
    assert place(timeline, 1, 4.04) == pytest.approx(4.04)
    assert place(timeline, 1, 100.02) == pytest.approx(4.02)
    assert place(timeline, 0, 100.04) == pytest.approx(4.04)


def test_the_clocks_end_is_passed_however_often() -> None:
    """FFmpeg unwraps the clock once. After the next wrap, times are 26.5 h too early."""
    timeline = a_timeline()
    wrap = float(WRAP)
    for time_s in (wrap - 8, wrap - 4, wrap - 0.5):
        assert place(timeline, 0, time_s) == pytest.approx(time_s)
    for time_s in (0.5, 4.0):
        assert place(timeline, 0, time_s) == pytest.approx(wrap + time_s), "to the second, not only one after the other"


def test_one_wrong_time_does_not_move_what_follows() -> None:
    timeline = a_timeline()
    for number in range(10):
        place(timeline, 0, number / 25)
    assert place(timeline, 0, 50_000) == pytest.approx(0.4)
    assert [place(timeline, 0, number / 25) for number in (11, 12)] == pytest.approx([0.44, 0.48])


def test_a_still_picture_is_no_jump_while_sound_continues() -> None:
    timeline = a_timeline()
    place(timeline, 0, 0)
    for number in range(30):
        place(timeline, 1, number)
    assert place(timeline, 0, 29) == pytest.approx(29)


def test_formats_with_one_clock_may_leave_gaps() -> None:
    """Slides in an MP4 last for minutes."""
    timeline = a_timeline(leaps=False)
    assert [place(timeline, 0, time_s) for time_s in (0, 60, 600)] == pytest.approx([0, 60, 600])


def test_formats_with_one_clock_may_leave_gaps_after_they_were_put_together() -> None:
    timeline = a_timeline(leaps=False)
    assert [place(timeline, 0, time_s) for time_s in (0, 60, 0, 60, 120)] == pytest.approx([0, 60, 60.04, 120.04, 180.04])


def test_a_film_may_tell_at_first_when_it_is_shown_and_then_when_it_is_decoded() -> None:
    """Matroska with B-frames does this."""
    timeline = a_timeline(leaps=False)
    assert [place(timeline, 0, time_s, displayed=True) for time_s in (10.0, 10.2)] == pytest.approx([10, 10.2])
    assert [place(timeline, 0, time_s) for time_s in (10.0, 10.2, 10.4)] == pytest.approx([10, 10.2, 10.4])


def test_times_of_display_are_out_of_order_by_nature() -> None:
    timeline = a_timeline(leaps=False)
    times = [0, 0.16, 0.04, 0.08, 0.32, 0.2]
    assert [place(timeline, 0, time_s, displayed=True) for time_s in times] == pytest.approx(times)
