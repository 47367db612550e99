"""Playout position between keyframes: the camera pose and the blend for every moment, both without jumps. No pictures here.

Two clocks run behind the present. The *camera* clock follows the keyframes' path of poses and continues past its end. The
*content* clock determines which two keyframes are blended, and how far. It never passes the newest keyframe: if the next is
late, it stops, and catches up at a bounded rate.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

from streamer.messages.keyframes import Keyframe
from streamer.messages.motion import Motion, Pose
from streamer.zoom import advance, between

Payload = TypeVar("Payload")

CAPACITY = 24
"""Keyframes queued for display. When full: the oldest of those not on screen is dropped; the newest win."""
LAGS = 16
"""Number of latest intervals whose lag determines the delay."""
LAG_QUANTILE = 0.85
"""Fraction of keyframes that should be in time; for the others the content clock stops."""
LAG_MARGIN = 1.1
FIRST_LAG_S = 0.25
"""Lag assumed before the first is measured."""
FRAME_MARGIN_S = 0.02
SLEW = 0.2
"""Largest deviation of the camera clock's rate from 1 while the delay adapts."""
SLEW_S = 2.0
"""Seconds over which it corrects an error of the delay."""
RATE_SMOOTHING_S = 0.5
JUMP_S = 4.0
"""Error of the delay above which the camera clock is reset; the pose shown stays and drifts back to the path."""
CATCH_UP_S = 1.0
"""Time constant with which content that is behind catches up."""
CATCH_UP_RATE = 2.0
"""Highest rate of the content clock for dense keyframes, in seconds of content per second."""
CROSSING_S = 2.0
"""Shortest time from one keyframe to the next if they are so far apart that the rate above would take longer."""
CUT_OCTAVES, CUT_OCTAVES_S = 0.1, 1.0
CUT_RADIANS, CUT_RADIANS_S = 0.1, 0.8
"""Thresholds, fixed plus per second, of a keyframe's distance from the extrapolated path. Beyond them it is a cut, which fades
in at the pose shown."""
DRIFT_SHARE = 0.5
"""The pose returns to the path at no more than this share of the path's own speed, so that it never stands still…"""
DRIFT_LEAST = 0.01
"""…or at this many octaves or radians per second, if the path itself rests."""
LEAST_STEP_S = 1e-3


@dataclass(frozen=True, slots=True)
class Shot(Generic[Payload]):
    """A keyframe placed on the displayed path."""

    keyframe: Keyframe
    payload: Payload
    """Its picture, prepared for display."""
    pose: Pose
    """Its pose, with cuts removed."""
    time_s: float
    """Its time, strictly after the previous shot."""


@dataclass(frozen=True, slots=True)
class View(Generic[Payload]):
    """What one frame shows."""

    pose: Pose
    older: Shot[Payload]
    newer: Shot[Payload]
    """The same as ``older`` if there is only one."""
    fraction: float
    """Blend from ``older`` to ``newer``, 0..1."""


