"""Encodes AAC-LC: stereo samples in, packets out, each with the position of its samples."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.codec.context import CodecContext

BLOCK = 1024
"""Samples per packet of AAC-LC (ISO 14496-3)."""


class AacPacket(NamedTuple):
    """One encoded block of sound."""

    pts: int
    """Its first sample, on the caller's time line."""
    duration: int
    """Length in samples: ``BLOCK``."""
    data: bytes
    """Raw AAC, without ADTS header."""


class AacEncoder:
    """Encodes blocks of sound, one after the other; belongs to one thread at a time.

    A packet appears two blocks after the sound in it, because the encoder looks ahead. The very first packet holds only the
    decoder's priming and is discarded: every packet's ``pts`` is then that of the block which a decoder plays at that packet,
    and containers need no priming information. A decoder that starts in mid-stream fades in over one block.
    """

    def __init__(self, rate: int, bitrate_kbps: int) -> None:
        """Open the encoder.

        Raises:
            av.FFmpegError: FFmpeg refuses the settings.
        """
        codec = CodecContext.create("aac", "w")
        assert isinstance(codec, AudioCodecContext)
        codec.sample_rate, codec.layout, codec.format = rate, "stereo", "fltp"
        codec.bit_rate = bitrate_kbps * 1000
        codec.time_base = Fraction(1, rate)
        codec.open()
        assert codec.frame_size == BLOCK
        assert codec.extradata is not None
        self._codec = codec
        self._rate = rate
        self._fed = 0
        self._waiting: deque[int | None] = deque([None])  # the first packet is priming
        self.extradata = bytes(codec.extradata)
        """AudioSpecificConfig (ISO 14496-3, 1.6.2.1)."""

    def encode(self, samples: np.ndarray, pts: int) -> list[AacPacket]:
        """Encode the next block.

        Args:
            samples: (``BLOCK``, 2) float32, finite, -1..1.
            pts: position of its first sample on the caller's time line.

        Returns:
            The packets that are ready: none at first, then one of an earlier block per call.
        """
        if samples.shape != (BLOCK, 2):
            raise ValueError(f"a block is {samples.shape}; must be ({BLOCK}, 2)")
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples.T, np.float32), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = self._rate, self._fed
        self._fed += BLOCK
        self._waiting.append(pts)
        packets = []
        for packet in self._codec.encode(frame):
            at = self._waiting.popleft()
            if at is not None:
                packets.append(AacPacket(at, BLOCK, bytes(packet)))
        return packets

    def silence(self) -> bytes:
        """Return the packet of a silent block, which is always the same. Only for an encoder that has encoded nothing yet."""
        data = b""
        for _ in range(4):
            for packet in self.encode(np.zeros((BLOCK, 2), np.float32), 0):
                data = packet.data
        self.forget()
        return data

    def forget(self) -> None:
        """Discard the blocks whose packets have not appeared yet, because the next block is elsewhere in time."""
        self._waiting = deque(None for _ in self._waiting)
