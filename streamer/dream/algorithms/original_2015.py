"""The algorithm of the 2015 stream, kept as a preset and as the baseline for speed and recognisability.

'Adam' on pixels with its betas swapped, ten steps per keyframe, its state reset at each; the prior at five poolings on every
patch; the network sees the canvas at its own size (317070, 'Twitch plays LSD neural net', 2015).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from streamer.algorithm_facts import ALGORITHMS
from streamer.dream.algorithms.algorithm import Algorithm, Context
from streamer.dream.algorithms.canvas import Canvas
from streamer.dream.algorithms.fading import SceneMix
from streamer.dream.algorithms.patch_prior import PatchPrior
from streamer.dream.objectives.region_weights import rms
from streamer.dream_state import DreamState
from streamer.messages.motion import Motion
from streamer.messages.scenes import Kind

STEPS = ALGORITHMS["original_2015"].steps_per_keyframe or 1
"""Steps from one camera move to the next, independent of the settings for keyframes."""
RATE = 5.0
"""Adam's learning rate, in levels of 255."""
KEEP_MEAN, KEEP_SQUARE = 0.1, 0.001
"""Shares of the past in Adam's moving averages. In 2015 the usual 0.9 and 0.999 weighted the gradient by mistake, which leaves
little more than its sign."""
EPSILON = 1e-8
PRIOR_WEIGHT = 10.0
POOLINGS = (1, 4, 8, 16, 32)
NU = 0.665248


class Original2015(Algorithm):
    """The steps of 2015, and the optimiser's state between them."""

    boosts_transitions = False
    CHANGES = ("_pending_s", "_count", "_mean", "_square")

    def __init__(self, context: Context) -> None:
        """Use the patch filters of this project's fit, with the scale ν of 2015."""
        super().__init__(context)
        self._prior = PatchPrior(dataclasses.replace(context.natural, nu=NU), POOLINGS, stride=1, device=context.device)
        self._pending_s = 0.0
        self._count = 0
        self._mean = self._square = torch.zeros(1, 3, 0, 0, device=context.device)

    def prepare(self, size: tuple[int, int]) -> None:
        """Prepare for a canvas of (height, width); a change of size resets the optimiser."""
        if self._mean.shape[-2:] != size:
            self._mean = torch.zeros(1, 3, *size, device=self.context.device)
            self._square = torch.zeros_like(self._mean)

    def step(self, canvas: Canvas, mix: SceneMix, motion: Motion, dt_s: float, camera_s: float) -> None:
        """Take one step; before the first of each keyframe's ten, move the camera and reset the state."""
        self._pending_s += dt_s
        if self._count % STEPS == 0:
            canvas.move(motion, self._pending_s)
            self._pending_s = 0.0
            self._mean = torch.zeros_like(canvas.picture)
            self._square = torch.zeros_like(canvas.picture)
        self._count += 1
        if not mix.regions:
            return
        natural = PRIOR_WEIGHT * self._prior.gradient(canvas.picture)
        gradient = self.context.objective.gradient(canvas.picture, mix.regions, (self._count - 1) // STEPS)
        if any(region.target.kind is not Kind.CLASS for region, _ in mix.regions):  # in 2015 there were only classes
            gradient = gradient * (rms(natural) / rms(gradient))
        gradient = gradient + natural
        number = (self._count - 1) % STEPS + 1
        self._mean = KEEP_MEAN * self._mean + (1 - KEEP_MEAN) * gradient
        self._square = KEEP_SQUARE * self._square + (1 - KEEP_SQUARE) * gradient.square()
        mean = self._mean / (1 - KEEP_MEAN**number)
        square = self._square / (1 - KEEP_SQUARE**number)
        moved = canvas.picture - RATE * mean / (square.sqrt() + EPSILON)
        canvas.picture = moved.clamp(0, 255).contiguous()

    def keep(self) -> Mapping[str, Any]:
        """Return the number of steps taken; the optimiser's state lasts for one keyframe only."""
        return {"steps": self._count}

    def resume(self, kept: DreamState) -> None:
        """Restart the keyframe that was not finished."""
        self._count = kept.count("steps") // STEPS * STEPS
