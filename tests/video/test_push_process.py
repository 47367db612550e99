from __future__ import annotations

import io
import socket
from pathlib import Path

import av
import pytest

from streamer.video.encoding.packet_protocol import Media, MediaInfo, PacketUnpacker
from streamer.video.sinks.push_process import Connection, tee_address
from tests.video.packets import Source

FPS, GOP = 10, 5


@pytest.mark.parametrize("name", ["plain.mp4", "a|b'c\\d:e]f[g h.mp4"])
@pytest.mark.parametrize("brand", ["isom", "a:]'", "b\\|c", "'[=]"])
def test_tee_gets_address_and_options_as_they_are(tmp_path: Path, name: str, brand: str) -> None:
    with av.open(tee_address(str(tmp_path / name), {"f": "mp4", "brand": brand}), "w", format="tee") as container:
        container.add_mux_stream("h264", rate=FPS, width=160, height=96)
        container.start_encoding()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes()[4:12] == b"ftyp" + brand.encode()


def media_of(source: Source, count: int) -> tuple[MediaInfo, list[Media]]:
    items = PacketUnpacker().feed(b"".join(source.pieces(count)))
    (info,) = (item for item in items if isinstance(item, MediaInfo))
    return info, [item for item in items if isinstance(item, Media)]


def test_a_connection_begins_at_a_keyframe_at_zero_with_picture_and_sound_in_step() -> None:
    info, media = media_of(Source(fps=FPS, gop=GOP), 30)
    late = media[next(i for i, item in enumerate(media) if not item.audio) + 5 :]  # in the middle of a group of pictures
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        listener.settimeout(20.0)
        where = f"127.0.0.1:{listener.getsockname()[1]}"
        order = {"url": f"udp://{where}?pkt_size=1316", "format": "mpegts", "options": {}, "where": where, "keyed": False}
        connection = Connection(order, info)
        for item in late:
            connection.send(item)
        connection.send(late[0])  # too old: not sent
        assert connection.moved()[0] == sum(len(item.data) for item in sent(late))
        connection.close()
        listener.setblocking(False)
        data = b""
        try:
            while True:
                data += listener.recv(2000)
        except BlockingIOError:
            pass
    with av.open(io.BytesIO(data), format="mpegts") as container:
        packets = [(packet.stream.type, packet.pts, packet.is_keyframe) for packet in container.demux() if packet.size]
    video = [pts for kind, pts, _ in packets if kind == "video"]
    audio = [pts for kind, pts, _ in packets if kind == "audio"]
    assert video == [video[0] + 9000 * number for number in range(25)]
    assert 0 <= audio[0] - video[0] < 1920
    assert next(key for kind, _, key in packets if kind == "video")


def sent(media: list[Media]) -> list[Media]:
    first = next(item for item in media if item.key and not item.audio)
    return [
        item
        for item in media[media.index(first) :]
        if (item.pts * 90_000 >= first.pts * 48_000 if item.audio else item.pts >= first.pts)
    ]
