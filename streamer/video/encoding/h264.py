"""One run of the H.264 encoder: pictures in, packets out, keyframes placed by frame number."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from streamer.video.encoding.spec import EncodeSpec

BT709 = 1
"""ITU-T H.273: primaries, transfer and matrix of BT.709 all have the number 1."""
LIMITED_RANGE = 1
"""FFmpeg's AVCOL_RANGE_MPEG: luma 16..235."""
PIXELS_PER_THREAD_S = 40e6
"""Pixels per second that one core encodes with room to spare. Below it, one thread avoids slices and context switches."""
SPS, PPS = 7, 8
"""NAL unit types of the parameter sets (ITU-T H.264, table 7-1)."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one encoded picture adds to a container."""

    data: bytes
    key: bool
    """Whether a viewer can join here."""


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """One encoded picture."""

    data: bytes
    """Annex B, with the parameter sets before every keyframe."""
    number: int
    """The frame's number."""
    key: bool


LOWEST_EFFORT_PRESET = "ultrafast"
"""x264's fastest preset."""
IN_PARAMETER_SETS = {
    "superfast": "ref=1",
    "veryfast": "ref=1",
    "faster": "ref=2",
    "fast": "ref=2:chroma-qp-offset=-2",
    "medium": "ref=3:chroma-qp-offset=-2",
}
"""The options of x264's presets that show in the parameter sets, besides arithmetic coding and weighted prediction, which all
but the fastest have. The offset belongs to x264's psychovisual optimisation, which starts with ``fast``."""


