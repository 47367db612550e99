"""Muxes the encoded video for viewers: MPEG-TS, fragmented MP4, and bare packets.

A muxer starts at a keyframe and gets every picture from there on::

    muxer.add(coded, sound) -> list[Piece]     # the picture, and the sound that begins before its end
    muxer.init -> bytes | None                 # what every viewer needs before the first piece
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal, Protocol

import av
from av.packet import Packet

from streamer.video.encoding.h264 import EncodedPicture, Piece, fragment_start
from streamer.video.encoding.packet_protocol import VIDEO_RATE, Media, MediaInfo, pack, pack_info
from streamer.video.encoding.spec import EncodeSpec

TS_OPTIONS = {
    "flush_packets": "1",
    # PAT and PMT precede every picture, so that viewers can join at any keyframe.
    "mpegts_flags": "resend_headers+pat_pmt_at_frames",
    # Sound is sent immediately, and no picture waits for the sound after it.
    "pes_payload_size": "0",
    "max_interleave_delta": "1",
}
MP4_OPTIONS = {
    # delay_moov: the header waits for the first picture, whose parameter sets it holds.
    "movflags": "empty_moov+default_base_moof+frag_every_frame+delay_moov",
    "use_editlist": "0",
}
ADTS_RATES = {48_000: 3, 44_100: 4}
"""Sampling frequency indices (ISO 14496-3, table 1.18)."""

VideoKind = Literal["ts", "ts+audio", "mp4", "packets", "packets+audio"]


class SoundPacket(Protocol):
    """A packet of raw AAC."""

    @property
    def pts(self) -> int:
        """Start in samples, on the time line of the frame numbers."""

    @property
    def duration(self) -> int:
        """Length in samples."""

    @property
    def data(self) -> bytes:
        """Raw AAC."""


class SoundInfo(Protocol):
    """What a container needs to know about the sound."""

    @property
    def rate(self) -> int:
        """Samples per second of each of the two channels."""

    @property
    def extradata(self) -> bytes:
        """AudioSpecificConfig."""

    @property
    def bitrate_kbps(self) -> int:
        """Bit rate of the sound."""


class Muxer(Protocol):
    """Interface of all muxers; each belongs to one thread."""

    @property
    def init(self) -> bytes | None:
        """What every viewer needs before the first piece; None while unknown."""

    def add(self, coded: EncodedPicture, sound: Sequence[SoundPacket]) -> list[Piece]:
        """Add a picture and the sound that begins before its end; return the pieces that are ready."""

    def close(self) -> None:
        """Free it; what it still holds is discarded."""


def make_muxer(kind: VideoKind, spec: EncodeSpec, parameter_sets: bytes, sound: SoundInfo | None) -> Muxer:
    """Make the muxer for a kind, at a keyframe; ``sound`` is for the kinds that have sound."""
    match kind:
        case "ts":
            return TsMuxer(spec, None)
        case "ts+audio":
            return TsMuxer(spec, sound)
        case "mp4":
            return Mp4Muxer(spec)
        case "packets":
            return PacketMuxer(spec, parameter_sets, None)
        case "packets+audio":
            return PacketMuxer(spec, parameter_sets, sound)


class _Collector:
    """A file in memory that keeps what a muxer writes until it is taken."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


class _MemoryContainer:
    """A container written to memory; its time begins with its first picture."""

    def __init__(self, spec: EncodeSpec, format_name: str, options: dict[str, str], audio_rate: int = 0) -> None:
        self._file = _Collector()
        self._container = av.open(self._file, "w", format=format_name, options=options)
        self._video = self._container.add_mux_stream("h264", rate=spec.fps, width=spec.width, height=spec.height)
        self._audio = self._container.add_mux_stream("aac", rate=audio_rate) if audio_rate else None
        self._fps, self._rate = spec.fps, audio_rate
        self._first: int | None = None

    def picture(self, coded: EncodedPicture) -> bytes:
        """Add a picture and return what the container writes."""
        if self._first is None:
            self._first = coded.number
        return self._mux(self._video, coded.data, coded.number - self._first, 1, Fraction(1, self._fps), coded.key)

    def sound(self, packet: SoundPacket, data: bytes) -> bytes:
        """Add sound and return what the container writes; sound before the first picture is left out."""
        start = (self._first or 0) * self._rate // self._fps
        if self._first is None or packet.pts < start:
            return b""
        return self._mux(self._audio, data, packet.pts - start, packet.duration, Fraction(1, self._rate), True)

    def _mux(self, stream: Any, data: bytes, pts: int, duration: int, time_base: Fraction, key: bool) -> bytes:
        packet = Packet(data)
        packet.pts = packet.dts = pts
        packet.duration, packet.time_base, packet.is_keyframe = duration, time_base, key
        packet.stream = stream
        self._container.mux(packet)
        return self._file.take()

    def close(self) -> None:
        self._container.close()


