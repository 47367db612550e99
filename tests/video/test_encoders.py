from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from streamer.config import VideoConfig
from streamer.messages.keyframes import Frame
from streamer.video.encoding import encoder_run
from streamer.video.encoding import encoders as module
from streamer.video.encoding.encoder_selection import EncoderChoice
from streamer.video.encoding.encoders import Encoders, EncodeSpec
from streamer.video.encoding.h264 import Piece
from streamer.video.encoding.muxers import VideoKind
from streamer.video.encoding.packet_protocol import MediaInfo, PacketUnpacker
from streamer.video.encoding.shared_encoder import Encoder, EncoderError
from tests.patience import PATIENCE_S

VIDEO = VideoConfig(width=160, height=96, fps=10, gop_s=0.5, bitrate_kbps=400)
CHOICE = EncoderChoice("libx264", "ultrafast", "the test says so")


@pytest.fixture
def encoders() -> Iterator[Encoders]:
    made = Encoders(VIDEO, choice=CHOICE)
    yield made
    made.close()


def frame(number: int) -> Frame:
    row = (np.arange(160) + 4 * number) % 200 + 20
    return Frame(np.repeat(np.repeat(row[None, :, None], 96, 0), 3, 2).astype(np.uint8), number, None)


def feed(encoders: Encoders, numbers: range, *encodes: Encoder) -> None:
    """Put frames, each after all these encoders have finished the previous one."""
    paces = [encoder.subscribe("jpeg") for encoder in encodes]
    for number in numbers:
        encoders.put(frame(number))
        assert all(pace.read(PATIENCE_S) is not None for pace in paces)
    for pace in paces:
        pace.close()


def test_outputs_that_want_the_same_share_one_encode(encoders: Encoders) -> None:
    assert encoders.encoder(encoders.spec()) is encoders.main
    assert encoders.encoder(encoders.spec(width=160, height=96, bitrate_kbps=400)) is encoders.main
    small = encoders.encoder(encoders.spec(width=80, height=48))
    assert small is not encoders.main
    assert encoders.encoder(encoders.spec(width=80, height=48)) is small
    for other in ({"bitrate_kbps": 500}, {"gop_s": 2.0}, {"cbr": True}):
        assert encoders.encoder(encoders.spec(width=80, height=48, **other)) is not small


def test_a_size_of_its_own_is_encoded_only_while_somebody_wants_it(encoders: Encoders) -> None:
    main, small = encoders.main, encoders.encoder(encoders.spec(width=80, height=48))
    viewers = [main.subscribe("packets"), small.subscribe("packets")]
    assert encoders.wanted
    feed(encoders, range(3), main, small)
    infos = [PacketUnpacker().feed(viewer.read(0) or b"")[0] for viewer in viewers]
    assert [(info.width, info.height) for info in infos if isinstance(info, MediaInfo)] == [(160, 96), (80, 48)]
    assert main.status().encoded == small.status().encoded == 3
    viewers[1].close()
    feed(encoders, range(3, 6), main)
    assert (main.status().encoded, small.status().encoded) == (6, 3)
    viewers[0].close()
    feed(encoders, range(6, 9))
    assert not encoders.wanted
    assert main.status().encoded == 6


def test_an_encode_that_nobody_holds_is_freed(encoders: Encoders) -> None:
    small = encoders.encoder(encoders.spec(width=80, height=48))
    viewer = small.subscribe("packets")
    del small
    gc.collect()
    status = encoders.status()
    assert [(spec.width, each.viewers) for spec, each in status.encodes] == [(160, 0), (80, 1)]
    assert status.viewers == 1
    viewer.close()
    del viewer, status
    gc.collect()
    assert len(encoders.status().encodes) == 1


