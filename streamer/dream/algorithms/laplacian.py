"""Laplacian normalisation: every scale of a gradient gets the same size.

Burt & Adelson 1983, 'The Laplacian pyramid as a compact image code'; for dreams, Mordvintsev 2015 in TensorFlow's DeepDream
tutorial, 'Laplacian Pyramid Gradient Normalization'.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from streamer.dream.objectives.region_weights import rms

LEVELS = 4
LEAST_PX = 4
"""Shorter side below which a level is not split further."""


class Laplacian:
    """Splits a gradient into octaves of frequency, divides each by its root mean square, and puts them together again."""

    def __init__(self, levels: int = LEVELS, device: torch.device | str = "cpu") -> None:
        """Split into ``levels`` bands of detail and a rest."""
        row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0], device=device)
        self._kernel = (torch.outer(row, row) / row.sum().square()).expand(3, 1, 5, 5).contiguous()
        self._levels = levels

    def __call__(self, gradient: Tensor) -> Tensor:
        """Return the normalised gradient, (1, 3, H, W) float32."""
        bands, rest = self.split(gradient)
        return self.merge([band / rms(band) for band in bands], rest / rms(rest))

    def split(self, picture: Tensor) -> tuple[list[Tensor], Tensor]:
        """Return the bands, finest first, and the coarse rest; enlarged and added up they give the picture again."""
        bands: list[Tensor] = []
        while len(bands) < self._levels and min(picture.shape[-2:]) >= 2 * LEAST_PX:
            coarse = F.conv2d(F.pad(picture, (2, 2, 2, 2), mode="reflect"), self._kernel, stride=2, groups=3)
            bands.append(picture - self._enlarge(coarse, picture))
            picture = coarse
        return bands, picture

    def merge(self, bands: list[Tensor], rest: Tensor) -> Tensor:
        """Undo ``split``."""
        for band in reversed(bands):
            rest = self._enlarge(rest, band) + band
        return rest

    def _enlarge(self, coarse: Tensor, like: Tensor) -> Tensor:
        """Enlarge to twice the size, that of one level up."""
        height, width = like.shape[-2:]
        wide = F.pad(coarse, (1, 1, 1, 1), mode="replicate")  # otherwise the border would fade
        large = F.conv_transpose2d(wide, 4 * self._kernel, stride=2, padding=2, output_padding=1, groups=3)
        return large[..., 2 : 2 + height, 2 : 2 + width]
