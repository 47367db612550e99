"""Chooses steps per keyframe and the canvas size so that keyframes come at an even pace: steps first, canvas size second.

With time to spare it takes more steps, then a larger canvas if the settings leave its size open.

Pure: it computes these numbers from step durations.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median

from streamer.algorithm_facts import ALGORITHMS
from streamer.config import Config, DreamConfig

AUTO_STEPS = 2
"""Target for steps per keyframe if the settings leave everything open: a keyframe costs the video about as much as a step."""
AUTO_MAX_S = 2.0
"""Longest keyframe interval that ``auto`` accepts before it shrinks the canvas."""
MAX_STEPS_PER_S = 25.0
"""More steps than this change the picture faster than the eye can follow, and flicker; a fast machine idles in between."""
MAX_STEPS = 1000
SHRINK = 0.85
"""Factor on the canvas's sides from one level to the next: each level takes about 0.7 of the time."""
LEVELS = 5
MIN_SIDE = 64
"""Shorter side, px, below which the scheduler does not shrink a canvas; the settings may ask for a smaller one."""
WARM_UP = 2
"""Steps at start and after a change of size that are not timed, since they set things up."""
SMOOTHING = 0.2
SPARE = 0.7
"""Share of the time that steps on a canvas larger than usual may take."""
PATIENCE_S = 10.0
"""Seconds of headroom before the canvas grows again; doubles each time this proves too early."""
MEMORY_RETRY_S = 600.0
"""Seconds for which a canvas that did not fit into memory is not tried again."""
LATEST = 31
"""Number of latest steps whose median is the typical duration of a step, robust to a few outliers."""


