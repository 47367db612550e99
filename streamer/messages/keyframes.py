"""The pictures that packages exchange: of a moving source, of the dream (keyframes) and of the video (frames)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamer.messages.motion import Pose
from streamer.messages.scenes import Scene


@dataclass(frozen=True, slots=True, eq=False)  # == on arrays is ambiguous
class SourcePicture:
    """One picture of a moving source, which is a film or a camera."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, C-contiguous; read-only by convention."""
    number: int
    """Increases with every picture of a run; gaps are skipped pictures."""
    time_s: float
    """Presentation time; for a file, seconds from its beginning."""


@dataclass(frozen=True, slots=True, eq=False)
class Keyframe:
    """One rendered picture of the dream and the camera pose it was rendered at."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, sRGB 0..255, C-contiguous; read-only by convention."""
    pose: Pose
    time_s: float
    """Time on the camera path; offline, seconds of video."""
    scene: Scene
    number: int
    """Counts from 0 within a run, across restarts of the worker."""
    steps: int
    """Ascent steps since the previous keyframe."""
    step_s: float = 0.0
    """Mean wall-clock seconds per step."""
    source_picture: SourcePicture | None = None
    """The source picture that it was rendered on, at the keyframe's size; None without a moving source."""
    checksum: int | None = None
    """CRC-32 of the original pixels if lossy compression changed them on the way here, else None."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of the video."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, C-contiguous; read-only by convention."""
    number: int
    """Position in the video: its presentation time is ``number / fps``; gaps are dropped frames."""
    scene: Scene | None
    """The scene it shows; None before the first keyframe."""
    repeated: bool = False
    """Whether it repeats the previous picture because no new one was ready in time."""
