"""Masks of regions over a map of the picture."""

from __future__ import annotations

import torch
from torch import Tensor

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in fractions of the picture."""
EDGE = 0.12
"""Width of a region's soft edge, as a fraction of the picture's side."""


def region_mask(box: Box, size: tuple[int, int], device: torch.device | str = "cpu") -> Tensor:
    """Return a region's soft mask over a map of the picture.

    Args:
        box: the region in the picture.
        size: (height, width) of the map.

    Returns:
        (height, width) float32 in 0..1: 1 inside, 0.5 on an inner edge, 0 outside; the picture's own edges are not soft.
    """
    return region_masks(torch.tensor([box], dtype=torch.float32, device=device), size)[0]


def region_masks(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the masks of several regions, (n, height, width), for boxes (n, 4) that only the device knows."""

    def ramp(low: Tensor, high: Tensor, count: int) -> Tensor:
        at = (torch.arange(count, device=boxes.device) + 0.5) / count
        # No Python numbers become tensors here: they would be copied from the host, which a CUDA graph cannot record.
        rise = torch.maximum(((at - low) / EDGE + 0.5).clamp(0, 1), (low <= 0).float())
        fall = torch.maximum(((high - at) / EDGE + 0.5).clamp(0, 1), (high >= 1).float())
        return torch.minimum(rise, fall)

    x0, y0, x1, y1 = (column[:, None] for column in boxes.unbind(1))
    height, width = size
    return ramp(y0, y1, height)[:, :, None] * ramp(x0, x1, width)[:, None, :]
