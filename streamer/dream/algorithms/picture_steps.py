"""Parts of a step: decorrelate the gradient, clip softly at black and white, keep local contrast and detail natural."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from streamer.dream.objectives.views import filters

LINE_KEEP = 0.3
"""Share of straight lines along rows and columns that a gradient keeps: it shows the grid of a network's poolings."""
LINE_CYCLES = 2.0
"""Distance from an axis of the spectrum, in cycles per picture height, at which lines across half of the picture are. Lines no
longer than an object are farther away and are kept."""
LINES_FROM, LINES_ALL = 10.0, 20.0
"""Frequencies, in cycles per picture height, between which lines start to be removed: coarser ones are horizons and walls, and
no network's grid at the sizes at which it sees a picture."""
MIDDLE = 127.5
"""The level halfway between black and white."""


class Decorrelation:
    """Turns a gradient over pixels into one over the decorrelated colours and frequencies of natural pictures, without grids.

    Spectrum times 1/f with a floor, channels mixed by the colours' correlation (Olah, Mordvintsev, Schubert 2017, 'Feature
    Visualization', section 'Preconditioning and Parameterization').
    """

    def __init__(
        self,
        size: tuple[int, int],
        colour: Tensor,
        floor_cycles: float,
        power: float = 1.0,
        device: torch.device | str = "cpu",
    ) -> None:
        """Prepare for pictures of one size.

        Args:
            size: (height, width).
            colour: (3, 3) covariance of natural colours; its square root mixes the channels. The change of variables would use
                the covariance itself, but that leaves so little colour in each step that dreams stay grey.
            floor_cycles: cycles per picture height below which frequencies are not amplified further.
            power: exponent of the frequency, in 1/f^power.
            device: the device to compute on.
        """
        self._size = size
        self._fit = (fft_size(size[0]), fft_size(size[1]))
        height, width = self._fit
        fy = torch.fft.fftfreq(height)[:, None] * size[0]
        fx = torch.fft.rfftfreq(width)[None, :] * size[0]  # in cycles per height too: square pixels
        frequency = torch.sqrt(fy.square() + fx.square())
        self._gain = (frequency.clamp_min(floor_cycles).pow(-power) * grid_attenuation(fy, fx)).to(device)
        variances, axes = torch.linalg.eigh(colour)
        root = axes * variances.clamp_min(0).sqrt() @ axes.T
        self._colour = (root / root.diagonal().mean()).to(device)

    def __call__(self, gradient: Tensor) -> Tensor:
        """Return the decorrelated gradient, (1, 3, H, W) float32."""
        (height, width), planes = self._size, gradient[0]
        planes = (self._colour @ planes.flatten(1)).view(planes.shape)
        spectrum = torch.fft.rfft2(planes, s=self._fit).mul_(self._gain)
        flat: Tensor = torch.fft.irfft2(spectrum, s=self._fit)
        return flat[None, :, :height, :width]


def grid_attenuation(down: Tensor, across: Tensor) -> Tensor:
    """Return the factor of each frequency that removes the grid of a network's poolings.

    The grid consists of lines a few pixels apart along the picture's rows and columns: narrow ridges on the axes of the
    spectrum, smeared along them by the different sizes at which the network sees the picture.

    Args:
        down: (h, 1) vertical frequencies, cycles per picture height.
        across: (1, w) horizontal frequencies, cycles per picture height.

    Returns:
        (h, w) factors in 0..1.
    """
    on_axis = torch.exp(-torch.minimum(down.square(), across.square()) / LINE_CYCLES**2)
    fine = ((torch.hypot(down, across) - LINES_FROM) / (LINES_ALL - LINES_FROM)).clamp(0, 1)
    return 1 - (1 - LINE_KEEP) * on_axis * fine


def fft_size(side: int) -> int:
    """Return the smallest size of at least ``side`` that is a product of small primes, for a fast Fourier transform."""
    while True:
        rest = side
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return side
        side += 1


