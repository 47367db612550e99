"""One step uphill: decorrelate the gradient, give it momentum, scale it by its size, keep the picture's contrast natural."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


class Decorrelation:
    """Turns a gradient over pixels into one over the decorrelated colours and frequencies of natural pictures.

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
            colour: (3, 3) covariance of natural colours; its square root mixes the channels. The covariance itself, which the
                change of variables calls for, leaves colour so little of each step that dreams stay grey.
            floor_cycles: cycles per picture height below which frequencies are not raised further.
            power: of frequency, in 1/f^power.
        """
        height, width = size
        fy = torch.fft.fftfreq(height)[:, None] * height
        fx = torch.fft.rfftfreq(width)[None, :] * height  # in cycles per height too: square pixels
        frequency = torch.sqrt(fy.square() + fx.square())
        self._gain = frequency.clamp_min(floor_cycles).pow(-power).to(device)
        variances, axes = torch.linalg.eigh(colour)
        root = axes * variances.clamp_min(0).sqrt() @ axes.T
        self._colour = (root / root.diagonal().mean()).to(device)

    def __call__(self, gradient: Tensor) -> Tensor:
        """The same shape, (1, 3, H, W) float32."""
        spectrum = torch.fft.rfft2(gradient[0].contiguous())
        flat = torch.fft.irfft2(spectrum * self._gain, s=gradient.shape[-2:])
        return torch.einsum("ij,jhw->ihw", self._colour, flat)[None]


def rms(tensor: Tensor) -> Tensor:
    """Root mean square, a scalar tensor that is never 0."""
    return tensor.square().mean().sqrt().clamp_min(1e-12)


def headroom(picture: Tensor, update: Tensor, knee: float) -> Tensor:
    """Slow an update down where it would run into black or white.

    Within ``knee`` levels of a bound the outward part shrinks in proportion to the room left, as under a sigmoid
    parametrisation, so that values approach 0 and 255 without clipping there.
    """
    room = torch.where(update > 0, 255.0 - picture, picture)
    return update * (room / knee).clamp(0, 1)


def leash(
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
        pull: share of the excess taken off, 0..1.
        mean_slack: how far a cell's mean may lie from mid-grey before it is pulled back, in levels.
        contrast: standard deviation about the cell's mean above which deviation is shrunk, in levels.
        chroma: the same for the distance of colours from grey.

    Returns:
        A picture of the same shape.
    """
    size = (picture.shape[-2], picture.shape[-1])
    grid = (min(grid[0], size[0]), min(grid[1], size[1]))

    def spread(cells: Tensor) -> Tensor:
        return F.interpolate(cells, size=size, mode="bilinear", align_corners=False)

    luma = picture.mean(1, keepdim=True)
    colour = picture - luma
    mean_cells = F.adaptive_avg_pool2d(luma, grid)
    mean = spread(mean_cells)
    deviation = luma - mean
    deviation_cells = F.adaptive_avg_pool2d(deviation.square(), grid).sqrt().clamp_min(1e-3)
    gain = spread(1 - pull * (1 - (contrast / deviation_cells).clamp_max(1.0)))
    offset = mean_cells - 127.5
    back = spread(pull * (offset - offset.clamp(-mean_slack, mean_slack)))
    chroma_cells = F.adaptive_avg_pool2d(colour.square().mean(1, keepdim=True), grid).sqrt().clamp_min(1e-3)
    chroma_gain = spread(1 - pull * (1 - (chroma / chroma_cells).clamp_max(1.0)))
    return mean - back + deviation * gain + colour * chroma_gain


def soften(picture: Tensor, grid: tuple[int, int], keep: float) -> Tensor:
    """Take contrast from the detail of a picture and leave its large shapes.

    Args:
        picture: (1, 3, H, W) float32.
        grid: cells (rows, columns) whose means count as large shapes.
        keep: share of the detail that stays, 0..1.
    """
    size = (picture.shape[-2], picture.shape[-1])
    cells = F.adaptive_avg_pool2d(picture, (min(grid[0], size[0]), min(grid[1], size[1])))
    shapes = F.interpolate(cells, size=size, mode="bilinear", align_corners=False)
    return shapes + (picture - shapes) * keep