class TsMuxer:
    """Muxes MPEG-TS: whole packets of 188 bytes, tables first."""

    init = None

    def __init__(self, spec: EncodeSpec, sound: SoundInfo | None) -> None:
        self._rate = sound.rate if sound is not None else 0
        self._mux = _MemoryContainer(spec, "mpegts", TS_OPTIONS, self._rate)

    def add(self, coded: EncodedPicture, sound: Sequence[SoundPacket]) -> list[Piece]:
        """Return one piece per picture."""
        parts = [self._mux.picture(coded)]
        if self._rate:
            parts += [self._mux.sound(packet, adts_header(self._rate, len(packet.data)) + packet.data) for packet in sound]
        return [Piece(b"".join(parts), coded.key)]

    def close(self) -> None:
        """Free the container."""
        self._mux.close()


class Mp4Muxer:
    """Muxes fragmented MP4, one fragment per picture.

    It lags one picture behind, because a picture's duration is known only when the next arrives: the gap of a dropped frame
    becomes part of the duration before it.
    """

    def __init__(self, spec: EncodeSpec) -> None:
        self._mux = _MemoryContainer(spec, "mp4", MP4_OPTIONS)
        self._key_before = False
        self.init: bytes | None = None
        """ftyp and moov; None until the second picture."""

    def add(self, coded: EncodedPicture, sound: Sequence[SoundPacket]) -> list[Piece]:
        """Return the fragment of the picture before."""
        written = self._mux.picture(coded)
        if self.init is None and written:
            start = fragment_start(written)
            self.init, written = written[:start], written[start:]
        pieces = [Piece(written, self._key_before)] if written else []
        self._key_before = coded.key
        return pieces

    def close(self) -> None:
        """Free the container."""
        self._mux.close()


class PacketMuxer:
    """Packs packets (``packet_protocol``) for muxing elsewhere: a picture, then the sound that begins before its end.

    Times come from the frame numbers, so the packets of all encodes share one time line.
    """

    def __init__(self, spec: EncodeSpec, parameter_sets: bytes, sound: SoundInfo | None) -> None:
        self._fps, self._audio = spec.fps, sound is not None
        rate, extradata, kbps = (sound.rate, sound.extradata, sound.bitrate_kbps) if sound is not None else (0, b"", 0)
        self.init: bytes | None = pack_info(
            MediaInfo(spec.width, spec.height, spec.fps, parameter_sets, spec.bitrate_kbps, rate, extradata, kbps)
        )

    def add(self, coded: EncodedPicture, sound: Sequence[SoundPacket]) -> list[Piece]:
        """Return one piece per picture."""
        start, end = (number * VIDEO_RATE // self._fps for number in (coded.number, coded.number + 1))
        media = [Media(False, coded.data, start, end - start, coded.key)]
        if self._audio:
            media += [Media(True, packet.data, packet.pts, packet.duration, True) for packet in sound]
        return [Piece(b"".join(map(pack, media)), coded.key)]

    def close(self) -> None:
        """Nothing to free."""


def adts_header(rate: int, length: int) -> bytes:
    """Return the seven-byte header of a packet of AAC-LC, stereo, in MPEG-TS (ISO 13818-7, 6.2)."""
    size = length + 7
    fields = 0xFFF << 44 | 1 << 40 | 1 << 38 | ADTS_RATES[rate] << 34 | 2 << 30 | size << 13 | 0x7FF << 2
    return fields.to_bytes(7, "big")
