"""What one kind of target is to a network: who can dream it, where to look, and what each position is worth.

A kind is a subclass of ``Objective``, in a file of its own, listed in ``registry``. Shares, areas, fades, tiles and several
kinds at once are the business of ``scene``: a kind knows nothing of them.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from streamer.dream.interface import DreamError
from streamer.dream.networks.layers import LayerHook
from streamer.dream.networks.network import Network
from streamer.messages.scenes import Target


class Objective(ABC):
    """One kind of target, as one network sees it.

    Losses are ``shared_loss(map) − Σ regions weight · mean(mask · value_map(map, target))``, once for each group.
    """

    name: ClassVar[str]
    """As ``ByteWriter.kind`` has it."""
    grouped: ClassVar[bool] = False
    """Whether all targets of the kind share one loss, since their worths have one unit and one map; else each has its own,
    whose gradient is divided by its size where several meet."""
    in_turn: ClassVar[bool] = False
    """Whether every network that knows a target dreams it, one after the other; else it belongs to the first."""

    def __init__(self, network: Network) -> None:
        """Prepare for a network; what is expensive waits until it is asked for."""
        self.network = network

    @abstractmethod
    def knows(self, target: Target) -> bool:
        """Whether the network has what a target asks for."""

    @abstractmethod
    def check(self, target: Target) -> None:
        """Make sure that a target can be dreamt; files are read here.

        Raises:
            DreamError: says what the network lacks, and what is near.
        """

    @abstractmethod
    def hook(self, target: Target) -> LayerHook:
        """Where in the network to look."""

    @abstractmethod
    def value_map(self, seen: Tensor, target: Target) -> Tensor:
        """What each position is worth, (h, w); the gradient raises its mean over the target's region.

        Args:
            seen: (1, C, h, w) float32, what the hook shows, or a piece of it: a position may not depend on others.
        """

    def shared_hook(self, target: Target) -> LayerHook:
        """Where in the network to look for ``shared_loss``, in the layer at which ``hook`` looks."""
        return self.hook(target)

    def shared_loss(self, seen: Tensor) -> Tensor:
        """What is taken off once for all targets of a group, a scalar, given what ``shared_hook`` shows."""
        return seen.new_zeros(())

    def score(self, seen: Tensor, target: Target, mask: Tensor) -> float:
        """How much a whole map (1, C, h, w) shows of a target under a mask (h, w), for people; more is better."""
        return masked_mean(self.value_map(seen, target), mask)


class LayerObjective(Objective):
    """A kind that looks at a layer: the one that the target names, or the network's own choice."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self._entries = {entry.name: entry for entry in network.layer_entries}

    def layer(self, target: Target) -> str:
        """The layer's name."""
        return target.layer or self.network.default_layer

    def knows(self, target: Target) -> bool:
        """Whether it has the layer."""
        return self.layer(target) in self._entries

    def check(self, target: Target) -> None:
        """Make sure that it has the layer and the channels; raises ``DreamError``."""
        name, layer = self.network.name, self.layer(target)
        if layer not in self._entries:
            near = difflib.get_close_matches(layer.lower(), self._entries, 3, 0.5)
            offer = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(self._entries)}"
            raise DreamError(f"{name} has no layer '{layer}'; {offer}")
        count = self._entries[layer].channels
        if wrong := [channel for channel in target.channels if not 0 <= channel < count]:
            raise DreamError(f"{name}'s layer '{layer}' has no channel {wrong[0]}; they run from 0 to {count - 1}")

    def hook(self, target: Target) -> LayerHook:
        """The layer as it is."""
        return LayerHook(self.layer(target))


def masked_mean(values: Tensor, mask: Tensor) -> float:
    """The mean of values (h, w) under a mask (h, w)."""
    return float((mask * values).sum() / mask.sum())
