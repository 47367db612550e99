"""How a network is shown the picture: shifted, and at about the size of one of its views."""

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
"""Takes the picture, (1, 3, H, W), to what a network is shown of it."""
TransformFor = Callable[[Network, float], Transform]
"""How a network is shown the picture at one of its views."""


SIZES_PER_VIEW = 8
"""Sizes at which a network is shown a picture at one of its views. Convolutions are planned anew for every size, and the plans
are kept: sizes drawn freely cost a CPU a fifth of the time, a GPU most of it, and memory for a thousand plans."""
GRAIN_PX = 8
"""Sides from ``GRAINED_PX`` on are multiples of it: those suit the convolutions of a CPU, some of which take twice the time
for a row of 478 as for one of 480."""
GRAINED_PX = 20 * GRAIN_PX
"""Side from which on pictures are large enough for such things to count."""
GREY = 128.0
"""Level about which bfloat16, whose steps grow with a number's size, is least coarse."""


@dataclass(frozen=True, slots=True, eq=False)
class ViewTransform:
    """One look at the picture."""

    size: tuple[int, int]
    """(height, width) at which it is seen."""
    shift: tuple[int, int]
    """(down, right) by which it is shifted before, px; what leaves on one side comes in on the other."""
    filters: tuple[Tensor, Tensor] | None = None
    """What does both at once as ``separated`` has it, where that is faster."""

    def __call__(self, picture: Tensor) -> Tensor:
        """What a network is shown of a picture (1, 3, H, W)."""
        if self.filters is not None:
            return separated(picture, *self.filters)
        return resized(torch.roll(picture, self.shift, (2, 3)), self.size)


class ViewSampler:
    """How networks are shown a picture: shifted at random, at about a view's size, as the settings say."""

    def __init__(self, settings: DreamConfig, size: tuple[int, int], generator: torch.Generator) -> None:
        """Show pictures of one size.

        Args:
            settings: their view and shift jitter is heeded.
            size: (height, width) of the pictures.
            generator: of the shifts and sizes; three numbers are drawn for each call.
        """
        self._settings, self._chance = settings, generator
        self.size = size
        """(height, width) of the pictures."""
        self._side = min(size)
        self._filters: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def __call__(self, network: Network, view: float) -> ViewTransform:
        """The transform for one whole step.

        Args:
            view: the picture's shorter side as a multiple of what the network was trained on.
        """
        reach = self._settings.jitter_px
        size = self.view_sizes(network, view)[int(SIZES_PER_VIEW * float(torch.rand((), generator=self._chance)))]
        shift = (round(reach * self._either()), round(reach * self._either()))
        if self._side < GRAINED_PX or network.device.type != "cpu" or network.dtype != torch.bfloat16:
            return ViewTransform(size, shift)
        if size not in self._filters:
            down, across = (filters(*sides, network.dtype) for sides in zip(self.size, size, strict=True))
            self._filters[size] = down, across
        # To shift the filters the other way comes to the same as to shift the picture.
        down, across = (torch.roll(each, -by, 1) for each, by in zip(self._filters[size], shift, strict=True))
        return ViewTransform(size, shift, (down, across))

    def view_sizes(self, network: Network, view: float) -> tuple[tuple[int, int], ...]:
        """The sizes (height, width) at which a network may be shown the picture at a view, from small to large, equally often.

        They stand in the middles of equal parts of what the settings allow, so that their mean is the view's own size.
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
    """A side in pixels that a CPU's convolutions like, off by 3 % at most."""
    return GRAIN_PX * round(side / GRAIN_PX) if side >= GRAINED_PX else round(side)


def resample(picture: Tensor, factor: float, least: tuple[int, int] | int = 32) -> Tensor:
    """Scale a picture (1, 3, H, W), anti-aliased, no side falling under ``least`` pixels."""
    floor_h, floor_w = (least, least) if isinstance(least, int) else least
    height = max(floor_h, round(picture.shape[-2] * factor))
    width = max(floor_w, round(picture.shape[-1] * factor))
    return resized(picture, (height, width))


def resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring a picture (1, 3, H, W) to a size (height, width), anti-aliased where that is smaller."""
    if size == (picture.shape[-2], picture.shape[-1]):
        return picture
    smaller = size[0] < picture.shape[-2] or size[1] < picture.shape[-1]
    return F.interpolate(picture, size=size, mode="bilinear", antialias=smaller, align_corners=False)


def filters(count: int, side: int, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> Tensor:
    """What ``resized`` does to a column or row of ``count`` pixels, as a matrix (side, count)."""
    eye = torch.eye(count, device=device)[None, None]
    scaled = F.interpolate(eye, (side, count), mode="bilinear", antialias=side < count, align_corners=False)
    return scaled[0, 0].to(dtype)


class _Separated(torch.autograd.Function):
    """Two products of matrices, which compute in the matrices' own precision, and back by the same two."""

    @staticmethod
    def forward(ctx: Any, picture: Tensor, down: Tensor, across: Tensor) -> Tensor:
        """As ``separated`` says."""
        ctx.save_for_backward(down, across)
        level = torch.empty(picture.shape[1:], dtype=down.dtype, device=picture.device)
        torch.sub(picture[0], GREY, out=level)
        rows = torch.matmul(down, level)
        return torch.matmul(rows, across.T).float().add_(GREY)[None]

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        """The gradient over the picture."""
        down, across = ctx.saved_tensors
        rows = torch.matmul(slope[0].to(down.dtype).contiguous(), across)
        return torch.matmul(down.T, rows).float()[None], None, None


def separated(picture: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Scale a picture (1, 3, H, W) in 0..255 by the ``filters`` of each direction, as ``resized`` does.

    In bfloat16, on CPUs that multiply it, in half of the time.

    Args:
        down: (h, H).
        across: (w, W).

    Returns:
        (1, 3, h, w) float32.
    """
    shown: Tensor = _Separated.apply(picture, down, across)  # type: ignore[no-untyped-call]
    return shown
