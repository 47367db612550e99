"""Perturbations that wake a converged dream: noise, or a twist.

On a still picture a dream converges in about fifty steps (Mordvintsev, Olah, Tyka 2015), and recovers from small changes: a
little noise is gone in two seconds, and a turn of ten degrees has no lasting effect. So the noise replaces nearly the whole
picture, and a twist turns so far that other shapes fit better. Both are spread over time, so that viewers see them as
movements.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from streamer.dream.algorithms.canvas import Canvas
from streamer.dream.sources.noise import noise

NOISE_S = 1.0
"""Seconds over which noise is blended in."""
NOISE_KEEP = 0.04
"""Share of the picture that is left then, not counting the dream's own steps meanwhile."""
NOISE_CONTRAST = 50.0
"""Strength of the noise, in levels."""
TWIST_S = 2.0
"""Seconds that a twist takes."""
TWIST_DEGREES = 90.0
"""Angle by which the centre of a swirl turns."""
TWIST_REACH = 0.45
"""Distance from the centre at which the angle falls to 1/e, in lengths of the picture's shorter side."""
OVER_S = 1e-6
"""Remaining time at which a perturbation is over; rounding errors add up to less."""
WAKE_FRESHNESS = 0.6
"""Freshness of the scene while the dream wakes: steps are larger, as after a change of scene, by this share."""


class Perturbation:
    """Noise and twists in progress."""

    CHANGES = ("_breath", "_breath_left_s", "_twist_left_s", "_side")

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._breath: torch.Tensor | None = None  # on the CPU if restored: ``move`` brings it to the canvas' device
        self._breath_left_s = self._twist_left_s = 0.0
        self._side = 1

    def bump(self, canvas: Canvas) -> None:
        """Start to blend in noise."""
        fog = noise(canvas.size, self._random, NOISE_CONTRAST)
        self._breath = torch.tensor(fog, dtype=torch.float32, device=canvas.device).permute(2, 0, 1)[None]
        self._breath_left_s = NOISE_S

    def twist(self) -> None:
        """Start a twist to a random side."""
        self._side = 1 if self._random.random() < 0.5 else -1
        self._twist_left_s = TWIST_S

    def move(self, canvas: Canvas, dt_s: float) -> None:
        """Apply ``dt_s`` seconds of the perturbations in progress to the picture."""
        if self._twist_left_s > OVER_S and dt_s > 0:
            share = min(dt_s, self._twist_left_s) / TWIST_S
            self._twist_left_s -= dt_s
            canvas.warp(swirls_grid(canvas.size, self._side * share * math.radians(TWIST_DEGREES), canvas.device))
        if self._breath is not None and dt_s > 0:
            keep = NOISE_KEEP ** (min(dt_s, self._breath_left_s) / NOISE_S)
            if self._breath.shape[-2:] != canvas.size:
                self._breath = F.interpolate(self._breath, size=canvas.size, mode="bilinear", align_corners=False)
            self._breath = self._breath.to(canvas.device)
            mixed = canvas.picture * keep + self._breath * (1 - keep)
            canvas.picture = mixed.contiguous()
            self._breath_left_s -= dt_s
            if self._breath_left_s <= OVER_S:
                self._breath = None


def swirls_grid(size: tuple[int, int], radians: float, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return a grid of swirls side by side, as many as fit, each turning against its neighbours; the border stays.

    Args:
        size: (height, width).
        radians: angle of their centres; the first, at the left or the top, turns counter-clockwise on the screen.

    Returns:
        (1, H, W, 2) float32 for ``grid_sample`` with ``align_corners=False``: where each pixel comes from.
    """
    height, width = size
    short = min(size)
    y = ((torch.arange(height, device=device, dtype=torch.float32) - (height - 1) / 2) / short)[:, None].expand(size)
    x = ((torch.arange(width, device=device, dtype=torch.float32) - (width - 1) / 2) / short)[None, :].expand(size)
    inside = (1 - (2 * y * short / height).square()) * (1 - (2 * x * short / width).square())
    count = max(1, round(max(size) / short))
    from_x, from_y = x, y
    for number in range(count):
        along = ((number + 0.5) / count - 0.5) * max(size) / short
        dx, dy = (x - along, y) if width >= height else (x, y - along)
        angle = (1 if number % 2 == 0 else -1) * radians * inside * torch.exp(-(dx.square() + dy.square()) / TWIST_REACH**2)
        cos, sin = angle.cos(), angle.sin()
        # On screens y points down, so a counter-clockwise turn reads the picture clockwise.
        from_x = from_x + cos * dx - sin * dy - dx
        from_y = from_y + sin * dx + cos * dy - dy
    return torch.stack([from_x * (2 * short / width), from_y * (2 * short / height)], dim=-1)[None]
