"""An HLS playlist of the last segments (RFC 8216), kept so that players go on over a restart."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from math import floor

VERSION = 6
"""Of the protocol: the lowest that knows EXT-X-INDEPENDENT-SEGMENTS."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of the playlist."""

    name: str
    duration_s: float
    began: datetime
    """When its first picture was shown; with a time zone."""
    discontinuity: bool
    """Whether its times don't go on from the segment before."""


class Playlist:
    """The newest segments in order, and the numbers that never go back."""

    def __init__(self, window: int, target_s: float, earlier: str = "") -> None:
        """Begin without a segment.

        Args:
            window: How many segments it lists.
            target_s: How long a segment is meant to be.
            earlier: The text of the playlist whose place it takes; the numbers go on from there.
        """
        self._window = window
        self._target = max(1, _rounded(target_s))
        self._segments: deque[Segment] = deque()
        self._first = _number(earlier, "MEDIA-SEQUENCE") + earlier.count("#EXTINF:")
        marks = re.findall(r"^#EXT-X-DISCONTINUITY\s*$", earlier, re.MULTILINE)
        self._discontinuities = _number(earlier, "DISCONTINUITY-SEQUENCE") + len(marks)

    @property
    def names(self) -> list[str]:
        """The files that it lists."""
        return [segment.name for segment in self._segments]

    @property
    def next_number(self) -> int:
        """The number of the next segment."""
        return self._first + len(self._segments)

    def add(self, segment: Segment) -> list[str]:
        """Add a segment at the end; the names of those that are no longer listed."""
        self._segments.append(segment)
        self._target = max(self._target, _rounded(segment.duration_s))  # RFC 8216, 4.3.3.1; it must not shrink
        gone = []
        while len(self._segments) > self._window:
            oldest = self._segments.popleft()
            self._first += 1
            self._discontinuities += oldest.discontinuity
            gone.append(oldest.name)
        return gone

    def text(self, *, ended: bool = False) -> str:
        """The playlist as a file; ``ended`` tells players that nothing more will come."""
        lines = [
            "#EXTM3U",
            f"#EXT-X-VERSION:{VERSION}",
            f"#EXT-X-TARGETDURATION:{self._target}",
            f"#EXT-X-MEDIA-SEQUENCE:{self._first}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{self._discontinuities}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
        ]
        for segment in self._segments:
            if segment.discontinuity:
                lines.append("#EXT-X-DISCONTINUITY")
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{segment.began.isoformat(timespec='milliseconds')}")
            lines += [f"#EXTINF:{segment.duration_s:.6f},", segment.name]
        if ended:
            lines.append("#EXT-X-ENDLIST")
        return "\n".join(lines) + "\n"


def _rounded(duration_s: float) -> int:
    return floor(duration_s + 0.5)


def _number(text: str, tag: str) -> int:
    found = re.search(rf"^#EXT-X-{tag}:(\d{{1,18}})\s*$", text, re.MULTILINE)
    return int(found[1]) if found else 0
