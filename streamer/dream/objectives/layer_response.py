"""A whole layer: half the square of its response, as in DeepDream (Mordvintsev, Olah, Tyka 2015, 'Inceptionism')."""

from __future__ import annotations

from torch import Tensor

from streamer.dream.objectives.objective import LayerObjective, masked_mean
from streamer.messages.scenes import Kind, Target


class LayerResponse(LayerObjective):
    """The objective of a layer's whole response."""

    name = Kind.LAYER

    def value_map(self, seen: Tensor, target: Target) -> Tensor:
        """Return half the mean square over the channels, (h, w)."""
        return seen[0].square().mean(0) / 2

    def score(self, seen: Tensor, target: Target, mask: Tensor) -> float:
        """Return the root mean square of the layer's response."""
        return float(masked_mean(seen[0].square().mean(0), mask) ** 0.5)
