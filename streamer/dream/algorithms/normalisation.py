"""What becomes of a gradient before a step is taken along it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from streamer.algorithm_facts import ALGORITHMS
from streamer.config import DreamConfig
from streamer.dream.algorithms.laplacian import Laplacian
from streamer.dream.algorithms.picture_steps import Decorrelation

Normalisation = Callable[[Tensor], Tensor]
"""(1, 3, H, W) gradient to a direction of the same shape."""


def make_normalisation(
    settings: DreamConfig, colour: Tensor, size: tuple[int, int], device: torch.device | str
) -> Normalisation:
    """What the settings make of a gradient over a picture of one size."""
    kind = settings.normalisation
    if kind == "auto":
        kind = ALGORITHMS[settings.algorithm].normalisation
    match kind:
        case "decorrelated":
            return Decorrelation(size, colour, settings.spectrum_floor, settings.spectrum_power, device)
        case "laplacian":
            return Laplacian(device=device)
        case _:
            return lambda gradient: gradient


class Normalisations:
    """What the settings make of the gradients over one picture, where they are smallest.

    Decorrelating and resampling can change places, so that a gradient is decorrelated at the size at which a network is shown
    the picture, where that is smaller. What divides bands of detail by their sizes needs the picture's own.
    """

    def __init__(self, settings: DreamConfig, colour: Tensor, size: tuple[int, int], device: torch.device | str) -> None:
        """For a picture of (height, width)."""
        self._settings, self._colour, self._size, self._device = settings, colour, size, device
        self._made: dict[tuple[int, int], Normalisation] = {}

    def at(self, shown: tuple[int, int]) -> tuple[int, int]:
        """The size at which it is done: that at which a network is shown the picture, or the picture's."""
        whole = self(self._size)
        return shown if isinstance(whole, Decorrelation) and math.prod(shown) < math.prod(self._size) else self._size

    def __call__(self, size: tuple[int, int]) -> Normalisation:
        """For gradients of one size."""
        if size not in self._made:
            self._made[size] = make_normalisation(self._settings, self._colour, size, self._device)
        return self._made[size]


class _NormaliseInBackward(torch.autograd.Function):
    """Nothing forward; backward the gradient is changed."""

    @staticmethod
    def forward(ctx: Any, picture: Tensor, normalise: Normalisation) -> Tensor:
        """The same picture."""
        ctx.normalise = normalise
        return picture.view_as(picture)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        """What becomes of its gradient."""
        return ctx.normalise(slope), None


def normalise_in_backward(picture: Tensor, normalise: Normalisation) -> Tensor:
    """The same picture, whose gradient is normalised on its way back through it."""
    same: Tensor = _NormaliseInBackward.apply(picture, normalise)  # type: ignore[no-untyped-call]
    return same
