"""The size of gradients, and the weights of regions relative to each other."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from streamer.messages.scenes import Region

WeightedRegions = Sequence[tuple[Region, float]]
"""Regions, each with its share in the current crossfade: 0..1, or below 0 for outgoing ones."""


def rms(tensor: Tensor) -> Tensor:
    """Return the root mean square, a scalar tensor that is never 0."""
    root: Tensor = torch.linalg.vector_norm(tensor) / tensor.numel() ** 0.5
    return root.clamp_min(1e-12)


def gradient_weight(group: WeightedRegions) -> float:
    """Return a group's weight against others whose gradients have other units: by its regions' shares and areas."""
    total = 0.0
    for region, share in group:
        x0, y0, x1, y1 = region.box
        total += abs(share) * region.weight * (x1 - x0) * (y1 - y0)
    return float(total**0.5)
