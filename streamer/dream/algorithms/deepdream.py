"""DeepDream's steps: the picture at several sizes, octave by octave, each adding its detail.

Per step: shift at random, gradient, ``x += step · g / mean|g|`` (Mordvintsev, Olah, Tyka 2015, 'Inceptionism', and the notebook
published with it). There, an octave is the shrunk picture plus the detail generated so far; here the step is shrunk or
enlarged instead. The result is the same, and the picture's own detail is left alone in any order of the octaves.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from streamer.dream.algorithms.canvas import Canvas
from streamer.dream.algorithms.fading import SceneMix
from streamer.dream.algorithms.gradient_ascent import GradientAscent
from streamer.dream.algorithms.normalisation import make_normalisation
from streamer.dream.networks.network import Network
from streamer.dream.objectives.views import Transform

LEAST_PX = 90
"""Shorter side of the coarsest octave when the settings leave their number open."""
MOST_OCTAVES = 16


def octave_sizes(size: tuple[int, int], octaves: int | str, scale: float, least_px: int) -> list[tuple[int, int]]:
    """Return the sizes (height, width) of the octaves, coarse to fine; the last is the picture's own.

    Args:
        size: (height, width) of the picture.
        octaves: their number; fewer if the coarsest would be smaller than ``least_px``. ``auto``: down to ``LEAST_PX``.
        scale: factor from one octave to the next.
        least_px: smallest side that the network accepts.
    """
    floor = least_px if octaves != "auto" else max(least_px, LEAST_PX)
    count = MOST_OCTAVES if octaves == "auto" else int(octaves)
    room = math.log(max(1.0, min(size) / floor)) / math.log(scale)
    count = min(count, 1 + int(room + 1e-6))
    return [(round(size[0] / scale**i), round(size[1] / scale**i)) for i in reversed(range(count))]


class DeepDream(GradientAscent):
    """Steps of DeepDream, octave by octave from the coarsest."""

    def prepare(self, size: tuple[int, int]) -> None:
        """Prepare for a canvas of (height, width)."""
        super().prepare(size)
        context, settings = self.context, self.context.settings
        self._size = size
        self.sizes = octave_sizes(size, settings.octaves, settings.octave_scale, context.ensemble.min_size)
        """(height, width) of each octave, coarse to fine."""
        colour = context.natural.colour
        self._normalise = [make_normalisation(settings, colour, octave, context.device) for octave in self.sizes]

    def update(self, canvas: Canvas, mix: SceneMix, size: float) -> tuple[Tensor, float | Tensor]:
        """Return a step with a mean absolute value of ``size`` levels at its octave; after all octaves, the next network."""
        picture = canvas.picture
        turn, octave = divmod(self.number, len(self.sizes))
        at = self.sizes[octave]
        reach = min(self.context.settings.jitter_px, min(at) // 2)
        down, right = (int(torch.randint(-reach, reach + 1, (), generator=self.context.generator)) for _ in range(2))
        small = picture
        if at != self._size:
            small = F.interpolate(picture, size=at, mode="bilinear", antialias=True, align_corners=False)

        def show(network: Network, view: float) -> Transform:
            return lambda seen: torch.roll(seen, (down, right), (2, 3))

        gradient = self.context.objective.gradient(small, mix.regions, turn, show=show)
        direction = self._normalise[octave](gradient)
        direction = direction / direction.abs().mean().clamp_min(1e-12)
        if at != self._size:
            direction = F.interpolate(direction, size=self._size, mode="bicubic", align_corners=False)
        return direction, size
