"""Load shedding: what the stream gives up while other programs use the machine, so that the video keeps its rate.

Features are given up one at a time, least missed by viewers first, and come back in reverse order once all has been well for a
while. A feature that came back too early waits twice as long the next time. Pure: it decides from the frame counters.
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
"""Seconds per observation of the frames."""
LOOKS = 10
"""Number of latest observations that count."""
BAD = 4
"""Bad observations among them after which the first feature is given up."""
AGAIN = 3
"""Bad observations since the last change after which the next feature is given up."""
MISSING, LATE = 0.02, 0.25
"""Shares of missing and of late frames above which an observation is bad. Late frames still reach viewers, so they do not
reduce the picture size."""
WELL_LATE = 0.1
"""Largest share of late frames while all is well."""
PATIENCE_S, PATIENCE_MOST_S = 15.0, 600.0
"""Seconds of being well until a feature comes back, at first and at most; doubles each time one is given up again within
``RELAPSE_S``."""
RELAPSE_S = 60.0
"""Seconds within which giving up again counts as a relapse."""


class SheddableFeature(StrEnum):
    """What can be given up, least missed by viewers first; the value is its name for people and programs."""

    THREAD = "one thread of the dream"
    FLOW = "residual flow"
    PRESET = "encoder preset"
    STEPS = "dream steps"
    SIZE = "picture size"
    MORE_SIZE = "more picture size"


@dataclass(frozen=True, slots=True)
class LoadChange:
    """A feature is given up, or comes back."""

    feature: SheddableFeature
    back: bool
    """Whether it comes back."""


class LoadShedder:
    """Decides what to give up. Not thread-safe."""

    def __init__(self) -> None:
        self.given_up: tuple[SheddableFeature, ...] = ()
        """The features given up now, in the order in which they were given up."""
        self._before: tuple[float, FrameCounters] | None = None
        self._looks: deque[bool] = deque(maxlen=LOOKS)
        self._well_s = 0.0
        self._patience_s = PATIENCE_S
        self._returned_s: float | None = None

    def observe(self, now_s: float, frames: FrameCounters, possible: Collection[SheddableFeature]) -> LoadChange | None:
        """Note the frame counters and return a change, if one is due; call this several times a second.

        Args:
            now_s: monotonic seconds.
            possible: the features that would make a difference on this machine.
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
            return None  # the program was stopped, or no frame was due: nothing to observe
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
        """Forget the observations, which say nothing about the time after a change."""
        self._looks.clear()
        self._well_s = 0.0
