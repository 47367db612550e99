"""Rate limits for visitors: connections, calls, bytes and streams, per client and in total.

A client is an IPv4 address, or an IPv6 /64, which is what one customer has. Behind a proxy in ``web.trusted_proxies`` it is the
address in X-Forwarded-For, else the peer. This machine and callers with the token have LOCAL times the limits, so that OBS, a
bot and the operator do not block each other.

Policies: excess connections are closed immediately; when the total is reached, an idle connection of the client with the most
of them makes room. Excess calls are answered 429 after a pause, which slows a flood down; a client that goes on cannot connect
for a while. All calls together take turns at a rate that leaves the CPU to the video, however many addresses they come from;
heavy callers wait in a turn of their own. Excess streams are refused.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection
from functools import partial
from typing import Protocol

from aiohttp import web

from streamer.config import WebLimits
from streamer.web.body_schemas import MAX_BYTES
from streamer.web.errors import ApiError
from streamer.web.quotas import StreamQuota, VoterQuota, WaitingQuota
from streamer.web.refusal_counter import RefusalCounter
from streamer.web.token_buckets import LOCAL, TokenBuckets, allowance_factor, client_key, is_local, parse_address

log = logging.getLogger(__name__)

SHARE = 0.75
"""Largest share of all connections and streams that this machine may have."""
LIGHT = 0.2
"""Share of an address's calls per second up to which it does not wait for heavier callers."""
PATIENCE_S = 3.0
"""Longest wait for a turn; beyond it, the answer is 503."""
DEBT_S = 4.0
"""Refused calls are charged, too, up to a debt of this many seconds."""
SHUT_S = 2.0
"""Clients with a larger debt than this cannot connect."""
PRICES = {"/api/classes": 8.0, "/api/step": 4.0, "/live.ts": 4.0, "/live.mp4": 4.0, "/live.mjpg": 4.0}
"""Price of expensive paths, in calls; others cost 1."""
FILE_PRICE = 0.5
"""Price of a page's files and pictures; a browser loads about thirty at once."""
THUMBNAIL_PRICE = 0.1
"""Price of a thumbnail of the catalogue; a page that is scrolled to its end loads a thousand."""
MALFORMED = 4.0
"""Price of data that is not HTTP."""
PAUSE_S = 1.0
"""Pause before a call beyond the limit is answered; its connection waits."""
SETTLED_S = 2.0
"""A connection that has been idle this long may be closed to make room."""
HELD_BACK = 192
"""Descriptors reserved for the program itself: workers, outputs, recordings, the queue."""

TOKEN = "token"
"""Key under which callers with the token are counted together, once their address has nothing left."""


class OpenConnection(Protocol):
    """An open connection, as the limits see it."""

    client_key: str
    """The client that it counts for."""
    idle_since_s: float | None
    """When its last call ended; None while one is in progress."""

    def drop(self) -> None:
        """Close it immediately."""
        ...


class TokenChecker(Protocol):
    """Recognises callers with the token."""

    @property
    def login(self) -> bool:
        """Whether there is a token."""
        ...

    def has_token(self, request: web.Request) -> bool:
        """Whether a call has the token."""
        ...


