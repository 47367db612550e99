"""The penalty of a fitted prior on a picture's patches, and its gradient."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from streamer.dream.algorithms.prior import LEVEL, PATCH, PriorParameters

MOST_FOLDED = 2
"""Largest pooling that is folded into the filters."""
BAND = 1 << 20
"""Responses computed together on a CPU, so that they stay in its cache."""
WIDE_PX = 512
"""Side of the square on which the frequency response is computed, large compared with a patch."""
LONGEST_PX = 160.0
"""Longest wavelength at which gradients are scaled by their frequency."""


class PatchPrior:
    """The penalty on a picture's patches, evaluated on a random grid of them, and its gradient.

    Adjoining patches are the rows of a matrix, and one product computes all responses to them: on a CPU a convolution of a
    picture's three channels takes many times as long. Overlapping patches need one product for each possible position of the
    first patch, unless they are so few that all fit into the CPU's cache at once.

    Args:
        parameters: the fitted prior.
        poolings: factors by which the picture is shrunk (averaged) before its patches are evaluated.
        stride: distance of the patches in pixels, a divisor of their side. With a new random offset in each call, the gradient
            is on average that of all patches, at 1/stride² of the work.
        device: the device to compute on.
        dtype: precision of the products.
        power: the gradient is scaled by 1/f to this power within each patch, by scaling the responses' weights beforehand.
            This takes no time, and has a cosine of 0.99 to the transform of the whole gradient.

    Raises:
        ValueError: the stride does not divide the patch's side.
    """

    def __init__(
        self,
        parameters: PriorParameters,
        poolings: Sequence[int] = (1, 2),
        stride: int = 4,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        power: float = 0.0,
    ) -> None:
        if PATCH % stride:
            raise ValueError(f"the stride is {stride}; must divide {PATCH}")
        self.poolings = tuple(poolings)
        self.stride = stride
        self.nu = parameters.nu
        self._filters: dict[int, Tensor] = {}
        """Weights of the responses by pooling, (n, 3 * side * side)."""
        self._slopes: dict[int, Tensor] = {}
        """What a response adds to the gradient of its patch, of the same shape."""
        for pooling in poolings:
            fold = folded(pooling)
            wide = parameters.filters.repeat_interleave(fold, 2).repeat_interleave(fold, 3) / fold**2
            self._filters[pooling] = wide.flatten(1).to(device, dtype)
            calm = (
                frequency_scaling(wide.shape[-1], power) * (pooling / fold) ** power if power else torch.eye(wide[0, 0].numel())
            )
            self._slopes[pooling] = (wide.flatten(2) @ calm).flatten(1).to(device, dtype)

    def __call__(self, picture: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the penalty, a scalar without a gradient: the sum over poolings of the mean over patches and filters.

        Args:
            picture: (1, 3, H, W) float32 in 0..255. Poolings that leave less than one patch are skipped.
            generator: source of the offsets, on the CPU; without one, the offsets are 0.
        """
        total = picture.new_zeros(())
        level = self._level(picture)
        for pooling, down, across in self._looks(picture, generator):
            count, energy = 0, picture.new_zeros(())
            for _, _, responses in self._responses(_pooled(level[:, down, across], pooling), pooling):
                energy += torch.log1p(responses.float().square_().div_(self.nu)).sum()
                count += responses.numel()
            total += energy / count
        return total

    def gradient(self, picture: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the penalty's gradient over the picture, of its shape; see ``__call__`` for the arguments."""
        level = self._level(picture)
        found = torch.zeros_like(level)
        for pooling, down, across in self._looks(picture, generator):
            self._add_pull(found[:, down, across], level[:, down, across], pooling)
        return found.to(picture.dtype)[None]

    def reach(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """Return the number of possible row and column offsets for a picture of (height, width), at each pooling."""

        def most(side: int, pooling: int) -> int:
            return max(1, min(self.stride * pooling, (side // pooling - PATCH) * pooling + 1))

        return [(most(size[0], pooling), most(size[1], pooling)) for pooling in self.poolings]

    def gradient_at(self, picture: Tensor, offsets: Tensor) -> Tensor:
        """Return the penalty's gradient for offsets that only the device knows; their number of patches is constant.

        Args:
            picture: (1, 3, H, W) float32 in 0..255.
            offsets: (poolings, 2) int64, row and column of the first patch, less than ``reach``.
        """
        level = self._level(picture)
        found = torch.zeros_like(level)
        size = (picture.shape[-2], picture.shape[-1])
        for pooling, reach, offset in zip(self.poolings, self.reach(size), offsets, strict=True):
            grain = self.stride * pooling
            height, width = ((side - (most - 1)) // grain * grain for side, most in zip(size, reach, strict=True))
            if min(height, width) < PATCH * pooling:
                continue
            rows, columns = (
                first + torch.arange(side, device=picture.device) for first, side in zip(offset, (height, width), strict=True)
            )
            pull = level.new_zeros(3, height, width)
            self._add_pull(pull, level.index_select(1, rows).index_select(2, columns), pooling)
            wide = level.new_zeros(3, height, size[1]).index_copy_(2, columns, pull)
            found.index_add_(1, rows, wide)
        return found.to(picture.dtype)[None]

    def _level(self, picture: Tensor) -> Tensor:
        """Return a picture (1, 3, H, W) minus ``LEVEL``, in the products' precision, (3, H, W)."""
        level = torch.empty(picture.shape[1:], dtype=self._filters[self.poolings[0]].dtype, device=picture.device)
        return torch.sub(picture.detach()[0], LEVEL, out=level)

    def _looks(self, picture: Tensor, generator: torch.Generator | None) -> Iterator[tuple[int, slice, slice]]:
        """Yield each pooling that leaves a patch, and the rows and columns to evaluate, in multiples of it."""
        size = (picture.shape[-2], picture.shape[-1])
        for pooling, reach in zip(self.poolings, self.reach(size), strict=True):
            if min(size) // pooling < PATCH:
                continue
            # The offset applies before the pooling; otherwise its blocks would always be in the same places.
            first = [int(torch.randint(most, (), generator=generator)) if generator else 0 for most in reach]
            down, across = (
                slice(begin, begin + (side - begin) // pooling * pooling) for begin, side in zip(first, size, strict=True)
            )
            yield pooling, down, across

    def _responses(self, seen: Tensor, pooling: int) -> Iterator[tuple[slice, slice, Tensor]]:
        """Yield rows and columns of a picture from ``_pooled``, and the responses (patches, filters) to the patches in them."""
        fold, filters = folded(pooling), self._filters[pooling]
        side = PATCH * fold
        for top, left in itertools.product(range(0, side, self.stride * fold), repeat=2):
            rows, columns = (seen.shape[-2] - top) // side, (seen.shape[-1] - left) // side
            if columns == 0:
                continue
            across = slice(left, left + columns * side)
            band = max(1, BAND // (columns * len(filters))) if seen.device.type == "cpu" else rows
            for first in range(0, rows, band):
                down = slice(top + first * side, top + min(first + band, rows) * side)
                yield down, across, side_by_side(seen[:, down, across], side) @ filters.T

    def _add_pull(self, found: Tensor, level: Tensor, pooling: int) -> None:
        """Add the gradient of one pooling's penalty over a picture from ``_level``; the pooling divides its sides."""
        fold = folded(pooling)
        seen = _pooled(level, pooling)
        pull = found if fold == pooling else torch.zeros_like(seen)
        patches = math.prod((size // fold - PATCH) // self.stride + 1 for size in seen.shape[-2:])
        slopes = self._slopes[pooling] * (2 / (patches * len(self._slopes[pooling])))
        if self.stride < PATCH and patches * len(slopes) <= BAND and seen.device.type == "cpu":
            # One product for all, since small ones take longer to call than to compute.
            grid = {"kernel_size": PATCH * fold, "stride": self.stride * fold}
            slope = self._slope(F.unfold(seen[None], **grid)[0].T @ self._filters[pooling].T)
            pull += F.fold((slope @ slopes).T[None], seen.shape[-2:], **grid)[0]
        else:
            for down, across, responses in self._responses(seen, pooling):
                area = pull[:, down, across]
                area += put_together(self._slope(responses) @ slopes, area.shape, PATCH * fold)
        if fold < pooling:
            found += pull.repeat_interleave(pooling, 1).repeat_interleave(pooling, 2).div_(pooling**2)

    def _slope(self, responses: Tensor) -> Tensor:
        """Replace responses by half the slopes of their penalties."""
        return torch.div(responses, responses.square().add_(self.nu), out=responses)


def folded(pooling: int) -> int:
    """Return the part of a pooling that filters do by repeated weights: fine pooling is slower than larger matrix products."""
    return pooling if pooling <= MOST_FOLDED else 1


def frequency_scaling(side: int, power: float) -> Tensor:
    """Return the matrix (side², side²) that scales a square of pixels by 1/f to a power, f in cycles per pixel; symmetric."""
    down, across = torch.fft.fftfreq(WIDE_PX)[:, None], torch.fft.rfftfreq(WIDE_PX)
    gain = torch.hypot(down, across).clamp_min(1 / LONGEST_PX).pow(-power)
    answer: Tensor = torch.fft.irfft2(gain.to(torch.complex64), s=(WIDE_PX, WIDE_PX))  # the response to one pixel
    apart = torch.arange(side)[:, None] - torch.arange(side)
    return answer[apart[:, None, :, None], apart[None, :, None, :]].reshape(side**2, side**2)


def side_by_side(picture: Tensor, side: int) -> Tensor:
    """Split a picture (3, h, w) into squares of ``side`` pixels, row by row, (n, 3 * side²)."""
    _, height, width = picture.shape
    squares = picture.reshape(3, height // side, side, width // side, side)
    return squares.permute(1, 3, 0, 2, 4).reshape(-1, 3 * side**2)


def put_together(squares: Tensor, shape: torch.Size, side: int) -> Tensor:
    """Join squares from ``side_by_side`` into a picture (3, h, w)."""
    # Joined first and then added: adding square by square takes a CPU three times as long.
    return squares.view(shape[1] // side, -1, 3, side, side).permute(2, 0, 3, 1, 4).reshape(shape)


def _pooled(level: Tensor, pooling: int) -> Tensor:
    """Shrink a picture (3, h, w), unless the filters do that."""
    return level if folded(pooling) == pooling else F.avg_pool2d(level[None], pooling)[0]
