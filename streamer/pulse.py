"""Pulses of the zoom: on a beat the camera comes closer for a moment, on its path and off it. Pure; no pictures here."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

RISE_S = 0.06
"""Seconds before a pulse's moment in which the camera comes closer: at the moment itself it is closest…"""
FALL_S = 0.15
"""…and then goes back, in so many seconds to a third: well before the next of 180 beats a minute."""
OVER_S = 7 * FALL_S
"""Seconds after which nobody sees it any more."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """The camera comes closer."""

    at_s: float
    """When it is closest."""
    octaves: float
    """By how much, as log2 of the zoom; above 0."""

    def extra_octaves(self, now_s: float) -> float:
        """How much closer it is at a moment, in octaves."""
        since_s = now_s - self.at_s
        if since_s < -RISE_S or since_s > OVER_S:
            return 0.0
        if since_s < 0:
            return self.octaves * (0.5 + 0.5 * math.cos(math.pi * since_s / RISE_S))
        return self.octaves * math.exp(-since_s / FALL_S)


class Pulses:
    """Pulses in the order of their moments. Asked of moments that do not go back, it keeps only those that are not over."""

    def __init__(self, pulses: Iterable[Pulse] = ()) -> None:
        self._pulses = deque(sorted(pulses, key=lambda pulse: pulse.at_s))

    def add(self, pulse: Pulse) -> None:
        """Take one that is later than all others."""
        self._pulses.append(pulse)

    def extra_octaves(self, now_s: float) -> float:
        """How much closer the camera is at a moment, in octaves: as the strongest of the pulses has it."""
        while self._pulses and self._pulses[0].at_s < now_s - OVER_S:
            self._pulses.popleft()
        most = 0.0
        for pulse in self._pulses:
            if pulse.at_s > now_s + RISE_S:
                break
            most = max(most, pulse.extra_octaves(now_s))
        return most
