"""The interface of one kind of target: which networks know it, which layer it uses, and the value of each position.

A kind is a subclass of ``Objective``, in a file of its own, listed in ``registry``. ``scene`` handles shares, areas, fades,
tiles and several kinds at once; a kind knows nothing of them.
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
    """One kind of target for one network.

    Losses are ``shared_loss(map) − Σ regions weight · mean(mask · value_map(map, target))``, once for each group.
    """

    name: ClassVar[str]
    """Name of the kind, see ``Kind``."""
    grouped: ClassVar[bool] = False
    """Whether all targets of the kind share one loss, since their values have one unit and one map. Otherwise each target has a
    loss of its own, and with several losses each gradient is divided by its size."""
    in_turn: ClassVar[bool] = False
    """Whether all networks that know a target take turns; otherwise it belongs to the first one."""

    def __init__(self, network: Network) -> None:
        """Prepare for a network; expensive work waits until it is needed."""
        self.network = network

    @abstractmethod
    def knows(self, target: Target) -> bool:
        """Return whether the network has the target's class, layer or channels."""

    @abstractmethod
    def check(self, target: Target) -> None:
        """Check that a target can be rendered; read its files.

        Raises:
            DreamError: the message says what the network lacks, and lists near matches.
        """

    @abstractmethod
    def hook(self, target: Target) -> LayerHook:
        """Return the hook of the layer that ``value_map`` needs."""

    @abstractmethod
    def value_map(self, seen: Tensor, target: Target) -> Tensor:
        """Return the value of each position, (h, w); the gradient raises its mean over the target's region.

        Args:
            seen: (1, C, h, w) float32, the hook's output or a piece of it: a position may not depend on others.
        """

    def shared_hook(self, target: Target) -> LayerHook:
        """Return the hook of ``shared_loss``, in the same layer as ``hook``."""
        return self.hook(target)

    def shared_loss(self, seen: Tensor) -> Tensor:
        """Return a loss that counts once for all targets of a group, a scalar, from the output of ``shared_hook``."""
        return seen.new_zeros(())

    def score(self, seen: Tensor, target: Target, mask: Tensor) -> float:
        """Rate how well a whole map (1, C, h, w) shows a target under a mask (h, w), for display; more is better."""
        return masked_mean(self.value_map(seen, target), mask)


class LayerObjective(Objective):
    """A kind that uses a layer: the one that the target names, or the network's default."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self._entries = {entry.name: entry for entry in network.layer_entries}

    def layer(self, target: Target) -> str:
        """Return the layer's name."""
        return target.layer or self.network.default_layer

    def knows(self, target: Target) -> bool:
        """Return whether the network has the layer."""
        return self.layer(target) in self._entries

    def check(self, target: Target) -> None:
        """Check that the network has the layer and the channels; raise ``DreamError`` otherwise."""
        name, layer = self.network.name, self.layer(target)
        if layer not in self._entries:
            near = difflib.get_close_matches(layer.lower(), self._entries, 3, 0.5)
            offer = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(self._entries)}"
            raise DreamError(f"{name} has no layer '{layer}'; {offer}")
        count = self._entries[layer].channels
        if wrong := [channel for channel in target.channels if not 0 <= channel < count]:
            raise DreamError(f"{name}'s layer '{layer}' has no channel {wrong[0]}; they run from 0 to {count - 1}")

    def hook(self, target: Target) -> LayerHook:
        """Return the hook of the layer's output."""
        return LayerHook(self.layer(target))


def masked_mean(values: Tensor, mask: Tensor) -> float:
    """Return the mean of values (h, w) under a mask (h, w)."""
    return float((mask * values).sum() / mask.sum())