class Playhead(Generic[Payload]):
    """Keeps the queued keyframes and the two clocks; belongs to one thread.

    Live, ``now_s`` is on the keyframes' clock and never decreases. Offline nothing adapts: the requested time is shown, so
    keyframes are added before they are needed.
    """

    CHANGES = (
        *("_shots", "_lags", "_base", "_time_base_s", "_offset"),
        *("_now_s", "_camera_s", "_content_s", "_rate", "_delay_s"),
    )

    def __init__(self, motion: Motion, *, offline: bool = False) -> None:
        self._motion = motion
        self._offline = offline
        self._shots: deque[Shot[Payload]] = deque()
        self._lags: deque[float] = deque(maxlen=LAGS)
        self._base = Pose()
        self._time_base_s = 0.0
        self._offset = Pose()
        self._now_s = 0.0
        self._camera_s = 0.0
        self._content_s = 0.0
        self._rate = 1.0
        self._delay_s = FIRST_LAG_S

    @property
    def delay_s(self) -> float:
        """Intended delay of the camera clock behind the present, in seconds."""
        return 0.0 if self._offline else self._delay_s

    @property
    def camera_s(self) -> float | None:
        """Camera time on the keyframes' own clock, in seconds; None before the first keyframe."""
        return self._camera_s - self._time_base_s if self._shots else None

    def add(self, keyframe: Keyframe, payload: Payload, now_s: float) -> None:
        """Take a keyframe that arrived at ``now_s``."""
        time_s = keyframe.time_s + self._time_base_s
        if not self._shots:
            self._shots.append(Shot(keyframe, payload, keyframe.pose, time_s))
            self._now_s, self._camera_s, self._content_s = now_s, time_s, time_s
            self._delay_s = now_s - time_s + FIRST_LAG_S
            return
        newest = self._shots[-1]
        if keyframe.number <= newest.keyframe.number:  # a newer one came first
            return
        cut = time_s < newest.time_s + LEAST_STEP_S  # its clock restarted
        if cut:
            self._time_base_s += newest.time_s + FIRST_LAG_S - time_s
            time_s = newest.time_s + FIRST_LAG_S
        self._measure(now_s - newest.time_s)
        expected = self._path(time_s)
        pose = _sum(keyframe.pose, self._base)
        if not self._offline and (cut or _is_cut(_difference(pose, expected), time_s - newest.time_s)):
            self._base = _difference(expected, keyframe.pose)
            pose = expected
        shown = self._path(self._camera_s)
        self._shots.append(Shot(keyframe, payload, pose, time_s))
        if len(self._shots) > CAPACITY and not self._offline:
            del self._shots[self._index() + 2]
        self._absorb(shown)

    def at(self, now_s: float) -> View[Payload] | None:
        """Advance both clocks to ``now_s`` and return what to show; None before the first keyframe."""
        if not self._shots:
            return None
        step_s = max(0.0, now_s - self._now_s)
        self._now_s = max(now_s, self._now_s)
        if self._offline:
            self._camera_s = now_s
            self._content_s = min(now_s, self._shots[-1].time_s)
        else:
            self._move_camera(step_s)
            self._move_content(step_s)
            self._drift(step_s)
        self._forget()
        index = self._index()
        older, newer = self._shots[index], self._shots[min(index + 1, len(self._shots) - 1)]
        gap_s = newer.time_s - older.time_s
        fraction = min(max((self._content_s - older.time_s) / gap_s, 0.0), 1.0) if gap_s > 0 else 0.0
        return View(_sum(self._path(self._camera_s), self._offset), older, newer, fraction)

    def pairs(self) -> list[tuple[Shot[Payload], Shot[Payload]]]:
        """Return the pairs of neighbours that are on screen or still to come, soonest first."""
        shots = list(self._shots)
        return list(pairwise(shots))[self._index() :]

    def _measure(self, lag_s: float) -> None:
        self._lags.append(lag_s)
        ordered = sorted(self._lags)
        at = LAG_QUANTILE * (len(ordered) - 1)
        low = math.floor(at)
        high = min(low + 1, len(ordered) - 1)
        lag_s = ordered[low] + (ordered[high] - ordered[low]) * (at - low)
        self._delay_s = lag_s + abs(lag_s) * (LAG_MARGIN - 1) + FRAME_MARGIN_S

    def _move_camera(self, step_s: float) -> None:
        error_s = self._now_s - step_s - self._camera_s - self._delay_s
        if abs(error_s) > JUMP_S:
            shown = self._path(self._camera_s)
            self._camera_s = self._now_s - step_s - self._delay_s
            self._absorb(shown)
            error_s = 0.0
        wanted = 1.0 + min(max(error_s / SLEW_S, -SLEW), SLEW)
        self._rate += (wanted - self._rate) * (1 - math.exp(-step_s / RATE_SMOOTHING_S))
        self._camera_s += self._rate * step_s

    def _move_content(self, step_s: float) -> None:
        behind_s = min(self._camera_s, self._shots[-1].time_s) - self._content_s
        if behind_s <= 0:
            return
        index = self._index()
        gap_s = self._shots[min(index + 1, len(self._shots) - 1)].time_s - self._shots[index].time_s
        fastest = max(CATCH_UP_RATE, gap_s / CROSSING_S)
        rate = min(self._rate + behind_s / CATCH_UP_S, fastest)
        self._content_s += min(behind_s, rate * step_s)

    def _drift(self, step_s: float) -> None:
        """Move the pose shown back toward the path, slower than the path moves."""
        ahead, here = self._path(self._camera_s + 0.1), self._path(self._camera_s)
        self._offset = Pose(
            _toward_zero(self._offset.log_zoom, abs(ahead.log_zoom - here.log_zoom) / 0.1, step_s),
            _toward_zero(self._offset.rotation, abs(ahead.rotation - here.rotation) / 0.1, step_s),
        )

    def _absorb(self, shown: Pose) -> None:
        """Keep the pose on screen when the path changes from ``shown``."""
        if not self._offline:
            self._offset = _sum(self._offset, _difference(shown, self._path(self._camera_s)))

    def _path(self, time_s: float) -> Pose:
        """Return the pose of the camera path at a time, linear between shots and beyond."""
        shots = self._shots
        if len(shots) == 1:
            return advance(shots[0].pose, self._motion, time_s - shots[0].time_s)
        second = next((i for i in range(1, len(shots) - 1) if shots[i].time_s > time_s), len(shots) - 1)
        a, b = shots[second - 1], shots[second]
        return between(a.pose, b.pose, (time_s - a.time_s) / (b.time_s - a.time_s))

    def _index(self) -> int:
        """Return the index of the older neighbour."""
        shots = self._shots
        return next((i - 1 for i in range(1, len(shots)) if shots[i].time_s > self._content_s), max(0, len(shots) - 2))

    def _forget(self) -> None:
        """Drop shots that neither clock needs; the last two stay, because they define the motion."""
        oldest_s = min(self._camera_s, self._content_s)
        while len(self._shots) > 2 and self._shots[1].time_s <= oldest_s:
            self._shots.popleft()


def _sum(a: Pose, b: Pose) -> Pose:
    return Pose(a.log_zoom + b.log_zoom, a.rotation + b.rotation)


def _difference(a: Pose, b: Pose) -> Pose:
    return Pose(a.log_zoom - b.log_zoom, a.rotation - b.rotation)


def _is_cut(error: Pose, gap_s: float) -> bool:
    return (
        abs(error.log_zoom) > CUT_OCTAVES + CUT_OCTAVES_S * gap_s or abs(error.rotation) > CUT_RADIANS + CUT_RADIANS_S * gap_s
    )


def _toward_zero(value: float, path_speed: float, step_s: float) -> float:
    speed = min(abs(value) / SLEW_S, max(DRIFT_SHARE * path_speed, DRIFT_LEAST))
    return math.copysign(max(0.0, abs(value) - speed * step_s), value)
