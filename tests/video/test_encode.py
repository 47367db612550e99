from __future__ import annotations

import io
import threading
from collections.abc import Iterator

import av
import cv2
import numpy as np
import pytest

from streamer.config import VideoConfig
from streamer.messages import Frame
from streamer.video import encode
from streamer.video.encode import Encoder, EncoderError
from streamer.video.h264 import Piece, codec_string, fragment_times
from streamer.video.subscription import Subscription

VIDEO = VideoConfig(width=160, height=96, fps=10, gop_s=0.5, bitrate_kbps=400, preset="ultrafast")
GOP = 5
PATIENCE_S = 20.0


def picture(number: int) -> np.ndarray:
    """A grey wedge that slides, so that every frame differs."""
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
    """Put frames one by one, each once the one before is encoded, so that none is dropped."""
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


def test_dropped_numbers_become_a_longer_picture(encoder: Encoder) -> None:
    viewer = encoder.subscribe("mp4")
    feed(encoder, range(3))
    feed(encoder, range(6, 10))
    frames = decode(b"".join(drain(viewer)))
    assert [round(f.time * 10) for f in frames] == [0, 1, 2, 6, 7, 8]
    pieces = [fragment_times(piece) for piece in drain(viewer)]
    assert pieces == []


def test_jpegs_are_pictures(encoder: Encoder) -> None:
    viewer = encoder.subscribe("jpeg")
    encoder.put(frame(3))
    data = viewer.read(PATIENCE_S)
    assert data is not None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(image.astype(float) - picture(3)).mean() < 3
    assert encoder.latest_jpeg() == data


def test_nothing_is_encoded_while_nobody_looks(encoder: Encoder) -> None:
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
    with pytest.raises(ValueError, match="kind is 'avi'; must be one of ts, mp4, jpeg"):
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

    monkeypatch.setattr(encode, "RETRY_S", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr(encode.H264Run, "encode", fail)
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

    monkeypatch.setattr(encode.H264Run, "encode", fail)
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


def test_the_reader_can_be_told_instead_of_waiting() -> None:
    calls: list[int] = []
    viewer = share("ts", on_ready=lambda: calls.append(1))
    viewer.offer(Piece(b"k", key=True))
    viewer.close()
    viewer.close()
    assert viewer.offer(Piece(b"k", key=True)) == 0
    assert len(calls) == 2
