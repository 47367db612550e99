"""A dream, or a moment of one, of which the album keeps a picture."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.messages.scenes import Target


@dataclass(frozen=True, slots=True)
class AlbumEntry:
    """A dream that was on air, or a moment of one, of which a picture is kept."""

    id: str
    """Twelve letters and digits that nobody can guess."""
    title: str
    targets: tuple[Target, ...]
    user: str
    """Who asked for it; empty when nobody did."""
    at_s: float
    """Unix time at which it left the air, or was clipped."""
    size: tuple[int, int]
    """(height, width) of its picture, px."""
    clip_s: float = 0.0
    """Seconds of its clip; 0 where there is only the picture."""
    clipped_by: str = ""
    """Who asked for it to be kept while it was on air; empty: it left the air."""
