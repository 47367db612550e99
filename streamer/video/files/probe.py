"""What a film says of itself before it is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av

PLAIN_FPS = 25.0
"""Where a film does not tell."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A film's own word; containers may err."""

    fps: float
    """Pictures a second, on average."""
    seconds: float | None
    """How long it is; None if it does not say."""

    def pictures(self, until_s: float | None = None) -> int | None:
        """About how many there are, up to a moment if one is given."""
        known = [length for length in (self.seconds, until_s) if length is not None]
        return max(1, round(min(known) * self.fps)) if known else None


def probe(film: Path) -> Facts:
    """Look at a film's header; one that cannot be read says nothing."""
    try:
        with av.open(str(film)) as container:
            video = container.streams.best("video")
            if video is None:
                return Facts(PLAIN_FPS, None)
            rate = video.average_rate if isinstance(video, av.VideoStream) else None
            seconds = None
            if video.duration is not None and video.time_base is not None:
                seconds = float(video.duration * video.time_base)
            elif container.duration is not None:
                seconds = container.duration / av.time_base
            fps = float(rate) if rate else PLAIN_FPS
            return Facts(min(240.0, max(1.0, fps)), seconds)
    except (OSError, ValueError):
        return Facts(PLAIN_FPS, None)
