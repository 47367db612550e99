"""How long the Twitch adapter waits, and how its waits grow while something keeps failing."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TwitchTimings:
    """The adapter's waits and deadlines, in seconds; tests use shorter ones."""

    look_s: float = 1.0
    """From one look at the sockets to the next."""
    silence_s: float = 15.0
    """Without a message from Twitch, which sends at least a keepalive every ten seconds, a socket counts as dead."""
    call_s: float = 10.0
    """Deadline of a call or a connection."""
    pause_s: tuple[float, float] = (1.0, 8.0)
    """Between two tries while Twitch has trouble: the first pause, and the longest. With ``call_s`` this reconnects within 30 s
    of Twitch being back."""
    refused_s: tuple[float, float] = (5.0, 600.0)
    """The same while Twitch says no, or has taken back what it allowed."""
    settled_s: float = 60.0
    """A connection that lasted this long starts again with the shortest pause."""
    audit_s: float = 20.0
    """Between two questions to Twitch whether it still has the subscription."""
    validate_s: float = 3000.0
    """Between two validations of the logins; Twitch asks for one an hour."""
    rewards_s: float = 2.0
    """Between two looks at what became of redeemed requests."""


class RetryDelay:
    """Waits before tries: each twice as long as the one before, up to a limit, and shortened a little at random."""

    def __init__(self, limits_s: tuple[float, float], rng: random.Random) -> None:
        """``limits_s``: the first wait, and the longest."""
        self._first_s, self._longest_s = limits_s
        self._rng = rng
        self._next_s = self._first_s

    def next_s(self) -> float:
        """Seconds to wait now."""
        wait_s, self._next_s = self._next_s, min(self._next_s * 2, self._longest_s)
        return wait_s * self._rng.uniform(0.75, 1.0)

    def reset(self) -> None:
        """It worked: start with the first wait again."""
        self._next_s = self._first_s
