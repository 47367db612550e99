"""Where the camera stands on its endless zoom, and how it moves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the camera stands on its endless zoom."""

    log_zoom: float = 0.0
    """log2 of the zoom since the start; grows while zooming in."""
    rotation: float = 0.0
    """Radians since the start, counter-clockwise on the screen."""


@dataclass(frozen=True, slots=True)
class Motion:
    """How the camera moves."""

    speed: float = 1.05
    """Zoom factor per second, above 0; below 1 zooms out."""
    rotation: float = 0.25
    """Degrees per second, counter-clockwise on the screen."""
    drive: float = 1.0
    """How many times as large as usual the dream's steps are meanwhile."""
