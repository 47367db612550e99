"""A whole layer: half the square of its response, as DeepDream raised it (Mordvintsev, Olah, Tyka 2015, 'Inceptionism')."""

from __future__ import annotations

from torch import Tensor

from streamer.dream.objectives.objective import LayerObjective, masked_mean
from streamer.messages.scenes import Kind, Target


class LayerResponse(LayerObjective):
    """Whatever excites a layer."""

    name = Kind.LAYER

    def value_map(self, seen: Tensor, target: Target) -> Tensor:
        """Half the mean square over the channels, (h, w)."""
        return seen[0].square().mean(0) / 2

    def score(self, seen: Tensor, target: Target, mask: Tensor) -> float:
        """The root mean square of its response."""
        return float(masked_mean(seen[0].square().mean(0), mask) ** 0.5)
