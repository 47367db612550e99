"""A class: its logit rather than its softmax, which also rises when other classes become less likely, and that draws nothing.

Simonyan, Vedaldi, Zisserman 2014, 'Deep Inside Convolutional Networks', section 2. The mean of all logits is subtracted once:
it rises with everything that raises all classes alike, such as contrast.
"""

from __future__ import annotations

from torch import Tensor

from streamer.dream.interface import DreamError
from streamer.dream.networks.layers import MEAN, LayerHook
from streamer.dream.networks.network import Network
from streamer.dream.objectives.objective import Objective
from streamer.messages.scenes import Kind, Target


class ClassLogits(Objective):
    """The objective of a network's classes."""

    name = Kind.CLASS
    grouped = True
    in_turn = True

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self._classes = {wnid: number for number, wnid in enumerate(network.wnids)}
        self._mean = LayerHook(network.classes_layer, channel=MEAN)

    def knows(self, target: Target) -> bool:
        """Return whether the network has the class."""
        return target.wnid in self._classes

    def check(self, target: Target) -> None:
        """Check that the network has the class; raise ``DreamError`` otherwise."""
        if target.wnid not in self._classes:
            raise DreamError(f"{self.network.name} does not know '{target.label}' ({target.wnid})")

    def hook(self, target: Target) -> LayerHook:
        """Return the hook of the class' logits."""
        return LayerHook(self.network.classes_layer, channel=self._classes[target.wnid])

    def shared_hook(self, target: Target) -> LayerHook:
        """Return the hook of the mean of all logits."""
        return self._mean

    def value_map(self, seen: Tensor, target: Target) -> Tensor:
        """Return the class' logit, (h, w)."""
        return seen[0, 0]

    def shared_loss(self, seen: Tensor) -> Tensor:
        """Return the mean over all logits and positions."""
        return seen.mean()
