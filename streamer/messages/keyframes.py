"""The pictures that are handed on: of a moving source, of the dream (keyframes), of the video (frames)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamer.messages.motion import Pose
from streamer.messages.scenes import Scene


@dataclass(frozen=True, slots=True, eq=False)  # == on arrays is ambiguous
class SourcePicture:
    """One picture of a moving source: of a film or a camera."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, C-contiguous; nobody writes to it."""
    number: int
    """Rises with every picture of a run; gaps are pictures left out."""
    time_s: float
    """When it was to be seen; of a file, seconds from its beginning."""


@dataclass(frozen=True, slots=True, eq=False)
class Keyframe:
    """One dreamt picture and where the camera stood when it was dreamt."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, sRGB 0..255, C-contiguous; nobody writes to it."""
    pose: Pose
    time_s: float
    """The moment on the camera path; offline, seconds of video."""
    scene: Scene
    number: int
    """Counts from 0 within a run, across restarts of the worker."""
    steps: int
    """Ascent steps taken since the keyframe before."""
    step_s: float = 0.0
    """Mean wall seconds a step took."""
    ridden: SourcePicture | None = None
    """The picture of a moving source that it was dreamt on, at its own size; None where nothing is ridden on."""
    checksum: int | None = None
    """CRC-32 of the pixels as they were dreamt, where the picture has lost something on its way; None where it has not."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of the video."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, C-contiguous; nobody writes to it."""
    number: int
    """Position in the video: its presentation time is ``number / fps``; gaps are dropped frames."""
    scene: Scene | None
    """What it shows; None before the first keyframe."""
    repeated: bool = False
    """Whether it is the picture before once more, because no new one was ready in time."""
