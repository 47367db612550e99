from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import av
import cv2
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext

from streamer.config import VideoConfig
from streamer.messages.keyframes import Frame
from streamer.video.encoding import encoder_run, h264, shared_encoder
from streamer.video.encoding.frame_images import letterboxed
from streamer.video.encoding.h264 import H264Run, Piece, codec_string, fragment_times, open_codec
from streamer.video.encoding.muxers import VideoKind
from streamer.video.encoding.packet_protocol import Media, MediaInfo, PacketUnpacker
from streamer.video.encoding.shared_encoder import Encoder, EncoderError
from streamer.video.encoding.spec import EncodeSpec
from streamer.video.encoding.subscription import Subscription
from streamer.video.frames.clock import SLACK_S
from tests.patience import PATIENCE_S

VIDEO = VideoConfig(width=160, height=96, fps=10, gop_s=0.5, bitrate_kbps=400, preset="ultrafast")
GOP = 5


def picture(number: int) -> np.ndarray:
    """Return a sliding grey wedge, so that every frame differs."""
    row = (np.arange(160) + 4 * number) % 200 + 20
    return np.repeat(np.repeat(row[None, :, None], 96, 0), 3, 2).astype(np.uint8)


def frame(number: int, image: np.ndarray | None = None) -> Frame:
    return Frame(picture(number) if image is None else image, number, None)


@pytest.fixture
def encoder() -> Iterator[Encoder]:
    made = Encoder(VIDEO)
    yield made
    made.close()


def feed(encoder: Encoder, numbers: range, *, image: np.ndarray | None = None) -> None:
    """Put frames, each after the previous one is encoded, so that none is dropped."""
    pace = encoder.subscribe("jpeg")
    for number in numbers:
        encoder.put(frame(number, image))
        assert pace.read(PATIENCE_S) is not None
    pace.close()


def drain(subscription: Subscription) -> list[bytes]:
    return list(iter(lambda: subscription.read(0), None))


def decode(data: bytes) -> list[av.VideoFrame]:
    with av.open(io.BytesIO(data)) as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize("kind", ["ts", "mp4"])
def test_what_viewers_get_decodes_to_what_was_put(encoder: Encoder, kind: str) -> None:
    viewer = encoder.subscribe(kind)
    feed(encoder, range(7, 27))
    frames = decode(b"".join(drain(viewer)))
    assert len(frames) == {"ts": 20, "mp4": 19}[kind]
    assert [f.time - frames[0].time for f in frames] == pytest.approx([n / 10 for n in range(len(frames))])
    for number, shown in enumerate(frames, start=7):
        error = shown.to_ndarray(format="rgb24").astype(float) - picture(number)
        assert np.abs(error).mean() < 6


def test_what_the_clock_makes_up_for_after_a_hiccup_finds_room_and_more_is_counted(encoder: Encoder) -> None:
    busy, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        busy.set()
        assert go_on.wait(PATIENCE_S)

    first = encoder.subscribe("jpeg", on_ready=hold)
    encoder.put(frame(0))
    assert busy.wait(PATIENCE_S)  # the encoder is busy with the first frame
    at_once = math.ceil(SLACK_S * VIDEO.fps) + 1
    assert not any(encoder.put(frame(1 + number)) for number in range(at_once))
    assert encoder.status().dropped == 0
    more = [encoder.put(frame(1 + at_once + number)) for number in range(2 * at_once)]
    assert encoder.status().dropped == sum(more) > 0
    go_on.set()
    first.close()


def test_colours_survive_and_are_tagged_bt709(encoder: Encoder) -> None:
    viewer = encoder.subscribe("ts")
    red = np.full((96, 160, 3), (200, 30, 60), np.uint8)
    feed(encoder, range(4), image=red)
    shown = decode(b"".join(drain(viewer)))[-1]
    assert (shown.colorspace, shown.color_primaries, shown.color_trc, shown.color_range) == (1, 1, 1, 1)
    rgb = shown.reformat(format="rgb24", src_colorspace="ITU709", dst_color_range="JPEG").to_ndarray()
    assert np.abs(rgb.reshape(-1, 3).mean(0) - (200, 30, 60)).max() < 4


