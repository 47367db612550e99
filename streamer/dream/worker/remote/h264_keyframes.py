"""Keyframes as H.264 for one reader: each picture is output immediately, and only the first is an IDR picture."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from streamer.dream.worker.remote.picture_coding import Undecodable

ENDLESS = 1_000_000
"""Interval between IDR pictures, in pictures: practically none, since a reader that lost one asks for a new run."""
BUFFER_S = 0.25
"""Size of the rate-control buffer, in seconds at the target rate."""
TICKS = 90_000
"""Ticks per second of the presentation times, which nothing reads."""


class H264Encoder:
    """Compresses pictures of one size, with x264.

    Args:
        size: (height, width) of the pictures.
        bits_per_s: Target rate.
        pictures_per_s: Number of pictures per second at that rate.
    """

    def __init__(self, size: tuple[int, int], bits_per_s: int, pictures_per_s: float) -> None:
        height, width = size
        self._pad = ((0, height % 2), (0, width % 2), (0, 0))  # 4:2:0 needs even sides
        codec = CodecContext.create("libx264", "w")
        assert isinstance(codec, VideoCodecContext)
        codec.width, codec.height, codec.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        codec.framerate, codec.time_base = Fraction(max(1.0, pictures_per_s)).limit_denominator(1000), Fraction(1, TICKS)
        codec.gop_size, codec.max_b_frames, codec.thread_count = ENDLESS, 0, 1
        codec.bit_rate = bits_per_s
        rate = {"maxrate": str(bits_per_s), "bufsize": str(int(bits_per_s * BUFFER_S))}
        codec.options = {"preset": "superfast", "tune": "zerolatency", "x264-params": "scenecut=0", **rate}
        self._codec, self._number, self._apart = codec, 0, max(1, round(TICKS / max(1.0, pictures_per_s)))

    def compress(self, image: np.ndarray) -> tuple[bytes, bool]:
        """Encode an (H, W, 3) uint8 RGB picture; return its data and whether it is an IDR picture."""
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(np.pad(image, self._pad, "edge")), format="rgb24")
        yuv = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1)
        yuv.pts = self._number * self._apart
        self._number += 1
        packets = list(self._codec.encode(yuv))
        assert packets, "without look-ahead each picture is output immediately"
        return b"".join(bytes(packet) for packet in packets), any(packet.is_keyframe for packet in packets)


class H264Decoder:
    """Decodes the output of one ``H264Encoder``, all of it, in order."""

    def __init__(self) -> None:
        codec = CodecContext.create("h264", "r")
        assert isinstance(codec, VideoCodecContext)
        codec.thread_count = 1
        codec.options = {"flags": "low_delay"}
        self._codec = codec

    def expand(self, data: bytes, size: tuple[int, int]) -> np.ndarray:
        """Decode a picture of (height, width) to (H, W, 3) uint8 RGB.

        Raises:
            Undecodable: the data is broken.
        """
        try:
            frames = self._codec.decode(av.Packet(data))
        except av.FFmpegError as error:
            raise Undecodable(f"it is not H.264: {error.strerror}") from error
        if not frames or frames[-1].height < size[0] or frames[-1].width < size[1]:
            raise Undecodable("it holds no picture of that size")
        rgb = frames[-1].reformat(format="rgb24", src_colorspace="ITU709", src_color_range="MPEG", threads=1)
        return np.ascontiguousarray(rgb.to_ndarray()[: size[0], : size[1]])
