"""DeepDream's steps: the picture at several sizes, octave by octave, each adding its detail.

Per step: shift at random, gradient, ``x += step · g / mean|g|`` (Mordvintsev, Olah, Tyka 2015, 'Inceptionism', and the notebook
published with it). There, an octave is the picture made smaller plus the detail dreamt so far; here a step is made smaller or
larger instead, which comes to the same and leaves the picture's own detail alone whatever the order of the octaves.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from streamer.config import DreamConfig
from streamer.dream.ascent import Decorrelation
from streamer.dream.laplacian import Laplacian
from streamer.dream.networks.network import Network
from streamer.dream.turns import See, TurnObjective
from streamer.messages import Region

LEAST_PX = 90
"""Shorter side of the coarsest octave when their number is left open."""
MOST_OCTAVES = 16

Normalisation = Callable[[Tensor], Tensor]
"""(1, 3, H, W) gradient to a direction of the same shape."""


def octave_sizes(size: tuple[int, int], octaves: int | str, scale: float, least_px: int) -> list[tuple[int, int]]:
    """The sizes (height, width) at which a picture is dreamt, coarse to fine; the last is its own.

    Args:
        size: of the picture.
        octaves: how many; fewer where the coarsest would fall under ``least_px``. ``auto``: down to ``LEAST_PX``.
        scale: from one to the next.
        least_px: smallest side that the network can take.
    """
    floor = least_px if octaves != "auto" else max(least_px, LEAST_PX)
    count = MOST_OCTAVES if octaves == "auto" else int(octaves)
    room = math.log(max(1.0, min(size) / floor)) / math.log(scale)
    count = min(count, 1 + int(room + 1e-6))
    return [(round(size[0] / scale**i), round(size[1] / scale**i)) for i in reversed(range(count))]


def make_normalisation(
    settings: DreamConfig, colour: Tensor, size: tuple[int, int], device: torch.device | str
) -> Normalisation:
    """What the settings make of a gradient over a picture of one size."""
    kind = settings.normalisation
    if kind == "auto":
        kind = "mean" if settings.algorithm == "deepdream" else "decorrelated"
    match kind:
        case "decorrelated":
            return Decorrelation(size, colour, settings.spectrum_floor, settings.spectrum_power, device)
        case "laplacian":
            return Laplacian(device=device)
        case _:
            return lambda gradient: gradient


class DeepDream:
    """The octaves of a picture of one size."""

    def __init__(
        self,
        objective: TurnObjective,
        settings: DreamConfig,
        colour: Tensor,
        size: tuple[int, int],
        least_px: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """Prepare for pictures of one size.

        Args:
            objective: what is climbed.
            settings: its octaves, jitter and normalisation are heeded.
            colour: (3, 3) covariance of natural colours.
            size: (height, width).
            least_px: smallest side that the network can take.
            device: where the pictures are.
        """
        self._objective, self._reach, self._size = objective, settings.jitter_px, size
        self.sizes = octave_sizes(size, settings.octaves, settings.octave_scale, least_px)
        """(height, width) of each octave, coarse to fine."""
        self._normalise = [make_normalisation(settings, colour, octave, device) for octave in self.sizes]

    def change(self, picture: Tensor, regions: list[tuple[Region, float]], number: int, chance: torch.Generator) -> Tensor:
        """What one step at an octave adds to the picture, for a step of 1: at that octave its mean absolute value.

        Args:
            picture: (1, 3, H, W) float32 RGB in 0..255.
            regions: what is on air.
            number: counts the steps: one for each octave from the coarsest on, then one network more has its turn.
            chance: of the shift.
        """
        turn, octave = divmod(number, len(self.sizes))
        size = self.sizes[octave]
        reach = min(self._reach, min(size) // 2)
        down, right = (int(torch.randint(-reach, reach + 1, (), generator=chance)) for _ in range(2))
        small = picture
        if size != self._size:
            small = F.interpolate(picture, size=size, mode="bilinear", antialias=True, align_corners=False)

        def show(network: Network, view: float) -> See:
            return lambda seen: torch.roll(seen, (down, right), (2, 3))

        gradient = self._objective.gradient(small, regions, turn, show=show)
        direction = self._normalise[octave](gradient)
        direction = direction / direction.abs().mean().clamp_min(1e-12)
        if size != self._size:
            direction = F.interpolate(direction, size=self._size, mode="bicubic", align_corners=False)
        return -direction
