"""Gradient steps of a chosen size that keep the picture natural; the base of the default algorithm and of deepdream."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from streamer.dream.algorithms.algorithm import Algorithm, Context
from streamer.dream.algorithms.canvas import Canvas
from streamer.dream.algorithms.fading import SceneMix
from streamer.dream.algorithms.picture_steps import normalise_local_contrast, reduce_detail, soft_clip_step
from streamer.dream_state import DreamState
from streamer.messages.motion import Motion

CONTRAST_CELLS = 9
"""Cells of the contrast limit over the picture's height."""
BRIGHTNESS_SLACK = 50.0
"""How far from mid-grey the contrast limit allows a cell's mean, in levels."""
HEADROOM = 4.0
"""Distance from black and white that steps leave, in levels: the zoom's bicubic filter overshoots at edges, and would clip."""
KNEE = 40.0
"""Distance from the headroom, besides a step's own size, over which steps shrink, in levels."""
STEP = 3.0
"""Size of an automatic step, levels."""
FADING_DETAIL = 0.08
"""Share of the detail that each second of a transition removes, per unit of surge: the new scene needs room to grow."""
SHAPE_CELLS = 5
"""Cells over the picture's height whose means a transition leaves alone."""


class GradientAscent(Algorithm):
    """Normalised steps: larger while a scene is new, softly clipped at black and white, with limited local contrast."""

    CHANGES = ("number",)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.number = 0
        """Counts the steps."""

    @abstractmethod
    def update(self, canvas: Canvas, mix: SceneMix, size: float) -> tuple[Tensor, float | Tensor]:
        """Return what a step subtracts from the picture: a direction (1, 3, H, W) and its factor, in levels.

        Args:
            size: size of the step, in levels.
        """

    def size(self, mix: SceneMix, motion: Motion, dt_s: float) -> float:
        """Return the size of a step, in levels: larger while a scene is fresh, and scaled by the motion's ``drive``."""
        settings = self.context.settings
        surge = 1 + settings.surge * mix.freshness
        if settings.step == "auto":
            return motion.drive * max(STEP * surge, self.auto_step(motion, dt_s, mix.maturity))
        return motion.drive * settings.step * surge

    def detail(self, mix: SceneMix, dt_s: float) -> float:
        """Return the share of the picture's detail that stays while a region fades out."""
        return math.exp(-FADING_DETAIL * self.context.settings.surge * mix.freshness * dt_s) if mix.has_outgoing else 1.0

    def auto_step(self, motion: Motion, dt_s: float, maturity: float) -> float:
        """Return the smallest size of an automatic step, in levels; see ``SceneMix`` for ``maturity``."""
        return STEP

    def reduce_detail(self, picture: Tensor, detail: float | Tensor) -> Tensor:
        """Return a picture with this share of its detail."""
        return reduce_detail(picture, self._shapes_grid, detail)

    def advance(self, picture: Tensor, direction: Tensor, size: float | Tensor) -> Tensor:
        """Subtract a multiple of a direction from a picture, softly clipped at black and white, with limited local contrast."""
        settings = self.context.settings
        picture = soft_clip_step(picture, direction, size, KNEE, HEADROOM)
        if settings.leash > 0:
            picture = normalise_local_contrast(
                picture, self._contrast_grid, settings.leash, BRIGHTNESS_SLACK, settings.contrast, settings.chroma
            )
        return picture.clamp_(0, 255).contiguous()

    def prepare(self, size: tuple[int, int]) -> None:
        """Prepare for a canvas of (height, width)."""
        height, width = size
        self._contrast_grid = (CONTRAST_CELLS, max(1, round(CONTRAST_CELLS * width / height)))
        self._shapes_grid = (SHAPE_CELLS, max(1, round(SHAPE_CELLS * width / height)))

    def step(self, canvas: Canvas, mix: SceneMix, motion: Motion, dt_s: float, camera_s: float) -> None:
        """Move the camera and take one step; without an incoming region only the camera moves."""
        canvas.move(motion, camera_s)
        if not mix.has_incoming:
            return
        if mix.has_outgoing:
            canvas.picture = self.reduce_detail(canvas.picture, self.detail(mix, dt_s))
        direction, size = self.update(canvas, mix, self.size(mix, motion, dt_s))
        canvas.picture = self.advance(canvas.picture, direction, size)
        self.number += 1

    def keep(self) -> Mapping[str, Any]:
        """Return the number of steps taken, which determines the next network's turn."""
        return {"steps": self.number}

    def resume(self, kept: DreamState) -> None:
        """Continue with the next network's turn."""
        self.number = kept.count("steps")
