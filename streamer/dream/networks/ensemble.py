"""Several networks that work on one picture together."""

from __future__ import annotations

import torch

from streamer.dream.networks.names import JOIN
from streamer.dream.networks.network import Network
from streamer.messages.network_contents import LayerEntry


class Ensemble:
    """Networks in order of precedence; each has its own classes, layers and scales.

    They take turns, so patterns that only one network takes for an object do not last (``objectives.ensemble_objective``).
    """

    def __init__(self, *members: Network) -> None:
        """Store the networks, at least one, all on one device.

        Raises:
            ValueError: there is no network.
        """
        if not members:
            raise ValueError("an ensemble needs at least one network")
        self.members: tuple[Network, ...] = members

    @property
    def first(self) -> Network:
        """The network whose layers take precedence."""
        return self.members[0]

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names, each once."""
        return tuple(dict.fromkeys(member.name for member in self.members))

    @property
    def name(self) -> str:
        """The members' names as one text, each once: ``squeezenet1_1 + bundled``."""
        return JOIN.join(self.names)

    @property
    def sources(self) -> str:
        """The members' names and the sources of their weights, in words."""
        return JOIN.join(dict.fromkeys(f"{member.name} from {member.source}" for member in self.members))

    @property
    def wnids(self) -> tuple[str, ...]:
        """The classes that at least one member knows: the first one's in the order of its logits, then those of others."""
        return tuple(dict.fromkeys(wnid for member in self.members for wnid in member.wnids))

    @property
    def layer_entries(self) -> tuple[LayerEntry, ...]:
        """The layers from the picture to the classes, member by member; of two layers with one name, the first."""
        found: dict[str, LayerEntry] = {}
        for member in self.members:
            for entry in member.layer_entries:
                found.setdefault(entry.name, entry)
        return tuple(found.values())

    @property
    def min_size(self) -> int:
        """Smallest side, in pixels, that all members accept."""
        return max(member.min_size for member in self.members)

    @property
    def device(self) -> torch.device:
        """The device that they compute on."""
        return self.first.device
