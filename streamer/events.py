"""What is done to a dream, in the order in which it is done: enough to dream it again, to the pixel on the same device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streamer.messages.motion import Motion
from streamer.messages.scenes import Scene


@dataclass(frozen=True, slots=True)
class DreamStarted:
    """A worker has put its dream together."""

    network: str
    device: str
    """``cpu`` or ``cuda``."""
    threads: int
    """That it computes with: sums taken in another order are other sums. 0: not known."""
    size: tuple[int, int]
    """(height, width) of the canvas."""
    resumed: bool = False
    """Whether it took up the latest keyframe of the worker before it."""
    kept: int | None = None
    """Then, how many keyframes before that one its momentum and its chance were kept. None: it began with none, and afresh."""
    form: str = ""
    """In which form its network computes, as ``dream.compute_formats`` writes it; empty where that is not known."""


@dataclass(frozen=True, slots=True)
class Bump:
    """A settled dream is woken."""

    twist: bool = False
    """By a slight twist; else by noise."""


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
    """A step failed halfway, for want of memory: nobody can tell what it left behind."""


@dataclass(frozen=True, slots=True)
class ThreadsChanged:
    """The dream computes with so many threads from here on: sums taken in another order are other sums."""

    threads: int


@dataclass(frozen=True, slots=True)
class Tuned:
    """The dream goes by other settings from here on."""

    changes: tuple[tuple[str, Any], ...] = ()
    """Where they differ from those that it was begun with: dotted keys, such as ``dream.momentum``, and values as JSON knows
    them. None: it goes by those again."""


@dataclass(frozen=True, slots=True)
class Reseeded:
    """The picture was spoilt, several times in a row: the dream begins anew where the camera stands."""

    noise: bool = False
    """From noise; else from its last good picture, blurred."""


UNTUNED = Tuned()

DreamEvent = float | DreamStarted | Scene | Motion | Bump | Resized | Idle | StepFailed | ThreadsChanged | Tuned | Reseeded
"""A number is a step: the camera moves on by so many milliseconds, live by whole ones, then the picture uphill."""
