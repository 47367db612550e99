"""Normalisation of a gradient before a step is taken along it."""

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
"""Maps a gradient (1, 3, H, W) to a direction of the same shape."""


def make_normalisation(
    settings: DreamConfig, colour: Tensor, size: tuple[int, int], device: torch.device | str
) -> Normalisation:
    """Return the normalisation that the settings choose, for gradients over a picture of one size."""
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
    """The normalisations of the gradients over one picture, applied at the smallest size that is possible.

    Decorrelation and resampling commute, so a gradient is decorrelated at the network's input size if that is smaller.
    Laplacian normalisation divides bands of detail by their sizes, so it needs the picture's own size.
    """

    def __init__(self, settings: DreamConfig, colour: Tensor, size: tuple[int, int], device: torch.device | str) -> None:
        """Prepare for a picture of (height, width)."""
        self._settings, self._colour, self._size, self._device = settings, colour, size, device
        self._made: dict[tuple[int, int], Normalisation] = {}

    def at(self, shown: tuple[int, int]) -> tuple[int, int]:
        """Return the size at which gradients are normalised: the network's input size, or the picture's."""
        whole = self(self._size)
        return shown if isinstance(whole, Decorrelation) and math.prod(shown) < math.prod(self._size) else self._size

    def __call__(self, size: tuple[int, int]) -> Normalisation:
        """Return the normalisation for gradients of one size."""
        if size not in self._made:
            self._made[size] = make_normalisation(self._settings, self._colour, size, self._device)
        return self._made[size]


class _NormaliseInBackward(torch.autograd.Function):
    """The identity forward; normalises the gradient backward."""

    @staticmethod
    def forward(ctx: Any, picture: Tensor, normalise: Normalisation) -> Tensor:
        """Return the picture unchanged."""
        ctx.normalise = normalise
        return picture.view_as(picture)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        """Normalise the gradient."""
        return ctx.normalise(slope), None


def normalise_in_backward(picture: Tensor, normalise: Normalisation) -> Tensor:
    """Return the picture unchanged; its gradient is normalised in the backward pass."""
    same: Tensor = _NormaliseInBackward.apply(picture, normalise)  # type: ignore[no-untyped-call]
    return same
