from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from streamer.video.encoding.packet_protocol import VIDEO_RATE, Media, MediaInfo
from streamer.video.sinks.container import Container
from streamer.video.sound.aac import BLOCK, AacEncoder, AacPacket
from tests.sounds import RATE, pitch, sine


def encode(samples: np.ndarray, first: int = 0) -> tuple[bytes, list[AacPacket]]:
    encoder = AacEncoder(RATE, 128)
    blocks = [samples[at : at + BLOCK] for at in range(0, len(samples) - BLOCK + 1, BLOCK)]
    return encoder.extradata, [
        packet for number, block in enumerate(blocks) for packet in encoder.encode(block, first + number * BLOCK)
    ]


def mux(container_name: str, extradata: bytes, packets: list[AacPacket]) -> bytes:
    """Return a file of these packets with black pictures at 25 per second from 0 s on. The thirteenth is white."""
    video = av.CodecContext.create("libx264", "w")
    video.width, video.height, video.pix_fmt, video.framerate = 64, 64, "yuv420p", Fraction(25)
    video.time_base, video.max_b_frames, video.options = Fraction(1, 25), 0, {"tune": "zerolatency"}
    pictures = []
    for number in range(25):
        frame = av.VideoFrame.from_ndarray(np.full((96, 64), 255 if number == 12 else 16, np.uint8), "yuv420p")
        frame.pts = number
        pictures += video.encode(frame)
    file = io.BytesIO()
    options = {"movflags": "empty_moov+default_base_moof+frag_keyframe+delay_moov"} if container_name == "mp4" else {}
    info = MediaInfo(64, 64, 25, b"", 1000, RATE, extradata, 128)
    container = Container(file, container_name, info, options)
    for number, picture in enumerate(pictures):
        container.mux(Media(False, bytes(picture), number * VIDEO_RATE // 25, VIDEO_RATE // 25, picture.is_keyframe))
        while packets and packets[0].pts < (number + 1) * RATE // 25:
            packet = packets.pop(0)
            container.mux(Media(True, packet.data, packet.pts, packet.duration, True))
    container.close()
    return file.getvalue()


def test_packets_hold_the_blocks_that_they_name():
    samples = sine(1.0)
    _, packets = encode(samples, first=5 * BLOCK)
    assert [packet.pts for packet in packets] == [(5 + number) * BLOCK for number in range(len(packets))]
    assert len(packets) == len(samples) // BLOCK - 2
    assert {packet.duration for packet in packets} == {BLOCK}


@pytest.mark.parametrize("container_name", ["mpegts", "mp4", "matroska", "flv"])
def test_a_click_and_a_flash_at_one_moment_are_read_back_at_one_moment(container_name):
    samples = np.zeros((RATE, 2), np.float32)
    samples[RATE * 12 // 25 :][:480] = 0.5 * np.sign(sine(0.01, 1000))
    data = mux(container_name, *encode(samples))
    with av.open(io.BytesIO(data), format=container_name) as container:
        (white_s,) = [float(frame.time) for frame in container.decode(video=0) if frame.to_ndarray()[:64].mean() > 128]
    with av.open(io.BytesIO(data), format=container_name) as container:
        heard = []
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.2)
            heard += [float(frame.time) + at / frame.sample_rate for at in loud]
    assert abs(heard[0] - white_s) <= 0.010
    assert heard[-1] - heard[0] < 0.012


def test_what_is_decoded_from_mid_stream_is_the_sound_there():
    extradata, packets = encode(np.concatenate((sine(0.5, 300), sine(0.5, 900))))
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = extradata
    decoded = [(packet.pts, decoder.decode(av.Packet(packet.data))) for packet in packets[10:]]
    late = np.concatenate([frame.to_ndarray().T for pts, frames in decoded for frame in frames if pts > RATE * 0.55])
    early = np.concatenate([frame.to_ndarray().T for pts, frames in decoded for frame in frames if pts < RATE * 0.45])
    assert abs(pitch(late) - 900) < 10
    assert abs(pitch(early) - 300) < 10


def test_what_is_forgotten_never_appears_and_what_follows_has_its_own_time():
    encoder = AacEncoder(RATE, 128)
    block = np.zeros((BLOCK, 2), np.float32)
    first = [packet.pts for number in range(5) for packet in encoder.encode(block, number * BLOCK)]
    encoder.forget()
    later = [packet.pts for number in range(100, 105) for packet in encoder.encode(block, number * BLOCK)]
    assert first == [0, BLOCK, 2 * BLOCK]
    assert later == [100 * BLOCK, 101 * BLOCK, 102 * BLOCK]


def test_a_block_of_another_size_is_the_callers_mistake():
    with pytest.raises(ValueError, match=r"must be \(1024, 2\)"):
        AacEncoder(RATE, 128).encode(np.zeros((1000, 2), np.float32), 0)


def test_one_packet_of_silence_does_for_all_silence():
    encoder = AacEncoder(RATE, 128)
    data = encoder.silence()
    assert {packet.data for packet in encode(np.zeros((20 * BLOCK, 2), np.float32))[1][2:]} == {data}
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = encoder.extradata
    assert not any(frame.to_ndarray().any() for _ in range(10) for frame in decoder.decode(av.Packet(data)))