class VisitorLimits:
    """Counts use and enforces the limits; one per server, used in its event loop only unless stated otherwise."""

    def __init__(
        self,
        settings: WebLimits,
        proxies: Collection[str],
        token_checker: TokenChecker,
        descriptors: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set up with nobody connected.

        Args:
            proxies: addresses and networks whose X-Forwarded-For is trusted.
            descriptors: how many the process may have; None if unknown.
        """
        self._settings, self._token_checker, self._clock = settings, token_checker, clock
        self._proxies = [ipaddress.ip_network(each, strict=False) for each in proxies]
        self._open_connections: set[OpenConnection] = set()
        self._connections: Counter[str] = Counter()
        self._calls = TokenBuckets(settings.calls_per_s, clock)
        self._bytes = TokenBuckets(1000.0 * settings.kilobytes_per_s, clock)
        self._light = TokenBuckets(LIGHT * settings.calls_per_s, clock)
        self._turns = TokenBuckets(settings.all_calls_per_s, clock, burst_s=1.0)
        self.most = settings.connections
        """Connections allowed in total."""
        if descriptors is not None:
            self.most = min(self.most, max(descriptors - HELD_BACK, descriptors // 4))
        self.refused = refused = RefusalCounter(clock)
        self.viewers, self.watchers = (
            StreamQuota(what, most, partial(self.share, each, most), refused)
            for what, most, each in (
                ("viewers", settings.viewers, settings.address_viewers),
                ("watchers", settings.watchers, settings.address_watchers),
            )
        )
        self.waiting_quota = WaitingQuota(settings.address_waiting, refused)
        self.voters = VoterQuota(settings.address_voters, refused)
        self._hinted = False

    @property
    def idle_s(self) -> float:
        """Seconds that a connection may be idle."""
        return self._settings.idle_s

    @property
    def open(self) -> int:
        """Open connections; may be read from any thread."""
        return len(self._open_connections)

    def share(self, each: int, most: int, client_key: str) -> int:
        """How many of ``most`` places a client may have; other addresses than this machine's have ``each``."""
        return max(1, min(LOCAL * each, int(SHARE * most))) if is_local(client_key) else min(each, most)

    # Connections

    def admits_connection(self, address: str) -> bool:
        """Whether a connection from an address may stay; closes another client's idle one if that makes room."""
        key = client_key(address)
        if not self._is_proxy(address):
            if self._calls.owed_s(key, allowance_factor(key)) > SHUT_S:
                self.refused("connections", key)
                return False
            each = self.share(self._settings.address_connections, self.most, key)
            if self._connections[key] >= each:
                self.refused("connections", key)
                return False
        if len(self._open_connections) < self.most:
            return True
        dropped = self._connection_to_drop(key)
        self.refused("connections", key if dropped is None else dropped.client_key)
        if dropped is None:
            return False
        dropped.drop()
        return True

    def _connection_to_drop(self, newcomer: str) -> OpenConnection | None:
        """The connection that makes room: an idle one of the client with the most, or one that has been idle for long.

        Only a client that has more connections than the newcomer would have loses one before SETTLED_S.
        """
        now_s = self._clock()
        idle = [connection for connection in self._open_connections if connection.idle_since_s is not None]
        most = max((self._connections[connection.client_key] for connection in idle), default=0)
        if most > self._connections[newcomer] + 1:
            idle = [connection for connection in idle if self._connections[connection.client_key] == most]
        else:
            idle = [connection for connection in idle if now_s - (connection.idle_since_s or 0.0) >= SETTLED_S]
        return min(idle, key=lambda connection: connection.idle_since_s or 0.0, default=None)

    def enter(self, connection: OpenConnection) -> None:
        """Count a connection that has opened."""
        self._open_connections.add(connection)
        self._connections[connection.client_key] += 1

    def leave(self, connection: OpenConnection) -> None:
        """Stop counting a connection that has closed; a second call does nothing."""
        if connection not in self._open_connections:
            return
        self._open_connections.discard(connection)
        self._connections[connection.client_key] -= 1
        if not self._connections[connection.client_key]:
            del self._connections[connection.client_key]

    # Calls

    def address(self, request: web.Request) -> str:
        """The caller's address: the peer, or behind trusted proxies the last one in X-Forwarded-For that is not a proxy."""
        found = request.remote or ""
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", ()))
        if not forwarded:
            return found
        if not self._is_proxy(found) and not self._hinted:
            self._hinted = True
            log.info(
                "calls come through a proxy at %s; until it is in web.trusted_proxies, all its visitors share one limit", found
            )
        for name in reversed(forwarded.split(",")):
            if not self._is_proxy(found):
                break
            address = _forwarded_address(name)
            if address is None:
                break
            found = address
        return found

    async def admit_call(self, request: web.Request) -> None:
        """Wait until a call may go on, or slow it down and refuse it.

        Raises:
            ApiError: 429 beyond the limits, 503 when too many wait for their turn, 413 for a body too large for any call.
        """
        if request.content_length is not None and request.content_length > MAX_BYTES:
            self.refused("bodies", client_key(request.remote or ""))
            raise ApiError(413, "too_large", "the body is too large")
        key, price = client_key(request.remote or ""), _call_price(request.path)
        local, factor = is_local(key), allowance_factor(key)
        light = self._light.used(key) < 1.0
        self._light.charge(key, price if light else 0.0)
        wait_s = self._bytes.owed_s(key, factor) or self._calls.try_take_s(key, price, factor)
        token = (bool(wait_s) or not light) and self._has_token(request)
        if wait_s and token:
            wait_s = self._calls.try_take_s(TOKEN, price, LOCAL)
        if wait_s:
            self._refuse_call(key, price)
            self.refused("calls", key)
            await asyncio.sleep(PAUSE_S)
            raise ApiError(429, "too_many_calls", "too many calls from one address", retry_s=max(wait_s - PAUSE_S, 0.1))
        turn = TOKEN if token else f"{'here' if local else 'elsewhere'}, {'light' if light else 'heavy'}"
        await self._turn(turn, price, 2.0 if token or (local and not light) else 1.0, key)

    def malformed(self, client_key: str) -> None:
        """Charge a client for data that is not HTTP; it counts as several calls."""
        self._refuse_call(client_key, MALFORMED)
        self.refused("malformed calls", client_key)

    def _refuse_call(self, client_key: str, price: float) -> None:
        factor = allowance_factor(client_key)
        if self._calls.owed_s(client_key, factor) < DEBT_S:
            self._calls.charge(client_key, price, factor)

    def _has_token(self, request: web.Request) -> bool:
        sent = "Authorization" in request.headers or "Cookie" in request.headers
        return sent and self._token_checker.login and self._token_checker.has_token(request)

    async def _turn(self, turn: str, price: float, factor: float, key: str) -> None:
        """Wait for the call's turn; turns come in the order of the calls."""
        wait_s = self._turns.owed_s(turn, factor)
        if wait_s > PATIENCE_S:
            self.refused("calls", key)
            await asyncio.sleep(PAUSE_S)
            raise ApiError(503, "busy", "too many calls at once", retry_s=wait_s)
        self._turns.charge(turn, price, factor)
        if wait_s:
            await asyncio.sleep(wait_s)

    def charge(self, address: str, size: int) -> None:
        """Charge an address for bytes sent or received."""
        key = client_key(address)
        self._bytes.charge(key, size, allowance_factor(key))

    def _is_proxy(self, address: str) -> bool:
        if not self._proxies:
            return False
        found = parse_address(address)
        return found is not None and any(found in network for network in self._proxies)


def _call_price(path: str) -> float:
    if path.startswith("/thumbnails/"):
        return THUMBNAIL_PRICE
    return FILE_PRICE if path.startswith(("/static/", "/d/")) else PRICES.get(path, 1.0)


def _forwarded_address(name: str) -> str | None:
    """The address in an entry of X-Forwarded-For, without its port; None if it is not an address."""
    name = name.strip().strip('"')
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return None