def open_codec(spec: EncodeSpec, threads: int = 0, *, low_effort: bool = False) -> VideoCodecContext:
    """Set up an encoder for live viewers: no look-ahead, no B-frames, parameter sets before keyframes, colours tagged BT.709.

    Args:
        spec: What to encode.
        threads: 0 chooses by the size.
        low_effort: use the fastest settings with the same parameter sets as the preset (libx264).

    Raises:
        av.FFmpegError: FFmpeg refuses the settings, or lacks this encoder.
    """
    codec = CodecContext.create(spec.encoder, "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = spec.width, spec.height, "yuv420p"
    codec.framerate, codec.time_base = Fraction(spec.fps), Fraction(1, spec.fps)
    codec.gop_size = spec.gop
    codec.max_b_frames = 0
    codec.bit_rate = spec.bitrate_kbps * 1000
    codec.colorspace = codec.color_primaries = codec.color_trc = BT709
    codec.color_range = LIMITED_RANGE
    codec.profile = "Main"
    # A buffer of one second at the stream's rate, as OBS uses.
    rate = {"maxrate": f"{spec.bitrate_kbps}k", "bufsize": f"{spec.bitrate_kbps}k", "forced-idr": "1"}
    if spec.encoder == "h264_nvenc":
        constant = {"rc": "cbr", "cbr_padding": "1"} if spec.cbr else {"rc": "vbr"}
        codec.options = {"preset": spec.preset, "tune": "ll", "zerolatency": "1", "delay": "0", **constant, **rate}
        return codec
    load = spec.width * spec.height * spec.fps / PIXELS_PER_THREAD_S
    codec.thread_count = threads or max(1, min(os.cpu_count() or 1, 1 + int(load)))
    # Servers that require a constant rate expect the Main profile, which ultrafast misses without arithmetic coding.
    constant = {"nal-hrd": "cbr", "minrate": f"{spec.bitrate_kbps}k", "coder": "cabac"} if spec.cbr else {}
    preset, parameters = spec.preset, "scenecut=0"
    if low_effort and preset != LOWEST_EFFORT_PRESET:
        parameters += f":cabac=1:weightp=1:{IN_PARAMETER_SETS[preset]}"
        preset = LOWEST_EFFORT_PRESET
    codec.options = {"preset": preset, "tune": "zerolatency", "x264-params": parameters, **constant, **rate}
    return codec


def to_yuv(image: np.ndarray) -> VideoFrame:
    """Convert an (H, W, 3) uint8 RGB picture to a yuv420p frame, BT.709, limited range; even sizes."""
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    yuv = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", interpolation="BILINEAR", threads=1)
    yuv.colorspace = yuv.color_primaries = yuv.color_trc = BT709
    yuv.color_range = LIMITED_RANGE
    return yuv


class H264Run:
    """Encodes pictures from one keyframe on, until closed; belongs to one thread.

    Keyframes are a whole number of intervals after the first picture, whichever frames are missing in between, as long as the
    pictures at these numbers are encoded.
    """

    def __init__(self, spec: EncodeSpec, *, low_effort: bool = False) -> None:
        """Set up the encoder, with ``low_effort`` the fastest one; raises av.FFmpegError."""
        self.spec, self.low_effort = spec, low_effort
        self._codec = open_codec(spec, low_effort=low_effort)
        self._yuv: VideoFrame | None = None
        self._first = 0
        self.number: int | None = None
        """Number of the last picture; None before the first."""
        self.parameter_sets = b""
        """SPS and PPS, Annex B; empty until the first picture."""

    def is_key(self, number: int) -> bool:
        """Return whether the picture with this number will be a keyframe."""
        return self.number is None or (number - self._first) % self.spec.gop == 0

    def restart(self, number: int) -> None:
        """Place keyframes relative to this number, that of the next picture."""
        self._first = number

    def successor(self, *, low_effort: bool) -> H264Run:
        """Return a run that continues this one from a keyframe on; raises av.FFmpegError."""
        run = H264Run(self.spec, low_effort=low_effort)
        run._yuv = self._yuv
        return run

    def encode(self, image: np.ndarray | None, number: int) -> list[EncodedPicture]:
        """Encode a picture.

        Args:
            image: (H, W, 3) uint8 RGB; None repeats the last one.
            number: increases from call to call.
        """
        if self.number is None:
            self._first = number
        if image is not None:
            self._yuv = to_yuv(image)
        assert self._yuv is not None
        self._yuv.pts, self._yuv.time_base = number, Fraction(1, self.spec.fps)
        self._yuv.pict_type = PictureType.I if self.is_key(number) else PictureType.NONE
        self.number = number
        found = []
        for packet in self._codec.encode(self._yuv):
            assert packet.pts is not None
            coded = EncodedPicture(bytes(packet), packet.pts, packet.is_keyframe)
            if not self.parameter_sets:
                self.parameter_sets = parameter_sets(coded.data)
            found.append(coded)
        return found


# Reading what was encoded


def _units(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of each NAL unit of an Annex B stream, without start codes."""
    at = data.find(b"\x00\x00\x01")
    while at >= 0:
        following = data.find(b"\x00\x00\x01", at + 3)
        end = len(data) if following < 0 else following
        yield at + 3, end - (data[end - 1] == 0 if following >= 0 else 0)
        at = following


def parameter_sets(data: bytes) -> bytes:
    """Return the SPS and PPS of an Annex B stream, each after a start code; empty if there are none."""
    units = [data[start:end] for start, end in _units(data[: 1 << 16]) if end > start and data[start] & 0x1F in (SPS, PPS)]
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in units)


def codec_string(data: bytes) -> str:
    """Return the RFC 6381 name of an Annex B stream, for example ``avc1.4d401f``, from the first three bytes of its SPS.

    Raises:
        ValueError: no sequence parameter set in ``data``.
    """
    for start, end in _units(data):
        if end - start > 3 and data[start] & 0x1F == SPS:
            return f"avc1.{data[start + 1 : start + 4].hex()}"
    raise ValueError("no sequence parameter set found")


def fragment_start(data: bytes) -> int:
    """Return the offset of the first ``moof`` box; the length of ``data`` if there is none."""
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
    """Read the times of a fragment with one picture.

    Returns:
        Offset of its 64-bit decode time within ``data``; the decode time; the duration, both in the track's time units.
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
