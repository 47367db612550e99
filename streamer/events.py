"""The events of a dream in order: enough to replay it, pixel for pixel on the same device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streamer.messages.motion import Motion
from streamer.messages.scenes import Scene


@dataclass(frozen=True, slots=True)
class DreamStarted:
    """A worker has built its dream."""

    network: str
    device: str
    """``cpu`` or ``cuda``."""
    threads: int
    """Number of threads it computes with, since the order of a sum changes its value; 0 if unknown."""
    size: tuple[int, int]
    """(height, width) of the canvas."""
    resumed: bool = False
    """Whether it resumed from the last keyframe of the previous worker."""
    kept: int | None = None
    """If it resumed, number of keyframes between the saved state and that keyframe; None without momentum and random state."""
    form: str = ""
    """Compute format of its network, as ``dream.compute_formats`` writes it; empty if unknown."""


@dataclass(frozen=True, slots=True)
class Bump:
    """A converged dream is woken."""

    twist: bool = False
    """Whether by a slight twist; else by noise."""


@dataclass(frozen=True, slots=True)
class Resized:
    """The canvas has another size."""

    size: tuple[int, int]
    """(height, width)."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Time passed, and the camera did not move."""

    ms: int


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step ran out of memory halfway; its effect on the picture is unknown."""


@dataclass(frozen=True, slots=True)
class ThreadsChanged:
    """The dream computes with this number of threads from now on; the order of a sum changes its value."""

    threads: int


@dataclass(frozen=True, slots=True)
class Tuned:
    """The dream uses other settings from now on."""

    changes: tuple[tuple[str, Any], ...] = ()
    """Differences from the settings it was started with, as dotted keys and JSON values. Empty: it uses those again."""


@dataclass(frozen=True, slots=True)
class Reseeded:
    """The picture was unusable several times in a row: the dream restarts at the current pose."""

    noise: bool = False
    """Whether from noise; else from its last good picture, blurred."""


UNTUNED = Tuned()

DreamEvent = float | DreamStarted | Scene | Motion | Bump | Resized | Idle | StepFailed | ThreadsChanged | Tuned | Reseeded
"""A number is a gradient step and its duration in milliseconds, a whole number in a live run: the camera moves, and then the
picture changes."""