class StepScheduler:
    """Decides steps per keyframe and canvas size from how long steps take.

    Args:
        dream: Uses its ``steps_per_keyframe``, ``steps_per_s``, ``keyframe_s`` and ``algorithm``.
        size: (height, width) of the canvas at its full size.
        frame_s: Seconds per video frame: keyframes need not come faster.
        shrinkable: Whether the canvas may shrink when steps are slow. It may always shrink when memory runs out.
        largest: (height, width) up to which the canvas may grow with time to spare; None for no further than ``size``.
        level: Number of levels by which the canvas is smaller at first, because more did not fit into memory.
    """

    def __init__(
        self,
        dream: DreamConfig,
        size: tuple[int, int],
        *,
        frame_s: float,
        shrinkable: bool = True,
        largest: tuple[int, int] | None = None,
        level: int = 0,
    ) -> None:
        self._full = size
        self._largest = size if largest is None else (max(size[0], largest[0]), max(size[1], largest[1]))
        ratio = min(most / full for most, full in zip(self._largest, size, strict=True))
        self._highest = -math.ceil(math.log(ratio) / -math.log(SHRINK) - 1e-9)
        """The level of the largest canvas; 0 is the usual one's."""
        self._frame_s = frame_s
        self._shrinkable = shrinkable
        self._steps, self._share = 1, 1.0
        self._apply(dream)
        self._level = 0
        self._floor = self._highest  # levels below this did not fit into memory
        self._barred_s = 0.0  # seconds left until one of them is tried again
        self._step_s: float | None = None
        self._latest: deque[float] = deque(maxlen=LATEST)
        self._warming = WARM_UP
        self._late = 0
        self._easy_s = 0.0
        self._patience_s = PATIENCE_S
        for _ in range(level):
            self.out_of_memory()

    def tune(self, config: Config) -> None:
        """Use other settings from the next keyframe on; the canvas changes its size only when step times call for it."""
        self._shrinkable = may_shrink(config)
        self._apply(config.dream)

    def limit_share(self, share: float) -> None:
        """Limit steps to this share of the time from the next keyframe on; 1 is all of it."""
        self._share = share

    def _apply(self, dream: DreamConfig) -> None:
        self._most_per_s = MAX_STEPS_PER_S if dream.steps_per_s == "auto" else dream.steps_per_s
        self._asked_s = None if dream.keyframe_s == "auto" else dream.keyframe_s
        asked = dream.steps_per_keyframe
        self._fixed = ALGORITHMS[dream.algorithm].steps_per_keyframe if asked == "auto" else asked
        self._steps = self._fixed or self._steps

    @property
    def steps(self) -> int:
        """Steps to take for the next keyframe."""
        return self._steps

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the canvas to use."""
        return self._size_at(self._level)

    @property
    def step_s(self) -> float:
        """Seconds per step, smoothed; 0 before it is known."""
        return self._step_s or 0.0

    @property
    def median_s(self) -> float:
        """Median seconds of the latest steps; 0 before it is known."""
        return median(self._latest) if self._latest else 0.0

    @property
    def level(self) -> int:
        """Number of levels by which the canvas is smaller than usual; negative if it is larger."""
        return self._level

    @property
    def target_s(self) -> float:
        """Target for the seconds between keyframes."""
        if self._asked_s is not None:
            return self._asked_s
        return min(max(self._frame_s, (self._fixed or AUTO_STEPS) * self.step_s), AUTO_MAX_S)

    @property
    def least_s(self) -> float:
        """Least seconds for the current keyframe; a faster worker waits."""
        least_s = max(self._frame_s, self._steps / self._most_per_s) if self._asked_s is None else self._asked_s
        return least_s if self._share >= 1 else max(least_s, self._steps * self.step_s / self._share)

    def took(self, seconds: float) -> None:
        """Record the duration of a step."""
        if self._warming:
            self._warming -= 1
            return
        self._latest.append(seconds)
        if self._step_s is None:
            self._step_s = seconds
        else:  # a hiccup counts no more than a clear slowdown
            self._step_s += SMOOTHING * (min(seconds, 3 * self._step_s) - self._step_s)

    def keyframe(self) -> bool:
        """Plan the next keyframe after one is done.

        Returns:
            Whether the canvas's size changed.
        """
        if self._step_s is None:
            return False
        if self._fixed is None:
            self._choose_steps(self._step_s)
        return self._try_again() or (self._shrinkable and self._choose_level(self._step_s))

    def out_of_memory(self) -> bool:
        """Shrink the canvas because it did not fit into memory, for ``MEMORY_RETRY_S`` at least.

        Returns:
            Whether there is a smaller one.
        """
        if not self._can_shrink():
            return False
        self._move(self._level + 1)
        self._floor, self._barred_s = self._level, MEMORY_RETRY_S
        return True

    def _try_again(self) -> bool:
        """Allow the next larger canvas again after ``MEMORY_RETRY_S``; return whether the canvas grows immediately."""
        if self._floor == self._highest:
            return False
        self._barred_s -= max(self.least_s, self._steps * self.step_s)
        if self._barred_s > 0:
            return False
        self._floor, self._barred_s = self._floor - 1, MEMORY_RETRY_S
        if self._shrinkable:  # it grows only when there is time for that, too
            return False
        self._move(self._level - 1)
        return True

    def _choose_steps(self, step_s: float) -> None:
        most = max(
            1, min(math.floor(self.target_s / step_s * 1.02), math.floor(self.target_s * self._most_per_s * 1.02), MAX_STEPS)
        )
        too_long = self._steps * step_s > 1.15 * self.target_s or self._steps > self.target_s * self._most_per_s * 1.15
        if most > self._steps or (too_long and most < self._steps):
            self._steps = most

    def _choose_level(self, step_s: float) -> bool:
        need_s = (self._fixed or 1) * step_s
        limit_s = self._asked_s if self._asked_s is not None else AUTO_MAX_S
        late = need_s > 1.25 * limit_s if self._level >= 0 else self._busy(step_s) > 0.95
        self._late = self._late + 1 if late else 0
        if self._late >= 3 and self._can_shrink():
            if self._easy_s < 0:  # it has just grown
                self._patience_s = min(self._patience_s * 2, 3600.0)
            self._move(self._level + 1)
            return True
        if self._level > self._floor and self._easy(step_s / SHRINK**2, limit_s):
            self._easy_s = max(self._easy_s, 0.0) + max(self.least_s, self._steps * step_s)
            if self._easy_s >= self._patience_s:
                self._move(self._level - 1)
                self._easy_s = -1.0
                return True
        elif self._easy_s > 0:
            self._easy_s = 0.0
        return False

    def _easy(self, step_s: float, limit_s: float) -> bool:
        """Return whether there is enough time for a canvas on which a step takes ``step_s``."""
        if self._share < 1:
            return False  # the time it leaves is for other programs
        if self._level > 0:
            return (self._fixed or 1) * step_s < 0.8 * limit_s
        return self._busy(step_s) < SPARE

    def _busy(self, step_s: float) -> float:
        """Return the share of the keyframe's least time that its steps take."""
        return step_s * self._steps / self.least_s

    def _can_shrink(self) -> bool:
        return self._level + 1 < LEVELS and min(self._size_at(self._level + 1)) >= MIN_SIDE

    def _move(self, level: int) -> None:
        if self._step_s is not None:
            self._step_s *= SHRINK ** (2 * (level - self._level))
        self._level, self._late, self._easy_s, self._warming = level, 0, 0.0, WARM_UP

    def _size_at(self, level: int) -> tuple[int, int]:
        if level < 0 and level == self._highest:
            return self._largest
        height, width = (round(side * SHRINK**level) for side in self._full)
        return height, width


def may_shrink(config: Config) -> bool:
    """Return whether these settings allow a smaller canvas when steps are slow."""
    return config.dream.keyframe_s != "auto" or config.canvas.width == config.canvas.height == "auto"
