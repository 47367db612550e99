"""Vary the training pictures at random."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

WHOLE_SHARE = 0.5
"""Share of pictures shown whole. Crops are enlarged and therefore soft; training needs sharp pictures too."""
SHIFT_PX = 4
"""Largest shift of whole pictures, in whole pixels, which keeps them sharp."""
SMALLEST_CROP = 0.62
"""Least side of a crop as a share of the picture's."""
CONTRAST, BRIGHTNESS, GREY = 0.15, 0.06, 0.45
"""Standard deviations of the lighting's gain and offset, and the value that the gain leaves unchanged."""


def as_floats(pixels: Tensor) -> Tensor:
    """Convert (N, H, W, 3) uint8 to (N, 3, H, W) float32 in 0..1, channels last in memory."""
    return (pixels.permute(0, 3, 1, 2).float() / 255).contiguous(memory_format=torch.channels_last)


def augment(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Shift or crop, mirror and relight each picture independently; borders continue as reflections.

    Args:
        pixels: (N, S, S, 3) uint8.
        generator: on the pictures' device.

    Returns:
        (N, 3, S, S) float32 in 0..1, channels last in memory.
    """
    count, side = len(pixels), pixels.shape[1]
    chance = {"generator": generator, "device": pixels.device}
    pictures = as_floats(pixels)
    whole = torch.rand(count, **chance) < WHOLE_SHARE
    size = torch.where(whole, 1.0, SMALLEST_CROP + (1 - SMALLEST_CROP) * torch.rand(count, **chance))
    shift = torch.randint(-SHIFT_PX, SHIFT_PX + 1, (count, 2), **chance) * (2 / side)  # the grid spans -1..1
    corner = (2 * torch.rand(count, 2, **chance) - 1) * (1 - size)[:, None]
    mirror = torch.where(torch.rand(count, **chance) < 0.5, -1.0, 1.0)
    view = torch.zeros(count, 2, 3, device=pixels.device)
    view[:, 0, 0], view[:, 1, 1] = size * mirror, size
    view[:, :, 2] = torch.where(whole[:, None], shift, corner)
    grid = F.affine_grid(view, list(pictures.shape), align_corners=False)
    pictures = F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
    gain = 1 + CONTRAST * torch.randn(count, 1, 1, 1, **chance)
    offset = BRIGHTNESS * torch.randn(count, 1, 1, 1, **chance)
    return ((pictures - GREY) * gain + GREY + offset).clamp(0, 1).contiguous(memory_format=torch.channels_last)
