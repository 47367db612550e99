"""A network's view of the picture: randomly shifted, at about the size of one of its views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from streamer.config import DreamConfig
from streamer.dream.networks.network import Network

Transform = Callable[[Tensor], Tensor]
"""Maps the picture, (1, 3, H, W), to a network's input."""
TransformFor = Callable[[Network, float], Transform]
"""Returns the transform for a network and one of its views."""


SIZES_PER_VIEW = 8
"""Number of different sizes per view. Convolutions are planned for every new size, and the plans are kept: arbitrary sizes
would cost a CPU a fifth of the time, a GPU most of it, and memory for a thousand plans."""
GRAIN_PX = 8
"""Sides of at least ``GRAINED_PX`` are multiples of this, which suits the convolutions of a CPU: some take twice as long for a
row of 478 pixels as for one of 480."""
GRAINED_PX = 20 * GRAIN_PX
"""Smallest side at which this makes a difference."""
GREY = 128.0
"""Level that is subtracted before computing in bfloat16, which is most precise near 0."""


@dataclass(frozen=True, slots=True, eq=False)
class ViewTransform:
    """One view of the picture."""

    size: tuple[int, int]
    """(height, width) of the network's input."""
    shift: tuple[int, int]
    """(down, right) by which the picture is shifted before, px; it wraps around at the borders."""
    filters: tuple[Tensor, Tensor] | None = None
    """Matrices for ``separated`` that shift and scale at once, where that is faster."""

    def __call__(self, picture: Tensor) -> Tensor:
        """Return the network's input for a picture (1, 3, H, W)."""
        if self.filters is not None:
            return separated(picture, *self.filters)
        return resized(torch.roll(picture, self.shift, (2, 3)), self.size)


class ViewSampler:
    """Draws views of a picture: shifted at random, at about a view's size, as the settings say."""

    def __init__(self, settings: DreamConfig, size: tuple[int, int], generator: torch.Generator) -> None:
        """Prepare for pictures of one size.

        Args:
            settings: uses ``view_jitter`` and ``jitter_px``.
            size: (height, width) of the pictures.
            generator: source of the shifts and sizes; each call draws three numbers.
        """
        self._settings, self._chance = settings, generator
        self.size = size
        """(height, width) of the pictures."""
        self._side = min(size)
        self._filters: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def __call__(self, network: Network, view: float) -> ViewTransform:
        """Draw the transform for one whole step.

        Args:
            network: the network that sees the picture.
            view: the picture's shorter side as a multiple of the side of the network's training pictures.
        """
        reach = self._settings.jitter_px
        size = self.view_sizes(network, view)[int(SIZES_PER_VIEW * float(torch.rand((), generator=self._chance)))]
        shift = (round(reach * self._either()), round(reach * self._either()))
        if self._side < GRAINED_PX or network.device.type != "cpu" or network.dtype != torch.bfloat16:
            return ViewTransform(size, shift)
        if size not in self._filters:
            down, across = (filters(*sides, network.dtype) for sides in zip(self.size, size, strict=True))
            self._filters[size] = down, across
        # Shifting the filters the other way is the same as shifting the picture.
        down, across = (torch.roll(each, -by, 1) for each, by in zip(self._filters[size], shift, strict=True))
        return ViewTransform(size, shift, (down, across))

    def view_sizes(self, network: Network, view: float) -> tuple[tuple[int, int], ...]:
        """Return the possible sizes (height, width) of a network's view, from small to large, all equally likely.

        They are the centres of equal parts of the range that the settings allow, so their mean is the view's own size.
        """
        factor = view * network.trained_px / self._side
        steps = [1 + self._settings.view_jitter * ((2 * rung + 1) / SIZES_PER_VIEW - 1) for rung in range(SIZES_PER_VIEW)]
        height, width = self.size
        return tuple(
            (max(network.min_size, _suiting(height * factor * step)), max(network.min_size, _suiting(width * factor * step)))
            for step in steps
        )

    def _either(self) -> float:
        return 2 * float(torch.rand((), generator=self._chance)) - 1


def _suiting(side: float) -> int:
    """Round a side in pixels to one that suits a CPU's convolutions, by at most 3 %."""
    return GRAIN_PX * round(side / GRAIN_PX) if side >= GRAINED_PX else round(side)


def resample(picture: Tensor, factor: float, least: tuple[int, int] | int = 32) -> Tensor:
    """Scale a picture (1, 3, H, W), anti-aliased, with sides of at least ``least`` pixels."""
    floor_h, floor_w = (least, least) if isinstance(least, int) else least
    height = max(floor_h, round(picture.shape[-2] * factor))
    width = max(floor_w, round(picture.shape[-1] * factor))
    return resized(picture, (height, width))


def resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a picture (1, 3, H, W) to (height, width), anti-aliased if that is smaller."""
    if size == (picture.shape[-2], picture.shape[-1]):
        return picture
    smaller = size[0] < picture.shape[-2] or size[1] < picture.shape[-1]
    return F.interpolate(picture, size=size, mode="bilinear", antialias=smaller, align_corners=False)


def filters(count: int, side: int, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> Tensor:
    """Return the matrix (side, count) by which ``resized`` scales a column or row of ``count`` pixels."""
    eye = torch.eye(count, device=device)[None, None]
    scaled = F.interpolate(eye, (side, count), mode="bilinear", antialias=side < count, align_corners=False)
    return scaled[0, 0].to(dtype)


class _Separated(torch.autograd.Function):
    """Two matrix products in the matrices' own precision, forward and backward."""

    @staticmethod
    def forward(ctx: Any, picture: Tensor, down: Tensor, across: Tensor) -> Tensor:
        """Scale the picture; see ``separated``."""
        ctx.save_for_backward(down, across)
        level = torch.empty(picture.shape[1:], dtype=down.dtype, device=picture.device)
        torch.sub(picture[0], GREY, out=level)
        rows = torch.matmul(down, level)
        return torch.matmul(rows, across.T).float().add_(GREY)[None]

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient over the picture."""
        down, across = ctx.saved_tensors
        rows = torch.matmul(slope[0].to(down.dtype).contiguous(), across)
        return torch.matmul(down.T, rows).float()[None], None, None


def separated(picture: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Scale a picture (1, 3, H, W) in 0..255 by the ``filters`` of each direction, as ``resized`` does.

    On CPUs with bfloat16 instructions, this takes half the time in bfloat16.

    Args:
        picture: (1, 3, H, W) float32.
        down: (h, H), the filters of the columns.
        across: (w, W), the filters of the rows.

    Returns:
        (1, 3, h, w) float32.
    """
    shown: Tensor = _Separated.apply(picture, down, across)  # type: ignore[no-untyped-call]
    return shown
