"""Token buckets for rate limits, and the key (IPv4 address or IPv6 /64) under which a client is counted."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable

LOCAL = 8
"""Factor on the limits of this machine and of callers with the token."""
BURST_S = 10.0
"""Size of a bucket, in seconds of its rate."""
REMEMBERED = 4096
"""Buckets kept; when full, the least recently used is forgotten."""


def parse_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address without its zone, IPv4-mapped IPv6 as IPv4; None if it is not an address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def client_key(address: str) -> str:
    """The key under which an address is counted: itself, or its /64 if it is IPv6."""
    found = parse_address(address)
    if found is None:
        return address
    if isinstance(found, ipaddress.IPv6Address) and not found.is_loopback:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def is_local(client_key: str) -> bool:
    """Whether the client is this machine."""
    found = parse_address(client_key)
    return found is not None and found.is_loopback


def allowance_factor(client_key: str) -> float:
    """Factor on the client's limits."""
    return LOCAL if is_local(client_key) else 1.0


class TokenBuckets:
    """One token bucket for each key. Belongs to one thread.

    Args:
        per_s: refill per second; each call multiplies it by its ``factor``.
        burst_s: size of a bucket, in seconds of its refill.
    """

    def __init__(self, per_s: float, clock: Callable[[], float], burst_s: float = BURST_S) -> None:
        self._per_s, self._clock, self._burst_s = per_s, clock, burst_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def used(self, key: str, factor: float = 1.0) -> float:
        """The used share of a bucket; above 1 if there is a debt."""
        return 1.0 - self._now(key, factor) / (self._per_s * factor * self._burst_s)

    def owed_s(self, key: str, factor: float = 1.0) -> float:
        """Seconds until a debt is refilled; 0 without one."""
        return max(0.0, -self._now(key, factor) / (self._per_s * factor))

    def try_take_s(self, key: str, amount: float, factor: float = 1.0) -> float:
        """Take an amount, at most a full bucket, and return 0; if less is left, return the seconds until there is enough."""
        amount = min(amount, self._per_s * factor * self._burst_s)
        left = self._now(key, factor)
        if left < amount:
            return (amount - left) / (self._per_s * factor)
        self._left[key] = left - amount, self._clock()
        return 0.0

    def charge(self, key: str, amount: float, factor: float = 1.0) -> None:
        """Take an amount, even if that makes a debt; then nothing is left until the debt is refilled."""
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
