"""The specification of an encode; outputs with equal specifications share one encode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from streamer.config import VideoConfig

Codec = Literal["libx264", "h264_nvenc"]

SAFE_PRESET = "superfast"
"""x264 preset used when nothing was measured."""
GPU_PRESET = "p4"
"""NVENC's middle preset."""


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
    """Whether the bit rate is constant, padded if the picture needs fewer bits."""
    preset: str = SAFE_PRESET
    encoder: Codec = "libx264"
    jpeg_quality: int = 85
    """Quality of JPEG pictures."""

    @property
    def gop(self) -> int:
        """Number of frames from one keyframe to the next."""
        return max(1, round(self.fps * self.gop_s))

    @classmethod
    def of(cls, video: VideoConfig, encoder: Codec = "libx264", preset: str = "") -> EncodeSpec:
        """Return the spec of the video settings with this encoder; ``auto`` gives the safe preset unless ``preset`` is set."""
        preset = preset or (SAFE_PRESET if video.preset == "auto" else video.preset)
        return cls(video.width, video.height, video.fps, video.bitrate_kbps, video.gop_s, False, preset, encoder)
