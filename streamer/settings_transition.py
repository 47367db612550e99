"""Settings on their way from some values to others: numbers pass through what lies between. Pure: told the time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from streamer.config import Config
from streamer.settings_live import CAMERA, DREAM, PICTURE, SOUND, among, value_of, with_values

STEP_S = 0.25
"""Seconds from one value to the next: the dream takes settings up with its keyframes, which hardly come faster."""
INTERPOLATED = (*DREAM, *CAMERA, *PICTURE, *SOUND)
"""Those whose numbers glide. Rules of the queue change at once."""


@dataclass(frozen=True, slots=True)
class SettingsTransition:
    """A way from some settings to others."""

    before: Config
    after: Config
    keys: tuple[str, ...]
    """Those that are on their way, dotted."""
    began_s: float
    lasts_s: float

    def left_s(self, now_s: float) -> float:
        """Seconds until it is over; 0 when it is."""
        return max(0.0, self.began_s + self.lasts_s - now_s)

    def at(self, now_s: float) -> Config:
        """The settings for a moment: ``after`` from the end on."""
        share = 1.0 if self.lasts_s <= 0 else min(1.0, max(0.0, (now_s - self.began_s) / self.lasts_s))
        if share >= 1:
            return self.after
        share *= share * (3 - 2 * share)  # it neither starts nor ends with a jerk
        return with_values(
            self.after,
            {key: interpolated(value_of(self.before, key), value_of(self.after, key), share) for key in self.keys},
        )


def interpolable_keys(before: Config, after: Config, keys: Iterable[str]) -> tuple[str, ...]:
    """Those of some settings, dotted, that have anything between their two values."""
    may = among(keys, INTERPOLATED)
    return tuple(key for key in keys if key in may and _numbers(value_of(before, key), value_of(after, key)))


def interpolated(before: Any, after: Any, share: float) -> Any:
    """What lies at a share, 0..1, of the way: of whole numbers a whole number."""
    if isinstance(after, tuple):
        return tuple(interpolated(one, other, share) for one, other in zip(before, after, strict=True))
    found = before + (after - before) * share
    return round(found) if isinstance(before, int) and isinstance(after, int) else found


def _numbers(before: Any, after: Any) -> bool:
    if isinstance(before, tuple) and isinstance(after, tuple):
        return len(before) == len(after) and all(_numbers(one, other) for one, other in zip(before, after, strict=True))
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in (before, after))