def test_an_encode_that_dies_ends_only_for_its_own_outputs(
    encoders: Encoders, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    small = encoders.encoder(encoders.spec(width=80, height=48))
    lost, kept = small.subscribe("ts"), encoders.main.subscribe("ts")
    encode = encoder_run.H264Run.encode

    def fail(run: encoder_run.H264Run, *rest: object) -> object:
        if run.spec.width == 80:
            raise ZeroDivisionError("oops")
        return encode(run, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(encoder_run.H264Run, "encode", fail)
    encoders.put(frame(0))
    assert lost.read(PATIENCE_S) is None
    assert lost.closed
    feed(encoders, range(1, 4), encoders.main)
    assert kept.read(PATIENCE_S) is not None
    assert "oops" in encoders.status().error
    assert "the encoder's thread died" in caplog.text
    assert encoders.encoder(encoders.spec(width=80, height=48)) is not small


def test_where_the_gpu_has_no_room_the_cpu_encodes(
    encoders: Encoders, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_gpu(spec: EncodeSpec, *rest: object, **options: object) -> Encoder:
        if spec.encoder == "h264_nvenc":
            raise EncoderError("out of sessions")
        return Encoder(spec, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "Encoder", no_gpu)
    wanted = replace(encoders.spec(width=80, height=48), encoder="h264_nvenc", preset="p4")
    made = encoders.encoder(wanted)
    assert (made.spec.encoder, made.spec.preset) == ("libx264", "superfast")
    assert encoders.encoder(wanted) is made
    assert "80x48 runs on the CPU: out of sessions" in caplog.text


def test_the_cpu_takes_over_when_the_gpu_fails_mid_stream(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import av

    encoder = Encoder(EncodeSpec(160, 96, 10, 400, 0.5, preset="ultrafast"))
    encoder._spec = replace(encoder.spec, encoder="h264_nvenc", preset="p4")
    encode = encoder_run.H264Run.encode
    opened = []

    class Run(encoder_run.H264Run):
        def __init__(self, spec: EncodeSpec) -> None:
            opened.append(spec.encoder)
            super().__init__(replace(spec, encoder="libx264", preset="ultrafast"))
            self.fails = spec.encoder == "h264_nvenc"

        def encode(self, image: np.ndarray | None, number: int) -> list[encoder_run.EncodedPicture]:
            if self.fails and number == 2:
                raise av.FFmpegError(5, "the GPU fell off the bus")
            return encode(self, image, number)

    monkeypatch.setattr(encoder_run, "H264Run", Run)
    packets, web = encoder.subscribe("packets"), encoder.subscribe("mp4")
    pace = encoder.subscribe("jpeg")
    for number in range(5):
        encoder.put(frame(number))
        assert pace.read(PATIENCE_S) is not None
    assert opened == ["h264_nvenc", "libx264"]
    assert web.closed
    assert not packets.closed
    assert encoder.status().error == ""
    assert "encoding on the CPU from now on" in caplog.text
    encoder.close()


def test_closed_is_closed() -> None:
    encoders = Encoders(VIDEO, choice=CHOICE)
    viewer = encoders.encoder(encoders.spec(cbr=True)).subscribe("ts")
    encoders.close()
    encoders.close()
    assert viewer.closed
    with pytest.raises(EncoderError, match="closed"):
        encoders.encoder(encoders.spec(cbr=True))


def test_the_choice_is_logged_once_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        encoders = Encoders(VIDEO, choice=CHOICE)
    assert caplog.messages == ["encoding with libx264, preset ultrafast: the test says so"]
    assert encoders.status().choice == encoders.choice == CHOICE
    assert encoders.main.spec.preset == "ultrafast"
    encoders.close()


def test_each_encode_has_its_own_listener_and_only_the_main_one_may_count_as_a_viewer() -> None:
    heard: dict[int, list[bytes]] = {}

    class Ear:
        kind: VideoKind = "packets"

        def __init__(self, spec: EncodeSpec) -> None:
            self.pieces = heard.setdefault(spec.width, [])

        def offer(self, piece: Piece, init: bytes | None = None) -> int:
            self.pieces.append(piece.data)
            return 0

        def close(self) -> None:
            pass

    made = Encoders(VIDEO, choice=CHOICE, listen=Ear, always=True)
    try:
        small = made.encoder(made.spec(width=80, height=48))
        assert made.wanted
        feed(made, range(3), made.main, small)
        assert {width: len(pieces) for width, pieces in heard.items()} == {160: 3, 80: 0}
        viewer = small.subscribe("ts")
        feed(made, range(3, 6), made.main, small)
        assert {width: len(pieces) for width, pieces in heard.items()} == {160: 6, 80: 3}
        viewer.close()
    finally:
        made.close()
