"""Who pays for what comes over the network, and how much is left to whom."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable

LOCAL = 8
"""How much more this machine and callers with the token may take."""
BURST_S = 10.0
"""Allowances that are not used pile up for so long."""
REMEMBERED = 4096
"""Addresses whose allowance is known; the one not heard of for longest is forgotten first."""


def parse_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address without its zone, as IPv4 where that is written as IPv6; None if it is none."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def client_key(address: str) -> str:
    """Who pays for an address: itself, or its /64 if it is IPv6."""
    found = parse_address(address)
    if found is None:
        return address
    if isinstance(found, ipaddress.IPv6Address) and not found.is_loopback:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def is_local(client_key: str) -> bool:
    """Whether it is this machine."""
    found = parse_address(client_key)
    return found is not None and found.is_loopback


def allowance_factor(client_key: str) -> float:
    """How many times as much as others it may take."""
    return LOCAL if is_local(client_key) else 1.0


class TokenBuckets:
    """An amount for each key that refills with time. Belongs to one thread.

    Args:
        per_s: what comes each second; ``factor`` times as much for some keys, as whoever asks says each time.
        burst_s: seconds for which what is not used piles up.
    """

    def __init__(self, per_s: float, clock: Callable[[], float], burst_s: float = BURST_S) -> None:
        self._per_s, self._clock, self._burst_s = per_s, clock, burst_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def used(self, key: str, factor: float = 1.0) -> float:
        """Which part of what may pile up is not there; above 1 where there is a debt."""
        return 1.0 - self._now(key, factor) / (self._per_s * factor * self._burst_s)

    def owed_s(self, key: str, factor: float = 1.0) -> float:
        """In how many seconds a debt is made up for; 0 where there is none."""
        return max(0.0, -self._now(key, factor) / (self._per_s * factor))

    def try_take_s(self, key: str, amount: float, factor: float = 1.0) -> float:
        """Take an amount, at most what may pile up, if there is as much; else return in how many seconds there will be."""
        amount = min(amount, self._per_s * factor * self._burst_s)
        left = self._now(key, factor)
        if left < amount:
            return (amount - left) / (self._per_s * factor)
        self._left[key] = left - amount, self._clock()
        return 0.0

    def charge(self, key: str, amount: float, factor: float = 1.0) -> None:
        """Take an amount, on credit if need be; nothing is left then until it is made up for."""
        self._left[key] = self._now(key, factor) - amount, self._clock()

    def _now(self, key: str, factor: float) -> float:
        now_s, per_s = self._clock(), self._per_s * factor
        left, then_s = self._left.get(key, (per_s * self._burst_s, now_s))
        left = min(per_s * self._burst_s, left + (now_s - then_s) * per_s)
        self._left[key] = left, now_s
        self._left.move_to_end(key)
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return left
