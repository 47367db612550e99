"""Some channels of a layer: their mean before the ReLU, which has a gradient where they are silent.

Olah, Mordvintsev, Schubert 2017, 'Feature Visualization'; less the response of the whole layer.
"""

from __future__ import annotations

from torch import Tensor

from streamer.dream.networks.layers import LayerHook
from streamer.dream.objectives.objective import LayerObjective, masked_mean
from streamer.messages.scenes import Kind, Target

RIVALS = 2.0
"""How much the layer's response, a root mean square, counts against that of chosen channels: without it, what excites them all
rises too, and others end above them. Taken position by position, so that pictures can be dreamt in tiles."""


class Channels(LayerObjective):
    """Chosen channels, and no others."""

    name = Kind.CHANNELS

    def hook(self, target: Target) -> LayerHook:
        """The layer before its ReLU."""
        return LayerHook(self.layer(target), raw=True)

    def value_map(self, seen: Tensor, target: Target) -> Tensor:
        """Their mean less the layer's response, (h, w)."""
        response = (seen[0].relu().square().mean(0) + 1e-6).sqrt()
        return seen[0, list(target.channels)].mean(0) - RIVALS * response

    def score(self, seen: Tensor, target: Target, mask: Tensor) -> float:
        """Their mean before the ReLU."""
        return masked_mean(seen[0, list(target.channels)].mean(0), mask)
