"""One run of the H.264 encoder, and the two containers that all viewers share: MPEG-TS and fragmented MP4."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from streamer.config import VideoConfig

BT709 = 1
"""ITU-T H.273: primaries, transfer and matrix of BT.709 all have the number 1."""
LIMITED_RANGE = 1
"""FFmpeg's AVCOL_RANGE_MPEG: luma 16..235."""
PIXELS_PER_THREAD_S = 40e6
"""Pixels a second that one core encodes with room to spare; below it one thread avoids slices and context switches."""
TS_OPTIONS = {"flush_packets": "1", "mpegts_flags": "resend_headers+pat_pmt_at_frames"}
"""PAT and PMT stand before every picture, so that any keyframe is a place to join."""
MP4_OPTIONS = {
    # delay_moov: the header waits for the first picture, whose parameter sets it must hold.
    "movflags": "empty_moov+default_base_moof+frag_every_frame+delay_moov",
    "use_editlist": "0",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """What one encoded picture adds to a container."""

    data: bytes
    key: bool
    """Whether a viewer can join here."""


class _Collector:
    """A file that keeps what a muxer writes until it is taken."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        data = bytes(self._data)
        self._data.clear()
        return data


class _Mux:
    """A container that is fed with packets and read in memory."""

    def __init__(self, video: VideoConfig, format_name: str, options: dict[str, str]) -> None:
        self._file = _Collector()
        self._container = av.open(self._file, "w", format=format_name, options=options)
        self._stream = self._container.add_mux_stream("h264", rate=video.fps, width=video.width, height=video.height)

    def mux(self, packet: Packet[Any]) -> bytes:
        """Add one packet, given as a copy since muxing rebases it in place, and return what that made the container write."""
        copy = Packet(bytes(packet))
        copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
        copy.time_base = packet.time_base
        copy.is_keyframe = packet.is_keyframe
        copy.stream = self._stream
        self._container.mux(copy)
        return self._file.take()

    def close(self) -> None:
        self._container.close()


def open_codec(video: VideoConfig) -> VideoCodecContext:
    """Set up x264 for live viewers: no look-ahead, no B-frames, parameter sets before every keyframe, colours tagged BT.709.

    Raises:
        av.FFmpegError: FFmpeg refuses the settings.
    """
    codec = CodecContext.create("libx264", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = video.width, video.height, "yuv420p"
    codec.framerate, codec.time_base = Fraction(video.fps), Fraction(1, video.fps)
    codec.gop_size = max(1, round(video.fps * video.gop_s))
    codec.max_b_frames = 0
    codec.bit_rate = video.bitrate_kbps * 1000
    load = video.width * video.height * video.fps / PIXELS_PER_THREAD_S
    codec.thread_count = max(1, min(os.cpu_count() or 1, 1 + int(load)))
    codec.colorspace = codec.color_primaries = codec.color_trc = BT709
    codec.color_range = LIMITED_RANGE
    codec.profile = "Main"
    codec.options = {
        "preset": "superfast" if video.preset == "auto" else video.preset,
        "tune": "zerolatency",
        "x264-params": "scenecut=0",
        "maxrate": f"{video.bitrate_kbps}k",
        "bufsize": f"{video.bitrate_kbps}k",
    }
    return codec


def to_yuv(image: np.ndarray) -> VideoFrame:
    """Convert an (H, W, 3) uint8 RGB picture to a yuv420p frame, BT.709, limited range; even sizes."""
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    yuv = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", interpolation="BILINEAR", threads=1)
    yuv.colorspace = yuv.color_primaries = yuv.color_trc = BT709
    yuv.color_range = LIMITED_RANGE
    return yuv


def codec_string(data: bytes) -> str:
    """The RFC 6381 name of an Annex B stream, for example ``avc1.4d401f``: the three bytes that open its sequence parameters.

    Raises:
        ValueError: no sequence parameter set in ``data``.
    """
    at = data.find(b"\x00\x00\x01")
    while 0 <= at < len(data) - 6:
        if data[at + 3] & 0x1F == 7:
            return f"avc1.{data[at + 4 : at + 7].hex()}"
        at = data.find(b"\x00\x00\x01", at + 3)
    raise ValueError("no sequence parameter set found")


class H264Run:
    """Encodes pictures from one keyframe on, until closed; belongs to one thread.

    The MP4 lags one picture behind, because a picture's duration is known when the next arrives: the gap that a dropped frame
    leaves becomes part of the duration before it.
    """

    def __init__(self, video: VideoConfig) -> None:
        self._video = video
        self._codec = open_codec(video)
        self._ts = _Mux(video, "mpegts", TS_OPTIONS)
        self._mp4 = _Mux(video, "mp4", MP4_OPTIONS)
        self._first: int | None = None
        self._key_before = False
        self.init_segment: bytes | None = None
        """ftyp and moov of the MP4; None until the second picture."""
        self.codec = ""
        """RFC 6381 name; empty until the first picture."""

    def encode(self, image: np.ndarray, number: int) -> tuple[list[Piece], list[Piece]]:
        """Encode an (H, W, 3) uint8 RGB picture; ``number`` rises from call to call.

        Returns:
            What it adds to the MPEG-TS and to the MP4; the latter's pieces are fragments, without the init segment.
        """
        if self._first is None:
            self._first = number
        frame = to_yuv(image)
        frame.pts, frame.time_base = number - self._first, Fraction(1, self._video.fps)
        frame.pict_type = PictureType.NONE
        ts: list[Piece] = []
        mp4: list[Piece] = []
        for packet in self._codec.encode(frame):
            if not self.codec:
                self.codec = codec_string(bytes(packet))
            ts.append(Piece(self._ts.mux(packet), packet.is_keyframe))
            written = self._mp4.mux(packet)
            if self.init_segment is None and written:
                start = fragment_start(written)
                self.init_segment, written = written[:start], written[start:]
            if written:
                mp4.append(Piece(written, self._key_before))
            self._key_before = packet.is_keyframe
        return ts, mp4

    def close(self) -> None:
        """Free encoder and containers; what they still held is thrown away."""
        for mux in (self._ts, self._mp4):
            mux.close()


def fragment_start(data: bytes) -> int:
    """Offset of the first ``moof`` box; the length of ``data`` if there is none."""
    at = 0
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == b"moof":
            return at
        if size < 8:
            break
        at += size
    return len(data)


def fragment_times(data: bytes) -> tuple[int, int, int]:
    """Where a fragment of one picture stands in time.

    Returns:
        Offset of its 64-bit decode time within ``data``; the decode time; its duration; both in the track's time units.
    """
    at_tfdt = data.index(b"tfdt") + 4
    at_tfhd = data.index(b"tfhd") + 4
    if data[at_tfdt] != 1:
        raise ValueError("decode time is not 64 bits wide")
    (time,) = struct.unpack_from(">Q", data, at_tfdt + 4)
    (flags,) = struct.unpack_from(">I", data, at_tfhd)
    flags &= 0xFFFFFF
    # ISO 14496-12, 8.8.7: optional fields in the order of their flags, after the track id.
    at = at_tfhd + 8 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
    duration = struct.unpack_from(">I", data, at)[0] if flags & 0x8 else 0
    return at_tfdt + 4, time, duration
