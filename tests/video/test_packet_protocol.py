from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.video.encoding.packet_protocol import (
    MAX_BYTES,
    Media,
    MediaInfo,
    PacketProtocolError,
    PacketUnpacker,
    pack,
    pack_info,
)

INFO = MediaInfo(1280, 720, 30, b"\0\0\0\1\x67sps\0\0\0\1\x68pps", 3000, 48_000, b"\x11\x90", 128)
SILENT = MediaInfo(160, 96, 10, b"x", 400, 0, b"", 0)
CUT = pack_info(SILENT)[8:-1]
"""An info without the end of its parameter sets."""


@st.composite
def media(draw: st.DrawFn) -> Media:
    return Media(
        draw(st.booleans()),
        draw(st.binary(max_size=50)),
        draw(st.integers(-(2**40), 2**60)),
        draw(st.integers(0, 2**31)),
        draw(st.booleans()),
    )


@given(
    things=st.lists(media() | st.sampled_from([INFO, SILENT]), max_size=8),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=30),
)
def test_what_is_packed_is_read_however_it_was_cut(things: list[Media | MediaInfo], cuts: list[int]) -> None:
    data = b"".join(pack_info(thing) if isinstance(thing, MediaInfo) else pack(thing) for thing in things)
    unpacker, read = PacketUnpacker(), []
    at = number = 0
    while at < len(data):
        step = cuts[number % len(cuts)]
        read += unpacker.feed(data[at : at + step])
        at, number = at + step, number + 1
    assert read == things


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello, world", "no frame begins with 68656c6c6f2c2077"),
        (b"ZDX\0" + bytes(4), "no frame begins with"),
        (b"ZDV\0" + struct.pack(">I", MAX_BYTES + 1), "no frame begins with"),
        (b"ZDV\0" + struct.pack(">I", 3) + b"abc", "a frame of 3 bytes is too short for its kind"),
        (b"ZDI\0" + struct.pack(">I", len(CUT)) + CUT, "an info ends within its parameter sets"),
    ],
)
def test_nonsense_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(PacketProtocolError, match=words):
        PacketUnpacker().feed(data)


def test_a_picture_too_large_for_a_frame_is_refused() -> None:
    with pytest.raises(PacketProtocolError, match="too many for one frame"):
        pack(Media(False, bytes(MAX_BYTES), 0, 0, True))