def test_mp4_starts_with_an_init_segment_then_whole_fragments_from_zero(encoder: Encoder) -> None:
    early = encoder.subscribe("mp4")
    feed(encoder, range(GOP + 2))
    late = encoder.subscribe("mp4")
    feed(encoder, range(GOP + 2, 3 * GOP + 2))
    first, second = drain(early), drain(late)
    assert first[0] == second[0]
    assert first[0][4:8] == b"ftyp"
    assert b"avcC" in first[0]
    for pieces in (first, second):
        assert all(piece[4:8] == b"moof" for piece in pieces[1:])
        assert fragment_times(pieces[1])[1] == 0
    assert decode(b"".join(second))[0].key_frame


def test_mime_names_the_codec_of_the_stream(encoder: Encoder) -> None:
    viewer = encoder.subscribe("ts")
    feed(encoder, range(1))
    with av.open(io.BytesIO(b"".join(drain(viewer)))) as container:
        packet = next(container.demux(video=0))
        assert encoder.mime == f'video/mp4; codecs="{codec_string(bytes(packet))}"'
    assert encoder.mime.startswith('video/mp4; codecs="avc1.')


def test_ts_is_joined_at_a_keyframe_with_tables_first(encoder: Encoder) -> None:
    first = encoder.subscribe("ts")
    feed(encoder, range(2))
    viewer = encoder.subscribe("ts")
    feed(encoder, range(2, 2 * GOP))
    data = b"".join(drain(viewer))
    assert len(data) % 188 == 0
    pids = [int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF for at in range(0, len(data), 188)]
    assert pids[0] in (0, 17)  # PAT, or the service description before it
    assert 0 in pids[:3]
    frames = decode(data)
    assert frames[0].key_frame
    assert len(frames) == GOP
    first.close()


def test_a_short_gap_is_filled_with_the_picture_before_it(encoder: Encoder) -> None:
    viewer = encoder.subscribe("mp4")
    feed(encoder, range(3))
    feed(encoder, range(6, 10))
    frames = decode(b"".join(drain(viewer)))
    assert [round(f.time * 10) for f in frames] == list(range(9))
    assert np.abs(frames[4].to_ndarray(format="rgb24").astype(float) - picture(2)).mean() < 6


def test_a_long_gap_becomes_a_longer_picture_but_for_its_keyframes(encoder: Encoder) -> None:
    viewer = encoder.subscribe("mp4")
    feed(encoder, range(3))
    feed(encoder, range(23, 27))
    frames = decode(b"".join(drain(viewer)))
    assert [round(f.time * 10) for f in frames] == [0, 1, 2, 5, 10, 15, 20, 23, 24, 25]
    assert [f.key_frame for f in frames] == [n % 5 == 0 for n in (0, 1, 2, 5, 10, 15, 20, 23, 24, 25)]


