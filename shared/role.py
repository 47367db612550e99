"""The roles of viewers in the channel."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A viewer's role, weakest first; ordered by ``rank``."""

    EVERYONE = "everyone"
    SUBSCRIBER = "subscriber"
    VIP = "vip"
    MODERATOR = "moderator"
    BROADCASTER = "broadcaster"

    @property
    def rank(self) -> int:
        """0 for everyone, 4 for the broadcaster; a role may do everything that lower ranks may."""
        return tuple(Role).index(self)

    @property
    def moderates(self) -> bool:
        """Whether it is a moderator or the broadcaster, for whom limits and cooldowns do not apply."""
        return self.rank >= Role.MODERATOR.rank
