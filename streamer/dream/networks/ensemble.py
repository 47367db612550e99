"""Networks that dream one picture together."""

from __future__ import annotations

import torch

from streamer.dream.networks.names import JOIN
from streamer.dream.networks.network import Network
from streamer.messages.network_contents import LayerEntry


class Ensemble:
    """Networks in the order in which they are asked; each has its own classes, layers and scales.

    What one network alone takes for a thing does not last where others have their turn (``objectives.ensemble_objective``).
    """

    def __init__(self, *members: Network) -> None:
        """Take the networks, at least one, all on one device.

        Raises:
            ValueError: there is none.
        """
        if not members:
            raise ValueError("an ensemble needs at least one network")
        self.members: tuple[Network, ...] = members

    @property
    def first(self) -> Network:
        """The network whose layers go before those of the others."""
        return self.members[0]

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names, each once."""
        return tuple(dict.fromkeys(member.name for member in self.members))

    @property
    def name(self) -> str:
        """The members' names, each once: ``squeezenet1_1 + bundled``."""
        return JOIN.join(self.names)

    @property
    def sources(self) -> str:
        """The members' names and where their weights come from, in words."""
        return JOIN.join(dict.fromkeys(f"{member.name} from {member.source}" for member in self.members))

    @property
    def wnids(self) -> tuple[str, ...]:
        """The classes that at least one of them knows: the first one's in the order of its logits, then what others add."""
        return tuple(dict.fromkeys(wnid for member in self.members for wnid in member.wnids))

    @property
    def layer_entries(self) -> tuple[LayerEntry, ...]:
        """What can be looked at, from the picture to the classes, member by member; of two layers of one name the first."""
        found: dict[str, LayerEntry] = {}
        for member in self.members:
            for entry in member.layer_entries:
                found.setdefault(entry.name, entry)
        return tuple(found.values())

    @property
    def min_size(self) -> int:
        """Smallest side, in pixels, that all of them can take."""
        return max(member.min_size for member in self.members)

    @property
    def device(self) -> torch.device:
        """Where they compute."""
        return self.first.device
