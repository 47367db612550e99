"""What is done to a dream, in the order in which it is done: enough to dream it again, to the pixel on the same device."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.messages import Motion, Scene


@dataclass(frozen=True, slots=True)
class Begun:
    """A worker has put its dream together."""

    network: str
    device: str
    """``cpu`` or ``cuda``."""
    threads: int
    """That it computes with: sums taken in another order are other sums. 0: not known."""
    size: tuple[int, int]
    """(height, width) of the canvas."""
    resumed: bool = False
    """Whether it took up the latest keyframe of the worker before it, and began with fresh chance and momentum."""


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
class Stood:
    """Time passed, and the camera did not move."""

    ms: int


@dataclass(frozen=True, slots=True)
class Stumbled:
    """A step failed halfway, for want of memory: nobody can tell what it left behind."""


Act = int | Begun | Scene | Motion | Bump | Resized | Stood | Stumbled
"""An integer is a step: the camera moved on by so many milliseconds, then the picture uphill."""
