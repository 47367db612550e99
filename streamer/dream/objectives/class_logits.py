"""A class: its logit, never softmax, which rises as well by making the other classes less likely, and that paints nothing.

Simonyan, Vedaldi, Zisserman 2014, 'Deep Inside Convolutional Networks', section 2. The mean of all logits is taken off once: it
is what raises every class alike, such as contrast.
"""

from __future__ import annotations

from torch import Tensor

from streamer.dream.interface import DreamError
from streamer.dream.networks.layers import MEAN, LayerHook
from streamer.dream.networks.network import Network
from streamer.dream.objectives.objective import Objective
from streamer.messages.scenes import Kind, Target


class ClassLogits(Objective):
    """Classes of a network."""

    name = Kind.CLASS
    grouped = True
    in_turn = True

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self._classes = {wnid: number for number, wnid in enumerate(network.wnids)}
        self._mean = LayerHook(network.classes_layer, channel=MEAN)

    def knows(self, target: Target) -> bool:
        """Whether it has the class."""
        return target.wnid in self._classes

    def check(self, target: Target) -> None:
        """Make sure that it has the class; raises ``DreamError``."""
        if target.wnid not in self._classes:
            raise DreamError(f"{self.network.name} does not know '{target.label}' ({target.wnid})")

    def hook(self, target: Target) -> LayerHook:
        """The class' logits."""
        return LayerHook(self.network.classes_layer, channel=self._classes[target.wnid])

    def shared_hook(self, target: Target) -> LayerHook:
        """The mean of all logits."""
        return self._mean

    def value_map(self, seen: Tensor, target: Target) -> Tensor:
        """The logit, (h, w)."""
        return seen[0, 0]

    def shared_loss(self, seen: Tensor) -> Tensor:
        """The mean of all logits and places."""
        return seen.mean()
