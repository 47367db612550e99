"""Packs encoded pictures and sound into bytes for a pipe to a process that muxes them.

Every frame is ``ZD``, its kind, its flags, the payload's length (32 bits) and the payload; numbers are big-endian. Pure:
nothing here needs FFmpeg.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

VIDEO_RATE = 90_000
"""Units per second of video time stamps, as in MPEG-TS; audio counts samples."""
MAX_BYTES = 16 << 20
"""Largest valid frame, larger than any picture."""

_MAGIC = b"ZD"
_HEADER = struct.Struct(">2scBI")
_INFO = struct.Struct(">HHHIIIH")
_MEDIA = struct.Struct(">qI")
_INFO_KIND, _VIDEO_KIND, _AUDIO_KIND = b"I", b"V", b"A"
_KEY = 1


class PacketProtocolError(Exception):
    """The bytes were not written by ``pack_info`` and ``pack``."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """Describes the media that follow, until the next info."""

    width: int
    height: int
    fps: int
    extradata: bytes
    """SPS and PPS of the video, each after a start code (Annex B)."""
    bitrate_kbps: int
    audio_rate: int
    """Samples per second of each of the two channels; 0: there is no sound."""
    audio_extradata: bytes
    """AudioSpecificConfig (ISO 14496-3); empty without sound."""
    audio_bitrate_kbps: int


@dataclass(frozen=True, slots=True)
class Media:
    """One encoded picture, or one packet of sound."""

    audio: bool
    data: bytes
    """H.264 after start codes (Annex B), or raw AAC."""
    pts: int
    """Presentation time in 1/90000 s, or in samples for sound; the decoding order is the same."""
    duration: int
    """Duration in the same unit."""
    key: bool
    """Whether decoding can begin here."""


def pack_info(info: MediaInfo) -> bytes:
    """Return an info as bytes."""
    fixed = _INFO.pack(
        info.width,
        info.height,
        info.fps,
        info.bitrate_kbps,
        info.audio_rate,
        info.audio_bitrate_kbps,
        len(info.extradata),
    )
    return _frame(_INFO_KIND, 0, fixed, info.extradata, info.audio_extradata)


def pack(media: Media) -> bytes:
    """Return a picture or a packet of sound as bytes."""
    kind = _AUDIO_KIND if media.audio else _VIDEO_KIND
    return _frame(kind, _KEY * media.key, _MEDIA.pack(media.pts, media.duration), media.data)


class PacketUnpacker:
    """Unpacks a byte stream that arrives in chunks of any size."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, data: bytes) -> list[MediaInfo | Media]:
        """Take the next bytes and return the items that are complete.

        Raises:
            PacketProtocolError: the bytes are something else; nothing more can be read.
        """
        self._waiting += data
        found: list[MediaInfo | Media] = []
        at = 0
        while len(self._waiting) - at >= _HEADER.size:
            magic, kind, flags, length = _HEADER.unpack_from(self._waiting, at)
            if magic != _MAGIC or kind not in (_INFO_KIND, _VIDEO_KIND, _AUDIO_KIND) or length > MAX_BYTES:
                raise PacketProtocolError(f"no frame begins with {bytes(self._waiting[at : at + _HEADER.size]).hex()}")
            end = at + _HEADER.size + length
            if len(self._waiting) < end:
                break
            found.append(_read(kind, flags, bytes(self._waiting[at + _HEADER.size : end])))
            at = end
        del self._waiting[:at]
        return found


def _frame(kind: bytes, flags: int, *parts: bytes) -> bytes:
    length = sum(map(len, parts))
    if length > MAX_BYTES:
        raise PacketProtocolError(f"{length} bytes are too many for one frame; {MAX_BYTES} fit")
    return b"".join((_HEADER.pack(_MAGIC, kind, flags, length), *parts))


def _read(kind: bytes, flags: int, payload: bytes) -> MediaInfo | Media:
    try:
        if kind != _INFO_KIND:
            pts, duration = _MEDIA.unpack_from(payload)
            return Media(kind == _AUDIO_KIND, payload[_MEDIA.size :], pts, duration, bool(flags & _KEY))
        width, height, fps, bitrate_kbps, rate, audio_kbps, length = _INFO.unpack_from(payload)
    except struct.error:
        raise PacketProtocolError(f"a frame of {len(payload)} bytes is too short for its kind") from None
    split = _INFO.size + length
    if len(payload) < split:
        raise PacketProtocolError("an info ends within its parameter sets")
    return MediaInfo(width, height, fps, payload[_INFO.size : split], bitrate_kbps, rate, payload[split:], audio_kbps)
