"""An entry of the album of past dreams."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.messages.scenes import Target


@dataclass(frozen=True, slots=True)
class AlbumEntry:
    """A picture that the album keeps: of a dream that was on air, or of a moment that a viewer clipped."""

    id: str
    """Twelve random letters and digits, which cannot be guessed."""
    title: str
    targets: tuple[Target, ...]
    user: str
    """The viewer who requested it; empty if nobody did."""
    at_s: float
    """Unix time when it left the air or was clipped."""
    size: tuple[int, int]
    """(height, width) of its picture, px."""
    clip_s: float = 0.0
    """Length of its clip in seconds; 0 if there is only a picture."""
    clipped_by: str = ""
    """The viewer who clipped it while it was on air; empty if it was kept when it left the air."""
