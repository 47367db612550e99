"""What an encode is to be: two outputs that want the same share one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streamer.config import VideoConfig

Codec = Literal["libx264", "h264_nvenc"]

SAFE_PRESET = "superfast"
"""x264's preset where nothing was measured."""
GPU_PRESET = "p4"
"""NVENC's middle one."""


@dataclass(frozen=True, slots=True)
class EncodeSpec:
    """One way to encode the frames on air."""

    width: int
    height: int
    fps: int
    bitrate_kbps: int
    gop_s: float
    """Seconds between keyframes."""
    cbr: bool = False
    """Whether every second has the same number of bits, padded where the picture needs fewer."""
    preset: str = SAFE_PRESET
    encoder: Codec = "libx264"
    jpeg_quality: int = 85
    """Of the pictures that are JPEGs."""

    @property
    def gop(self) -> int:
        """Frames from one keyframe to the next."""
        return max(1, round(self.fps * self.gop_s))

    @classmethod
    def of(cls, video: VideoConfig, encoder: Codec = "libx264", preset: str = "") -> EncodeSpec:
        """What the video's settings ask for, with this encoder; ``auto`` gives the safe preset unless one is named."""
        preset = preset or (SAFE_PRESET if video.preset == "auto" else video.preset)
        return cls(video.width, video.height, video.fps, video.bitrate_kbps, video.gop_s, False, preset, encoder)
