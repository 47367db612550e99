"""An HLS playlist of the last segments (RFC 8216), numbered so that players continue after a restart."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from math import floor

VERSION = 6
"""Protocol version: the lowest with EXT-X-INDEPENDENT-SEGMENTS."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of the playlist."""

    name: str
    duration_s: float
    began: datetime
    """When its first picture was shown; with a time zone."""
    discontinuity: bool
    """Whether its times do not continue those of the segment before."""


class Playlist:
    """The newest segments in order, with numbers that only increase."""

    def __init__(self, window: int, target_s: float, earlier: str = "") -> None:
        """Begin without a segment.

        Args:
            window: Number of segments to list.
            target_s: Intended length of a segment, in seconds.
            earlier: Text of the playlist that it replaces; the numbers continue from there.
        """
        self._window = window
        self._target = max(1, _rounded(target_s))
        self._segments: deque[Segment] = deque()
        self._first = _number(earlier, "MEDIA-SEQUENCE") + earlier.count("#EXTINF:")
        marks = re.findall(r"^#EXT-X-DISCONTINUITY\s*$", earlier, re.MULTILINE)
        self._discontinuities = _number(earlier, "DISCONTINUITY-SEQUENCE") + len(marks)

    @property
    def names(self) -> list[str]:
        """Names of the listed files."""
        return [segment.name for segment in self._segments]

    @property
    def next_number(self) -> int:
        """The number of the next segment."""
        return self._first + len(self._segments)

    def add(self, segment: Segment) -> list[str]:
        """Add a segment at the end; return the names of those that are no longer listed."""
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
        """Return the playlist as text; ``ended`` marks the stream as over."""
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
