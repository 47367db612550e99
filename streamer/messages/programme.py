"""What is on air and what comes next, at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.messages.requests import Waiting
from streamer.messages.scenes import Scene
from streamer.messages.viewer_polls import Poll


@dataclass(frozen=True, slots=True)
class Programme:
    """What is on air and what comes next, at one moment."""

    scene: Scene | None
    since_s: float
    """Seconds for which the dream was seen to dream the scene."""
    left_s: float | None
    """Seconds it will stay if the dream goes on; None while paused, or while wandering that a request would end at once."""
    waiting: tuple[Waiting, ...]
    paused: bool
    open: bool = True
    """Whether viewers may ask."""
    poll: Poll | None = None
    """The poll that is open, or ended a few seconds ago."""
    instead_of: str = ""
    """As ``Waiting.instead_of``, of what is on air."""
