"""The camera's position on its endless zoom, and its motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Pose:
    """The camera's position on its endless zoom."""

    log_zoom: float = 0.0
    """log2 of the zoom since the start; increases while zooming in."""
    rotation: float = 0.0
    """Radians since the start, counter-clockwise on screen."""


class ZoomSettings(Protocol):
    """The part of ``ZoomConfig`` that a motion is made from."""

    @property
    def speed(self) -> float:
        """Zoom factor per second."""
        ...

    @property
    def rotation(self) -> float:
        """Degrees per second, counter-clockwise."""
        ...


@dataclass(frozen=True, slots=True)
class Motion:
    """The camera's motion."""

    speed: float = 1.05
    """Zoom factor per second, above 0; below 1 zooms out."""
    rotation: float = 0.25
    """Degrees per second, counter-clockwise on screen."""
    drive: float = 1.0
    """Factor on the size of the dream's steps while this motion applies."""

    @classmethod
    def from_config(cls, zoom: ZoomSettings) -> Motion:
        """Return the motion that ``config.zoom`` describes, with steps of the usual size."""
        return cls(zoom.speed, zoom.rotation)
