"""The algorithm of the 2015 stream, kept as a preset and as the baseline that speed and recognisability are measured against.

Pixel 'Adam' with its betas swapped, ten steps to a keyframe, its state fresh at each; the prior at five poolings, every patch;
the network sees the canvas at its own size (317070, 'Twitch plays LSD neural net', 2015).
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from streamer.dream.ascent import rms
from streamer.dream.canvas import Canvas
from streamer.dream.prior import PatchPrior, PriorParameters
from streamer.dream.turns import TurnObjective
from streamer.dream.worker.budget import ORIGINAL_STEPS
from streamer.messages import Kind, Motion, Region

RATE = 5.0
"""Of 255."""
KEEP_MEAN, KEEP_SQUARE = 0.1, 0.001
"""Shares of the past in Adam's moving averages: the usual 0.9 and 0.999 stood on the gradient's side by mistake, which leaves
little more than its sign."""
EPSILON = 1e-8
PRIOR_WEIGHT = 10.0
POOLINGS = (1, 4, 8, 16, 32)
NU = 0.665248


class OriginalAscent:
    """The optimiser's state between steps."""

    def __init__(self, parameters: PriorParameters, device: torch.device | str = "cpu") -> None:
        """Take the patch filters of this project's fit; the scale ν is that of 2015."""
        self._prior = PatchPrior(dataclasses.replace(parameters, nu=NU), POOLINGS, stride=1, device=device)
        self._pending_s = 0.0
        self._count = 0
        self._mean: Tensor | None = None
        self._square: Tensor | None = None

    def step(
        self,
        canvas: Canvas,
        objective: TurnObjective,
        regions: list[tuple[Region, float]],
        motion: Motion,
        dt_s: float,
    ) -> None:
        """One step; at the first of each keyframe's ten the camera moves and the state is cleared."""
        self._pending_s += dt_s
        if self._count % ORIGINAL_STEPS == 0:
            canvas.move(motion, self._pending_s)
            self._pending_s = 0.0
            self._mean = torch.zeros_like(canvas.picture)
            self._square = torch.zeros_like(canvas.picture)
        self._count += 1
        if not regions or self._mean is None or self._square is None:
            return
        natural = PRIOR_WEIGHT * self._prior.gradient(canvas.picture)
        gradient = objective.gradient(canvas.picture, regions, (self._count - 1) // ORIGINAL_STEPS)
        if any(region.target.kind is not Kind.CLASS for region, _ in regions):  # in 2015 there were only classes
            gradient = gradient * (rms(natural) / rms(gradient))
        gradient = gradient + natural
        number = (self._count - 1) % ORIGINAL_STEPS + 1
        self._mean = KEEP_MEAN * self._mean + (1 - KEEP_MEAN) * gradient
        self._square = KEEP_SQUARE * self._square + (1 - KEEP_SQUARE) * gradient.square()
        mean = self._mean / (1 - KEEP_MEAN**number)
        square = self._square / (1 - KEEP_SQUARE**number)
        moved = canvas.picture - RATE * mean / (square.sqrt() + EPSILON)
        canvas.picture = moved.clamp(0, 255).contiguous(memory_format=torch.channels_last)
