"""What the stream does without while other programs take the machine, so that the video keeps its rate.

One thing after the other is given up, what viewers miss least first, and comes back one at a time, last given up first, when
all has been well for a while. What came back too early waits twice as long the next time. Pure: told what became of the frames,
a ladder answers with what to give up.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from streamer.messages.status import FrameCounters

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Seconds over which frames are judged at once."""
LOOKS = 10
"""How many of those are looked back on."""
BAD = 4
"""So many bad ones among them, and something is given up…"""
AGAIN = 3
"""…or so many since something was given up, and the next thing is."""
MISSING, LATE = 0.02, 0.25
"""Part of the frames that was not made, or not in time, in a bad second. Late frames reach viewers, so that they cost no
picture size."""
WELL_LATE = 0.1
"""Part of the frames that may be late where all is well."""
PATIENCE_S, PATIENCE_MOST_S = 15.0, 600.0
"""Seconds of being well after which something comes back: at first, and at most; twice as long each time that it was given up
again within RELAPSE_S."""
RELAPSE_S = 60.0


class SheddableFeature(StrEnum):
    """What can be done without, what viewers miss least first; the value is its name for people and programs."""

    THREAD = "one thread of the dream"
    FLOW = "residual flow"
    PRESET = "encoder preset"
    STEPS = "dream steps"
    SIZE = "picture size"
    MORE_SIZE = "more picture size"


@dataclass(frozen=True, slots=True)
class LoadChange:
    """Something is given up, or comes back."""

    feature: SheddableFeature
    back: bool


class LoadShedder:
    """Decides what to do without. Not thread-safe."""

    def __init__(self) -> None:
        self.given_up: tuple[SheddableFeature, ...] = ()
        """What is done without now, in the order in which it was given up."""
        self._before: tuple[float, FrameCounters] | None = None
        self._looks: deque[bool] = deque(maxlen=LOOKS)
        self._well_s = 0.0
        self._patience_s = PATIENCE_S
        self._returned_s: float | None = None

    def look(self, now_s: float, frames: FrameCounters, possible: Collection[SheddableFeature]) -> LoadChange | None:
        """Take note of the frames so far; to be called several times a second.

        Args:
            now_s: monotonic seconds.
            possible: what would make a difference here, if it was given up.
        """
        if self._before is None:
            self._before = now_s, frames
            return None
        then_s, before = self._before
        if now_s - then_s < LOOK_S:
            return None
        self._before = now_s, frames
        shown, late = frames.shown - before.shown, frames.late - before.late
        dropped = frames.dropped - before.dropped
        if frames.stopped != before.stopped or shown + dropped <= 0:
            return None  # nobody ran, or nothing was due: that says nothing
        missing = (dropped + frames.unencoded - before.unencoded) / (shown + dropped)
        late_part = late / max(1, shown)
        self._looks.append(missing > MISSING or late_part > LATE)
        self._well_s = self._well_s + now_s - then_s if missing == 0 and late_part <= WELL_LATE else 0.0
        if sum(self._looks) >= (AGAIN if self.given_up else BAD):
            return self._give_up(now_s, possible, frames_are_missing=missing > MISSING)
        if self.given_up and self._well_s >= self._patience_s:
            return self._take_back(now_s)
        return None

    def _give_up(self, now_s: float, possible: Collection[SheddableFeature], *, frames_are_missing: bool) -> LoadChange | None:
        for feature in SheddableFeature:
            if feature in self.given_up or feature not in possible:
                continue
            if feature in (SheddableFeature.SIZE, SheddableFeature.MORE_SIZE) and not frames_are_missing:
                return None
            if self._returned_s is not None and now_s - self._returned_s < RELAPSE_S:
                self._patience_s = min(2 * self._patience_s, PATIENCE_MOST_S)
            self._returned_s = None
            self.given_up += (feature,)
            self._start_again()
            return LoadChange(feature, back=False)
        return None

    def _take_back(self, now_s: float) -> LoadChange:
        if self._returned_s is not None and now_s - self._returned_s >= RELAPSE_S:
            self._patience_s = max(PATIENCE_S, self._patience_s / 2)
        self._returned_s = now_s
        *kept, feature = self.given_up
        self.given_up = tuple(kept)
        self._start_again()
        return LoadChange(feature, back=True)

    def _start_again(self) -> None:
        """What was seen before a change says nothing about the time after it."""
        self._looks.clear()
        self._well_s = 0.0