def soft_clip_step(picture: Tensor, direction: Tensor, size: float | Tensor, knee: float, headroom: float) -> Tensor:
    """Take a step against a direction, shrunk where it would run into black or white.

    The bounds are ``headroom`` before black and white. A step outward is unchanged if its own length plus ``knee`` levels are
    left before the bound; closer to it, the step shrinks in proportion to the room left, as with a sigmoid parametrisation. So
    values approach the bounds without clipping, however large the step. Values beyond a bound move only inward.

    Args:
        picture: float32, 0..255.
        direction: same shape as ``picture``.
        size: factor of the direction, above 0.
        knee: levels before the bound, besides the step's length, over which the step shrinks.
        headroom: levels between the bound and black or white.

    Returns:
        The picture after the step.
    """
    steps = direction * size
    # With signs: on a CPU, choosing between two values per pixel takes longer than computing both.
    room = torch.sign(direction).mul_(picture - MIDDLE).add_(MIDDLE - headroom)
    share = room.div_(steps.abs().add_(knee)).clamp_(0.0, 1.0)
    return torch.addcmul(picture, steps, share, value=-1)


def normalise_local_contrast(
    picture: Tensor,
    grid: tuple[int, int],
    pull: float,
    mean_slack: float,
    contrast: float,
    chroma: float,
) -> Tensor:
    """Pull local brightness, contrast and colourfulness back toward natural ones.

    Args:
        picture: (1, 3, H, W) float32, 0..255.
        grid: cells (rows, columns) over which statistics are taken.
        pull: share of the excess to remove, 0..1.
        mean_slack: how far a cell's mean may be from mid-grey before it is pulled back, in levels.
        contrast: standard deviation about the cell's mean above which the deviation is reduced, in levels.
        chroma: the same for the distance of colours from grey.

    Returns:
        A picture of the same shape.
    """
    size = (picture.shape[-2], picture.shape[-1])
    grid = (min(grid[0], size[0]), min(grid[1], size[1]))

    # Bilinear interpolation from cells to pixels is a product with one matrix per direction.
    down, across = (filters(count, side, device=picture.device) for count, side in zip(grid, size, strict=True))

    def spread(cells: Tensor) -> Tensor:
        return down @ (cells @ across.T)

    red, green, blue = (picture[:, channel : channel + 1] for channel in range(3))
    luma = (red + green).add_(blue).mul_(1 / 3)
    mean_cells = F.adaptive_avg_pool2d(luma, grid)
    deviation = luma - spread(mean_cells)
    # Every second row describes a cell as well as all of them.
    some = 2 if size[0] >= 4 * grid[0] else 1
    deviation_cells = F.adaptive_avg_pool2d(deviation[:, :, ::some].square(), grid).sqrt().clamp_min(1e-3)
    gain = spread(1 - pull * (1 - (contrast / deviation_cells).clamp_max(1.0)))
    offset = mean_cells - 127.5
    back_cells = pull * (offset - offset.clamp(-mean_slack, mean_slack))
    # The mean square of the distances from grey is a ninth of the sum of the squared differences between channels.
    red, green, blue = (channel[:, :, ::some] for channel in (red, green, blue))
    colour = (red - green).square_()
    for one, other in ((green, blue), (blue, red)):
        distance = one - other
        colour.addcmul_(distance, distance)
    chroma_cells = (F.adaptive_avg_pool2d(colour, grid) / 9).sqrt().clamp_min(1e-3)
    chroma_gain = spread(1 - pull * (1 - (chroma / chroma_cells).clamp_max(1.0)))
    grey = spread(mean_cells - back_cells).addcmul_(deviation, gain).addcmul_(luma, chroma_gain, value=-1)
    return torch.addcmul(grey, picture, chroma_gain)


def reduce_detail(picture: Tensor, grid: tuple[int, int], keep: float | Tensor) -> Tensor:
    """Reduce the contrast of a picture's detail and leave its large shapes.

    Args:
        picture: (1, 3, H, W) float32.
        grid: cells (rows, columns) whose means count as large shapes.
        keep: share of the detail that stays, 0..1.
    """
    size = (picture.shape[-2], picture.shape[-1])
    cells = F.adaptive_avg_pool2d(picture, (min(grid[0], size[0]), min(grid[1], size[1])))
    shapes = F.interpolate(cells, size=size, mode="bilinear", align_corners=False)
    return shapes + (picture - shapes) * keep
