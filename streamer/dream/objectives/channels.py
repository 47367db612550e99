"""Chosen channels of a layer: their mean before the ReLU, which has a gradient even where they are inactive.

Olah, Mordvintsev, Schubert 2017, 'Feature Visualization'; here minus the response of the whole layer.
"""

from __future__ import annotations

from torch import Tensor

from streamer.dream.networks.layers import LayerHook
from streamer.dream.objectives.objective import LayerObjective, masked_mean
from streamer.messages.scenes import Kind, Target

RIVALS = 2.0
"""Weight of the layer's response, a root mean square, against that of the chosen channels. Without it, patterns that excite all
channels rise too, and other channels end above the chosen ones. Computed per position, so that pictures can be tiled."""


class Channels(LayerObjective):
    """The objective of chosen channels of a layer."""

    name = Kind.CHANNELS

    def hook(self, target: Target) -> LayerHook:
        """Return the hook of the layer before its ReLU."""
        return LayerHook(self.layer(target), raw=True)

    def value_map(self, seen: Tensor, target: Target) -> Tensor:
        """Return the channels' mean minus the layer's response, (h, w)."""
        response = (seen[0].relu().square().mean(0) + 1e-6).sqrt()
        return seen[0, list(target.channels)].mean(0) - RIVALS * response

    def score(self, seen: Tensor, target: Target, mask: Tensor) -> float:
        """Return the channels' mean before the ReLU."""
        return masked_mean(seen[0, list(target.channels)].mean(0), mask)
