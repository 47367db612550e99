"""How much to dream per keyframe, so that keyframes come at an even pace: steps first, canvas size second.

Pure: told how long steps took, it answers with numbers.
"""

from __future__ import annotations

import math

from streamer.config import DreamConfig

ORIGINAL_STEPS = 10
"""Steps per keyframe of the 2015 algorithm; the camera moves before the first of them, by the time of all."""
AUTO_STEPS = 2
"""Steps per keyframe aimed at where the settings leave all open: a keyframe costs the video about as much as a step."""
AUTO_MAX_S = 2.0
"""Longest interval that ``auto`` accepts before it makes the canvas smaller."""
MAX_STEPS_PER_S = 25.0
"""More steps than this change the picture faster than the eye follows, and flicker; a fast machine rests in between."""
MAX_STEPS = 1000
SHRINK = 0.85
"""Factor on the canvas's sides from one level to the next: each takes about 0.7 of the time."""
LEVELS = 5
MIN_SIDE = 64
"""Shorter side, px, below which the budget does not go; a canvas asked for may be smaller."""
WARM_UP = 2
"""Steps at start and after a change of size that are not counted: they set things up."""
SMOOTHING = 0.2
PATIENCE_S = 10.0
"""Seconds of headroom before the canvas grows again; doubles each time that proves too early."""


class Budget:
    """Decides steps per keyframe and canvas size from how long steps take.

    Args:
        dream: Its ``steps_per_keyframe`` and ``keyframe_s`` are heeded.
        size: (height, width) of the canvas at its full size.
        frame_s: Seconds a frame of the video lasts: keyframes need not come faster.
        shrinkable: Whether time may make the canvas smaller. Memory may in any case.
    """

    def __init__(self, dream: DreamConfig, size: tuple[int, int], *, frame_s: float, shrinkable: bool = True) -> None:
        self._full = size
        self._frame_s = frame_s
        self._asked_s = None if dream.keyframe_s == "auto" else dream.keyframe_s
        fixed = dream.steps_per_keyframe
        if fixed == "auto" and dream.algorithm == "original_2015":
            fixed = ORIGINAL_STEPS
        self._fixed = None if fixed == "auto" else fixed
        self._shrinkable = shrinkable
        self._steps = self._fixed or 1
        self._level = 0
        self._floor = 0  # levels below this did not fit into memory
        self._step_s: float | None = None
        self._warming = WARM_UP
        self._late = 0
        self._easy_s = 0.0
        self._patience_s = PATIENCE_S

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
        """Seconds a step takes, smoothed; 0 before it is known."""
        return self._step_s or 0.0

    @property
    def target_s(self) -> float:
        """Seconds aimed at between keyframes."""
        if self._asked_s is not None:
            return self._asked_s
        return min(max(self._frame_s, (self._fixed or AUTO_STEPS) * self.step_s), AUTO_MAX_S)

    @property
    def least_s(self) -> float:
        """Seconds that the keyframe now being made has to take at least; a faster worker rests."""
        if self._asked_s is not None:
            return self._asked_s
        return max(self._frame_s, self._steps / MAX_STEPS_PER_S)

    def took(self, seconds: float) -> None:
        """A step took so long."""
        if self._warming:
            self._warming -= 1
            return
        if self._step_s is None:
            self._step_s = seconds
        else:  # a hiccup counts no more than a clear slowdown
            self._step_s += SMOOTHING * (min(seconds, 3 * self._step_s) - self._step_s)

    def keyframe(self) -> bool:
        """A keyframe is done: decide on the next one.

        Returns:
            Whether the canvas's size changed.
        """
        if self._step_s is None:
            return False
        if self._fixed is None:
            self._choose_steps(self._step_s)
        return self._shrinkable and self._choose_level(self._step_s)

    def out_of_memory(self) -> bool:
        """The canvas did not fit: go to a smaller one, for good.

        Returns:
            Whether there is a smaller one.
        """
        if not self._can_shrink():
            return False
        self._move(self._level + 1)
        self._floor = self._level
        return True

    def _choose_steps(self, step_s: float) -> None:
        most = max(
            1, min(math.floor(self.target_s / step_s * 1.02), math.floor(self.target_s * MAX_STEPS_PER_S * 1.02), MAX_STEPS)
        )
        too_long = self._steps * step_s > 1.15 * self.target_s or self._steps > self.target_s * MAX_STEPS_PER_S * 1.15
        if most > self._steps or (too_long and most < self._steps):
            self._steps = most

    def _choose_level(self, step_s: float) -> bool:
        need_s = (self._fixed or 1) * step_s
        limit_s = self._asked_s if self._asked_s is not None else AUTO_MAX_S
        self._late = self._late + 1 if need_s > 1.25 * limit_s else 0
        if self._late >= 3 and self._can_shrink():
            if self._easy_s < 0:  # it has just grown
                self._patience_s = min(self._patience_s * 2, 3600.0)
            self._move(self._level + 1)
            return True
        if self._level > self._floor and need_s / SHRINK**2 < 0.8 * limit_s:
            self._easy_s = max(self._easy_s, 0.0) + max(self.least_s, self._steps * step_s)
            if self._easy_s >= self._patience_s:
                self._move(self._level - 1)
                self._easy_s = -1.0
                return True
        elif self._easy_s > 0:
            self._easy_s = 0.0
        return False

    def _can_shrink(self) -> bool:
        return self._level + 1 < LEVELS and min(self._size_at(self._level + 1)) >= MIN_SIDE

    def _move(self, level: int) -> None:
        if self._step_s is not None:
            self._step_s *= SHRINK ** (2 * (level - self._level))
        self._level, self._late, self._easy_s, self._warming = level, 0, 0.0, WARM_UP

    def _size_at(self, level: int) -> tuple[int, int]:
        height, width = (round(side * SHRINK**level) for side in self._full)
        return height, width
