"""Pulses of the zoom: on a beat the camera briefly moves closer than its path. Pure; no pictures here."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

RISE_S = 0.06
"""Seconds in which the camera moves closer, before a pulse's time, at which it is closest."""
FALL_S = 0.15
"""Time constant of the way back, in seconds: short enough for 180 beats per minute."""
OVER_S = 7 * FALL_S
"""Seconds after which the pulse is invisible."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """A short move of the camera towards the picture."""

    at_s: float
    """Time at which the camera is closest."""
    octaves: float
    """Additional zoom at that time, as log2; above 0."""

    def extra_octaves(self, now_s: float) -> float:
        """Return the additional zoom at a time, in octaves."""
        since_s = now_s - self.at_s
        if since_s < -RISE_S or since_s > OVER_S:
            return 0.0
        if since_s < 0:
            return self.octaves * (0.5 + 0.5 * math.cos(math.pi * since_s / RISE_S))
        return self.octaves * math.exp(-since_s / FALL_S)


class Pulses:
    """Pulses in order of time. Ask it for increasing times: it drops pulses that are over."""

    def __init__(self, pulses: Iterable[Pulse] = ()) -> None:
        self._pulses = deque(sorted(pulses, key=lambda pulse: pulse.at_s))

    def add(self, pulse: Pulse) -> None:
        """Add a pulse that is later than all others."""
        self._pulses.append(pulse)

    def extra_octaves(self, now_s: float) -> float:
        """Return the additional zoom at a time, in octaves: that of the strongest pulse."""
        while self._pulses and self._pulses[0].at_s < now_s - OVER_S:
            self._pulses.popleft()
        most = 0.0
        for pulse in self._pulses:
            if pulse.at_s > now_s + RISE_S:
                break
            most = max(most, pulse.extra_octaves(now_s))
        return most