def test_where_frames_are_missing_all_the_time_gaps_stay(encoder: Encoder) -> None:
    viewer = encoder.subscribe("packets")
    pieces = []
    for number in range(0, 80, 2):
        feed(encoder, range(number, number + 1))
        pieces += [m for piece in unpack_all(drain(viewer)) for m in piece if isinstance(m, Media)]
    numbers = [m.pts // 9000 for m in pieces]
    assert numbers[:20] == list(range(20))
    assert len([n for n in numbers if n > 40]) < 28  # of 39: 19 put in, plus keyframes and every tenth gap
    assert [n for n in numbers if n % GOP == 0] == list(range(0, 79, GOP))
    assert [m.pts // 9000 for m in pieces if m.key] == list(range(0, 79, GOP))


def test_after_a_very_long_gap_the_keyframe_interval_restarts(encoder: Encoder) -> None:
    viewer = encoder.subscribe("ts")
    feed(encoder, range(3))
    feed(encoder, range(1003, 1009))
    frames = decode(b"".join(drain(viewer)))
    assert [round((f.time - frames[0].time) * 10) for f in frames] == [0, 1, 2, *range(1003, 1009)]
    assert [f.key_frame for f in frames[3:]] == [True, False, False, False, False, True]


def test_jpegs_are_pictures(encoder: Encoder) -> None:
    viewer = encoder.subscribe("jpeg")
    encoder.put(frame(3))
    data = viewer.read(PATIENCE_S)
    assert data is not None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(image.astype(float) - picture(3)).mean() < 3
    assert encoder.latest_jpeg() == data


def test_nothing_is_encoded_while_nobody_watches(encoder: Encoder) -> None:
    assert encoder.latest_jpeg() is None
    encoder.put(frame(0))
    assert encoder.latest_jpeg() is not None
    viewer = encoder.subscribe("ts")
    feed(encoder, range(1, 4))
    viewer.close()
    feed(encoder, range(4, 8))
    status = encoder.status()
    assert (status.viewers, status.running, status.encoded) == (0, False, 3)
    again = encoder.subscribe("ts")
    feed(encoder, range(8, 10))
    assert decode(b"".join(drain(again)))[0].key_frame


def test_a_wrong_size_or_kind_is_the_callers_mistake(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match=r"frame is \(96, 158, 3\) uint8; must be \(96, 160, 3\) uint8"):
        encoder.put(Frame(np.zeros((96, 158, 3), np.uint8), 0, None))
    with pytest.raises(
        ValueError, match="kind is 'avi'; must be one of ts, ts\\+audio, mp4, packets, packets\\+audio, jpeg, rgb"
    ):
        encoder.subscribe("avi")


def test_close_wakes_readers_and_ends_the_thread() -> None:
    encoder = Encoder(VIDEO)
    viewer = encoder.subscribe("ts")
    got: list[bytes | None] = []
    reader = threading.Thread(target=lambda: got.append(viewer.read(PATIENCE_S)))
    reader.start()
    encoder.close()
    reader.join(PATIENCE_S)
    assert got == [None]
    assert viewer.closed
    encoder.close()
    with pytest.raises(EncoderError, match="closed"):
        encoder.subscribe("ts")
    assert not any(t.name == "encoder" for t in threading.enumerate())


def test_a_failing_encoder_is_opened_again(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    viewer = encoder.subscribe("mp4")
    feed(encoder, range(3))

    def fail(*_: object) -> None:
        raise av.FFmpegError(5, "input/output error")

    monkeypatch.setattr(shared_encoder, "RETRY_S", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr(encoder_run.H264Run, "encode", fail)
        feed(encoder, range(3, 5))
        assert "input/output error" in encoder.status().error
        assert not encoder.status().running
    assert "encoding failed" in caplog.text
    caplog.clear()
    feed(encoder, range(5, 9))
    assert encoder.status().running
    assert encoder.status().error == ""
    assert len(decode(b"".join(drain(viewer)))) == 2 + 3


def test_an_unforeseen_failure_surfaces_in_the_owner(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(encoder_run.H264Run, "encode", fail)
    viewer = encoder.subscribe("ts")
    encoder.put(frame(0))
    assert viewer.read(PATIENCE_S) is None
    assert viewer.closed
    with pytest.raises(EncoderError, match="died: oops"):
        encoder.put(frame(1))
    assert "the encoder's thread died" in caplog.text


# The share's policy, without an encoder.


def share(kind: str = "ts", **options: object) -> Subscription:
    settings: dict[str, object] = {"gapless": True, "on_close": lambda _: None, "on_ready": None, **options}
    return Subscription(kind, 5, **settings)  # type: ignore[arg-type]


def test_a_slow_viewer_loses_everything_up_to_a_keyframe_and_it_is_counted() -> None:
    slow, fast = share(), share()
    seen = []
    for number in range(23):
        piece = Piece(f"{number}".encode(), key=number % 5 == 0)
        slow.offer(piece)
        fast.offer(piece)
        seen.append(fast.read(0))
    assert seen == [f"{n}".encode() for n in range(23)]
    assert fast.dropped == 0
    left = [int(piece) for piece in drain(slow)]
    assert left == [20, 21, 22]
    assert slow.dropped == 20
    assert slow.waiting_bytes == 0


def test_a_newcomer_waits_for_a_keyframe_and_misses_nothing() -> None:
    viewer = share("ts")
    assert [viewer.offer(Piece(b"p", key=False)) for _ in range(3)] == [0, 0, 0]
    assert viewer.read(0) is None
    viewer.offer(Piece(b"k", key=True))
    assert viewer.read(0) == b"k"
    assert viewer.dropped == 0


def test_a_viewer_of_jpegs_always_gets_the_newest() -> None:
    viewer = share("jpeg")
    for number in range(9):
        viewer.offer(Piece(bytes([number]), key=True))
    assert drain(viewer) == [b"\x07", b"\x08"]
    assert viewer.dropped == 7


def test_what_waits_is_bounded_in_bytes_too() -> None:
    viewer = share("ts")
    viewer.offer(Piece(bytes(5 << 20), key=True))
    assert viewer.offer(Piece(bytes(4 << 20), key=False)) == 1
    assert viewer.waiting_bytes == 5 << 20


@pytest.mark.parametrize(("gapless", "times"), [(True, [0, 1, 2, 3, 4]), (False, [0, 1, 7, 8, 9])])
def test_missed_pictures_leave_no_hole_for_browsers_and_a_true_one_in_files(
    encoder: Encoder, gapless: bool, times: list[int]
) -> None:
    source = encoder.subscribe("mp4", gapless=False)
    feed(encoder, range(11))
    init, *fragments = drain(source)
    viewer = share("mp4", gapless=gapless)
    for number in (0, 1, 7, 8, 9):
        viewer.offer(Piece(fragments[number], key=number in (0, 7)), init)
    assert viewer.read(0) == init
    read = [fragment_times(piece)[1:] for piece in drain(viewer)]
    duration = read[0][1]
    assert [time / duration for time, _ in read] == times


def test_the_reader_can_be_notified_instead_of_waiting() -> None:
    calls: list[int] = []
    viewer = share("ts", on_ready=lambda: calls.append(1))
    viewer.offer(Piece(b"k", key=True))
    viewer.close()
    viewer.close()
    assert viewer.offer(Piece(b"k", key=True)) == 0
    assert len(calls) == 2


# Raw packets, sound, other sizes.


class FakeSound:
    """Sound whose packets contain their own position: sample divided by 1024."""

    class Info:
        rate, extradata, bitrate_kbps = 48_000, b"\x11\x90", 128

    info = Info()

    def __init__(self) -> None:
        self.started: list[float] = []

    def reader(self, start_s: float) -> FakeSound.Reader:
        self.started.append(start_s)
        return self.Reader(-(-round(start_s * 48_000) // 1024))

    class Reader:
        def __init__(self, block: int) -> None:
            self.block = block

        def until(self, t_s: float) -> list[AacPacket]:
            found = []
            while self.block * 1024 < round(t_s * 48_000):
                found.append(AacPacket(self.block * 1024, 1024, SILENCE + bytes([self.block % 256])))
                self.block += 1
            return found


class AacPacket(NamedTuple):
    pts: int
    duration: int
    data: bytes


SILENCE = bytes.fromhex("211004608c1c")
"""One block of AAC, stereo."""


@pytest.fixture
def sounding() -> Iterator[Encoder]:
    sound = FakeSound()
    made = Encoder(VIDEO, lambda: sound)
    yield made
    made.close()


def unpack(pieces: list[bytes]) -> list[list[MediaInfo | Media]]:
    unpacker = PacketUnpacker()
    return [unpacker.feed(piece) for piece in pieces]


def test_packets_tell_first_what_they_are_and_share_the_time_of_the_frames(encoder: Encoder) -> None:
    viewer = encoder.subscribe("packets")
    feed(encoder, range(30, 42))
    (info,), *pictures = unpack(drain(viewer))
    assert isinstance(info, MediaInfo)
    assert (info.width, info.height, info.fps, info.bitrate_kbps, info.audio_rate) == (160, 96, 10, 400, 0)
    assert codec_string(info.extradata) in encoder.mime
    media = [only for (only,) in pictures]
    assert [(m.pts, m.duration) for m in media] == [(n * 9000, 9000) for n in range(30, 42)]
    assert [m.key for m in media] == [n % 5 == 0 for n in range(30, 42)]
    assert len(decode(b"".join(m.data for m in media))) == 12


def test_packets_bring_the_sound_that_begins_before_each_pictures_end(sounding: Encoder) -> None:
    viewer = sounding.subscribe("packets+audio")
    feed(sounding, range(30, 42))
    (info,), *pictures = unpack(drain(viewer))
    assert isinstance(info, MediaInfo)
    assert (info.audio_rate, info.audio_extradata, info.audio_bitrate_kbps) == (48_000, b"\x11\x90", 128)
    sound = []
    for number, (first, *rest) in enumerate(pictures, start=30):
        assert not first.audio
        assert all(m.audio and m.key and number * 4800 - 1024 < m.pts < (number + 1) * 4800 for m in rest)
        sound += [m.pts for m in rest]
    assert sound == list(range(141 * 1024, 42 * 4800, 1024))


def test_ts_with_sound_plays_both_from_the_same_moment(sounding: Encoder) -> None:
    viewer = sounding.subscribe("ts+audio")
    feed(sounding, range(30, 50))
    with av.open(io.BytesIO(b"".join(drain(viewer)))) as container:
        packets = [(p.stream.type, float(p.pts * p.time_base)) for p in container.demux() if p.pts is not None]
        assert container.streams.audio[0].rate == 48_000
    times = {kind: [time for which, time in packets if which == kind] for kind in ("video", "audio")}
    assert len(times["video"]) == 20
    assert times["audio"][0] - times["video"][0] == pytest.approx((141 * 1024 - 30 * 4800) / 48_000, abs=1e-3)
    assert np.diff(times["audio"]) == pytest.approx(1024 / 48_000, abs=1e-4)
    assert len(times["audio"]) == pytest.approx(2 * 48_000 / 1024, abs=2)


def test_sound_is_read_on_where_the_picture_is_when_somebody_comes_back(sounding: Encoder) -> None:
    sounding.subscribe("packets+audio").close()
    other = sounding.subscribe("packets")
    feed(sounding, range(6))
    viewer = sounding.subscribe("packets+audio")
    feed(sounding, range(6, 12))
    (_,), (first, *rest), *_ = unpack(drain(viewer))
    assert (first.pts, rest[0].pts) == (10 * 9000, 47 * 1024)
    assert 0 < 47 * 1024 - 10 * 4800 < 1024
    other.close()


def test_no_kind_with_sound_where_there_is_none(encoder: Encoder) -> None:
    with pytest.raises(ValueError, match="there is no sound here"):
        encoder.subscribe("ts+audio")


def test_after_a_failure_packets_tell_again_what_they_are(
    encoder: Encoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    viewer = encoder.subscribe("packets")
    feed(encoder, range(3))

    def fail(*_: object) -> None:
        raise av.FFmpegError(5, "input/output error")

    monkeypatch.setattr(shared_encoder, "RETRY_S", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr(encoder_run.H264Run, "encode", fail)
        feed(encoder, range(3, 5))
    feed(encoder, range(5, 7))
    read = unpack(drain(viewer))
    kinds = [[type(each).__name__ for each in piece] for piece in read]
    assert kinds == [["MediaInfo"], ["Media"], ["Media"], ["Media"], ["MediaInfo", "Media"], ["Media"]]
    assert read[4][1].pts == 5 * 9000
    assert "encoding failed" in caplog.text


def test_an_info_that_a_slow_sink_missed_comes_again() -> None:
    viewer = share("packets")
    for number in range(12):
        viewer.offer(Piece(f"-{number}".encode(), key=number % 5 == 0), b"old")
    assert viewer.read(0) == b"old"
    new = b"new"
    for number in range(12, 26):
        viewer.offer(Piece(f"-{number}".encode(), key=number % 5 == 0), new)
    assert drain(viewer) == [b"new-20", b"-21", b"-22", b"-23", b"-24", b"-25"]


def test_frames_are_scaled_to_the_size_of_the_encode() -> None:
    spec = EncodeSpec(80, 48, 10, 400, 0.5, preset="ultrafast")
    encoder = Encoder(spec, source=(96, 160))
    viewer, bare = encoder.subscribe("packets"), encoder.subscribe("rgb")
    feed(encoder, range(3))
    shown = decode(b"".join(m.data for piece in unpack(drain(viewer))[1:] for m in piece))
    assert (shown[0].width, shown[0].height) == (80, 48)
    image = np.frombuffer(drain(bare)[-1], np.uint8).reshape(48, 80, 3)
    assert np.abs(image.astype(float) - picture(2)[::2, ::2]).mean() < 6
    assert np.abs(shown[2].to_ndarray(format="rgb24").astype(float) - image).mean() < 6
    encoder.close()


def test_another_shape_gets_black_bars_and_nearly_the_same_is_stretched() -> None:
    white = np.full((96, 160, 3), 255, np.uint8)
    tall = letterboxed(white, (160, 100))
    assert tall.shape == (160, 100, 3)
    assert (tall[:50] == 0).all()
    assert (tall[50:110] == 255).all()
    assert (tall[110:] == 0).all()
    assert (letterboxed(white, (97, 160)) == 255).all()


@pytest.mark.parametrize("content", ["still", "moving"])
def test_a_constant_rate_is_held_within_5_percent(content: str) -> None:
    spec = EncodeSpec(160, 96, 10, 400, 1.0, cbr=True, preset="ultrafast")
    encoder = Encoder(spec)
    viewer = encoder.subscribe("packets")
    rng = np.random.default_rng(0)
    sizes = []
    for number in range(80):
        image = picture(0) if content == "still" else rng.integers(0, 255, (96, 160, 3), dtype=np.uint8)
        feed(encoder, range(number, number + 1), image=image)
        sizes += [len(m.data) for piece in unpack_all(drain(viewer)) for m in piece if isinstance(m, Media)]
    encoder.close()
    assert len(sizes) == 80
    assert encoder.mime.startswith('video/mp4; codecs="avc1.4d40')  # Main profile, even with the fastest preset
    assert sum(sizes[10:]) * 8 / 7 == pytest.approx(400_000, rel=0.05)


def unpack_all(pieces: list[bytes]) -> list[list[MediaInfo | Media]]:
    return [PacketUnpacker().feed(piece) for piece in pieces]


@pytest.mark.parametrize(("images_s", "shown"), [(None, 10), (5.0, 5), (2.5, 3), (100.0, 10)])
def test_pictures_are_thinned_out_evenly(images_s: float | None, shown: int) -> None:
    viewer = Subscription("jpeg", 10, gapless=True, on_close=lambda _: None, on_ready=None, images_s=images_s)
    assert sum(viewer.due(number) for number in range(100, 110)) == shown


@pytest.mark.parametrize("cbr", [False, True])
@pytest.mark.parametrize("preset", ["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"])
def test_an_encode_of_less_work_describes_its_pictures_alike(preset: str, cbr: bool) -> None:
    spec = replace(EncodeSpec.of(VIDEO, preset=preset), cbr=cbr)
    run = H264Run(spec)
    run.encode(picture(0), 0)
    low_effort = run.successor(low_effort=True)
    assert low_effort.encode(picture(1), 1)[0].key
    assert low_effort.parameter_sets == run.parameter_sets != b""


@pytest.fixture
def thorough() -> Iterator[Encoder]:
    made = Encoder(VIDEO.model_copy(update={"preset": "veryfast"}))
    yield made
    made.close()


def options_of(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that records, for each encoder opened from now on, whether it is a low-effort one."""
    opened: list[bool] = []

    def note(spec: EncodeSpec, *, low_effort: bool = False) -> VideoCodecContext:
        opened.append(low_effort)
        return open_codec(spec, low_effort=low_effort)

    monkeypatch.setattr(h264, "open_codec", note)
    return opened


@pytest.mark.parametrize("kind", ["ts", "mp4", "packets"])
def test_less_work_and_more_again_leave_a_stream_unbroken(
    thorough: Encoder, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = options_of(monkeypatch)
    viewer = thorough.subscribe(kind)
    pieces = []
    for low_effort, numbers in ((False, range(7)), (True, range(7, 17)), (False, range(17, 26))):
        thorough.reduce_load(low_effort)
        feed(thorough, numbers)
        pieces += drain(viewer)
    assert opened == [False, True, False]
    if kind == "packets":
        told = [each for piece in unpack(pieces) for each in piece]
        assert [isinstance(each, MediaInfo) for each in told] == [True] + [False] * 26
        assert [each.key for each in told if isinstance(each, Media)] == [number % GOP == 0 for number in range(26)]
        return
    frames = decode(b"".join(pieces))
    assert [f.time - frames[0].time for f in frames] == pytest.approx([n / 10 for n in range(len(frames))])
    assert [f.key_frame for f in frames] == [number % GOP == 0 for number in range(len(frames))]
    for number, shown in enumerate(frames):
        assert np.abs(shown.to_ndarray(format="rgb24").astype(float) - picture(number)).mean() < 6
    assert sum(piece[4:8] == b"ftyp" for piece in pieces) == (kind == "mp4")


def test_gaps_are_filled_across_a_change_of_work(thorough: Encoder) -> None:
    viewer = thorough.subscribe("mp4")
    feed(thorough, range(4))
    thorough.reduce_load(True)
    feed(thorough, range(7, 12))
    frames = decode(b"".join(drain(viewer)))
    assert [round(f.time * 10) for f in frames] == list(range(11))
    assert np.abs(frames[5].to_ndarray(format="rgb24").astype(float) - picture(3)).mean() < 6


def test_where_pictures_would_be_described_otherwise_the_work_stays(
    thorough: Encoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(h264.IN_PARAMETER_SETS, "veryfast", "ref=3")
    viewer = thorough.subscribe("mp4")
    thorough.reduce_load(True)
    with caplog.at_level("INFO"):
        feed(thorough, range(3 * GOP))
    assert [message for message in caplog.messages if "stays" in message] == [
        "preset veryfast stays: a faster one would have other parameter sets"
    ]
    assert [round(f.time * 10) for f in decode(b"".join(drain(viewer)))] == list(range(3 * GOP - 1))


class Ear:
    """A listener that records the pieces of an encoder."""

    kind: VideoKind = "packets"

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.inits: set[bytes | None] = set()
        self.closed = False

    def offer(self, piece: Piece, init: bytes | None = None) -> int:
        self.pieces.append(piece)
        self.inits.add(init)
        return 0

    def close(self) -> None:
        self.closed = True

    @property
    def numbers(self) -> list[int]:
        found = [PacketUnpacker().feed(piece.data)[0] for piece in self.pieces]
        return [media.pts * 10 // 90_000 for media in found if isinstance(media, Media)]


def test_who_listens_hears_what_is_encoded_for_others_and_nothing_else(encoder: Encoder) -> None:
    ear = Ear()
    encoder.listen(ear)
    assert not encoder.wanted
    feed(encoder, range(3))
    assert ear.pieces == [], "pictures alone are no video"
    viewer = encoder.subscribe("mp4")
    feed(encoder, range(3, 12))
    viewer.close()
    feed(encoder, range(12, 15))
    assert ear.numbers == list(range(3, 12))
    assert [number for number, piece in zip(ear.numbers, ear.pieces, strict=True) if piece.key] == [3, 8]
    (init,) = ear.inits
    assert isinstance(PacketUnpacker().feed(init or b"")[0], MediaInfo)
    assert encoder.status().viewers == 0
    encoder.close()
    assert ear.closed
    with pytest.raises(EncoderError):
        encoder.listen(ear)


def test_who_listens_always_counts_as_a_viewer(encoder: Encoder) -> None:
    ear = Ear()
    encoder.listen(ear, always=True)
    assert encoder.wanted
    feed(encoder, range(6))
    assert ear.numbers == list(range(6))
    assert encoder.wanted
    assert encoder.status().running
