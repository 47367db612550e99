"""A transition between two configs: numbers pass through the values in between. Pure: times are arguments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from streamer.config import Config
from streamer.settings_live import CAMERA, DREAM, PICTURE, SOUND, among, value_of, with_values

STEP_S = 0.25
"""Seconds between values: the dream applies settings at keyframes, which hardly come faster."""
INTERPOLATED = (*DREAM, *CAMERA, *PICTURE, *SOUND)
"""Settings whose numbers are interpolated. The queue's rules change immediately."""


@dataclass(frozen=True, slots=True)
class SettingsTransition:
    """A transition between two configs."""

    before: Config
    after: Config
    keys: tuple[str, ...]
    """The dotted settings that are interpolated."""
    began_s: float
    lasts_s: float

    def left_s(self, now_s: float) -> float:
        """Return the seconds until it is over; 0 if it is."""
        return max(0.0, self.began_s + self.lasts_s - now_s)

    def at(self, now_s: float) -> Config:
        """Return the settings at a time; ``after`` from the end on."""
        share = 1.0 if self.lasts_s <= 0 else min(1.0, max(0.0, (now_s - self.began_s) / self.lasts_s))
        if share >= 1:
            return self.after
        share *= share * (3 - 2 * share)  # smooth at both ends
        return with_values(
            self.after,
            {key: interpolated(value_of(self.before, key), value_of(self.after, key), share) for key in self.keys},
        )


def interpolable_keys(before: Config, after: Config, keys: Iterable[str]) -> tuple[str, ...]:
    """Return those of the dotted settings that can be interpolated between their two values."""
    may = among(keys, INTERPOLATED)
    return tuple(key for key in keys if key in may and _numbers(value_of(before, key), value_of(after, key)))


def interpolated(before: Any, after: Any, share: float) -> Any:
    """Interpolate at a share of the way, 0..1; between whole numbers the result is a whole number."""
    if isinstance(after, tuple):
        return tuple(interpolated(one, other, share) for one, other in zip(before, after, strict=True))
    found = before + (after - before) * share
    return round(found) if isinstance(before, int) and isinstance(after, int) else found


def _numbers(before: Any, after: Any) -> bool:
    if isinstance(before, tuple) and isinstance(after, tuple):
        return len(before) == len(after) and all(_numbers(one, other) for one, other in zip(before, after, strict=True))
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in (before, after))
