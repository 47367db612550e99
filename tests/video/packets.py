"""Encoded pictures and silence in the form that sinks receive, without the encoder's threads."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext

from streamer.video.encoding.packet_protocol import VIDEO_RATE, Media, MediaInfo, pack, pack_info

AAC_FRAME = 1024


class Source:
    """A source of pieces of the kind ``packets+audio``, one picture after the other.

    Picture n has a grey that differs from its neighbours', so that a test can tell them apart.
    """

    def __init__(
        self,
        *,
        width: int = 160,
        height: int = 96,
        fps: int = 10,
        gop: int = 10,
        rate: int = 48_000,
        kbps: int = 400,
        begins_s: int = 0,
    ) -> None:
        self.fps, self.rate = fps, rate
        self._shape = (height, width, 3)
        codec = av.CodecContext.create("libx264", "w")
        assert isinstance(codec, VideoCodecContext)
        codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
        codec.framerate, codec.time_base = Fraction(fps), Fraction(1, fps)
        codec.gop_size, codec.max_b_frames, codec.bit_rate = gop, 0, kbps * 1000
        codec.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0"}
        self._codec = codec
        self._number = begins_s * fps
        self._samples = begins_s * rate
        self._sound: list[Media] = []
        self._aac = self._open_sound() if rate else None
        self._info: MediaInfo | None = None
        self._told = False
        self._kbps = kbps

    def _open_sound(self) -> AudioCodecContext:
        codec = av.CodecContext.create("aac", "w")
        assert isinstance(codec, AudioCodecContext)
        codec.sample_rate, codec.layout, codec.format, codec.bit_rate = self.rate, "stereo", "fltp", 64_000
        codec.time_base = Fraction(1, self.rate)
        codec.open()
        return codec

    def pieces(self, count: int) -> Iterator[bytes]:
        """Yield the pieces of the next pictures. The very first piece is the info."""
        for _ in range(count):
            yield from self._next()

    def skip(self, count: int) -> None:
        """Leave out pictures while time passes. The next one must be a keyframe, as after a slow sink."""
        told = self._told
        for _ in self.pieces(count):
            pass
        self._told = told

    def _next(self) -> Iterator[bytes]:
        rng = np.random.default_rng(self._number)
        image = rng.integers(0, 60, self._shape, dtype=np.uint8) + np.uint8(self._number % 10 * 15)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = self._number, Fraction(1, self.fps)
        self._number += 1
        ticks = VIDEO_RATE // self.fps
        (packet,) = self._codec.encode(frame)
        assert packet.pts is not None
        if self._info is None:
            sound = bytes(self._aac.extradata or b"") if self._aac is not None else b""
            data = bytes(packet)
            sets = data[: data.index(b"\x00\x00\x01\x65") if b"\x00\x00\x01\x65" in data else 0]
            height, width, _ = self._shape
            self._info = MediaInfo(width, height, self.fps, sets, self._kbps, self.rate, sound, 64 if self.rate else 0)
        if not self._told:
            self._told = True
            yield pack_info(self._info)
        picture = Media(False, bytes(packet), packet.pts * ticks, ticks, packet.is_keyframe)
        yield pack(picture) + b"".join(pack(media) for media in self._sound_until(self._number))

    def _sound_until(self, number: int) -> Iterator[Media]:
        while self._aac is not None and self._samples * self.fps < number * self.rate:
            if not self._sound:
                frame = av.AudioFrame.from_ndarray(np.zeros((2, AAC_FRAME), np.float32), format="fltp", layout="stereo")
                frame.sample_rate = self.rate
                packets = [bytes(packet) for packet in self._aac.encode(frame)]
                self._sound = [Media(True, data, 0, AAC_FRAME, True) for data in packets]
                continue
            yield Media(True, self._sound.pop(0).data, self._samples, AAC_FRAME, True)
            self._samples += AAC_FRAME
