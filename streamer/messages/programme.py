"""The programme: the scene on air and the requests that follow."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.messages.requests import Waiting
from streamer.messages.scenes import Scene
from streamer.messages.viewer_polls import Poll


@dataclass(frozen=True, slots=True)
class Programme:
    """The scene on air and the requests that follow, at one moment."""

    scene: Scene | None
    since_s: float
    """Seconds for which keyframes have shown the scene."""
    left_s: float | None
    """Seconds until it ends if the dream continues; None while paused, or while an idle scene would end with the next
    request."""
    waiting: tuple[Waiting, ...]
    paused: bool
    open: bool = True
    """Whether viewers may send requests."""
    poll: Poll | None = None
    """The poll that is open or ended a few seconds ago."""
    instead_of: str = ""
    """``Waiting.instead_of`` of the request on air."""
