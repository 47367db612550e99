"""What visitors may take of the server: connections, calls, bytes and streams, by address and all together.

Who pays is an IPv4 address, or an IPv6 /64, which is what one customer has. Behind proxies that the settings name it is the
address that the proxy tells; else whoever connects. This machine and callers with the token may take LOCAL times as much, so
that OBS, a bot and the operator are not in each other's way; bounded they are, too.

Policies: connections beyond are closed at once; when all together are too many, an idle one makes room, of who has most of
them. Calls beyond are answered 429 after a pause, so that a flood is slowed to what costs nothing; who goes on all the same is
not connected for a while. All calls together take turns at a rate that leaves the processor to the video, from however many
addresses they come; those who call much wait among themselves. Streams beyond are refused politely.
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
"""Which part of all connections and streams this machine may have at most."""
LIGHT = 0.2
"""Who calls no more than this part of what an address may does not wait for those who call more."""
PATIENCE_S = 3.0
"""The longest wait for one's turn; beyond, the answer is 503."""
DEBT_S = 4.0
"""Calls that were refused count, up to so many seconds' worth…"""
SHUT_S = 2.0
"""…and who owes more than this is not connected."""
PRICES = {"/api/classes": 8.0, "/api/step": 4.0, "/live.ts": 4.0, "/live.mp4": 4.0, "/live.mjpg": 4.0}
"""What costs more than other calls, by path, and how many of those it counts as…"""
FILE_PRICE = 0.5
"""…and what each of the pages' files and pictures does, of which a browser asks for thirty at once…"""
THUMBNAIL_PRICE = 0.1
"""…and each of the catalogue's pictures, of which it asks for as many as fit on the screen, or for a thousand who scrolls."""
MALFORMED = 4.0
"""How many calls something counts as that is none."""
PAUSE_S = 1.0
"""Before a call beyond the limit is answered: its connection waits for that."""
SETTLED_S = 2.0
"""A connection that has been idle for so long may be closed to make room."""
HELD_BACK = 192
"""Descriptors that connections leave to the program itself: to workers, outputs, recordings, the queue."""

TOKEN = "token"
"""Under which callers with the token count, together, once their address has no allowance left."""


class OpenConnection(Protocol):
    """An open connection, as the limits see it."""

    client_key: str
    """Who pays for it."""
    idle_since_s: float | None
    """Since when no call is under way on it; None while one is."""

    def drop(self) -> None:
        """Close it at once."""
        ...


class TokenChecker(Protocol):
    """Who knows callers with the token."""

    @property
    def login(self) -> bool:
        """Whether there is a token."""
        ...

    def has_token(self, request: web.Request) -> bool:
        """Whether the token came with a call."""
        ...


class VisitorLimits:
    """Counts and judges; one per server, used in its loop only, save where it says otherwise."""

    def __init__(
        self,
        settings: WebLimits,
        proxies: Collection[str],
        token_checker: TokenChecker,
        descriptors: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with nobody connected.

        Args:
            proxies: addresses and networks whose X-Forwarded-For is believed.
            descriptors: how many the process may have; None if that is not known.
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
        """Connections that there is room for."""
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
        """Open connections; may be asked from any thread."""
        return len(self._open_connections)

    def share(self, each: int, most: int, client_key: str) -> int:
        """How many of ``most`` places a client may have, where an address may have ``each``."""
        return max(1, min(LOCAL * each, int(SHARE * most))) if is_local(client_key) else min(each, most)

    # Connections

    def admits_connection(self, address: str) -> bool:
        """Whether a connection of that address may stay; closes an idle one of somebody else if that makes room."""
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
        """Whose connection makes room: an idle one of who has more than the newcomer would have, or that is idle for long."""
        now_s = self._clock()
        idle = [connection for connection in self._open_connections if connection.idle_since_s is not None]
        most = max((self._connections[connection.client_key] for connection in idle), default=0)
        if most > self._connections[newcomer] + 1:
            idle = [connection for connection in idle if self._connections[connection.client_key] == most]
        else:
            idle = [connection for connection in idle if now_s - (connection.idle_since_s or 0.0) >= SETTLED_S]
        return min(idle, key=lambda connection: connection.idle_since_s or 0.0, default=None)

    def enter(self, connection: OpenConnection) -> None:
        """A connection is open."""
        self._open_connections.add(connection)
        self._connections[connection.client_key] += 1

    def leave(self, connection: OpenConnection) -> None:
        """A connection is gone; a second call does nothing."""
        if connection not in self._open_connections:
            return
        self._open_connections.discard(connection)
        self._connections[connection.client_key] -= 1
        if not self._connections[connection.client_key]:
            del self._connections[connection.client_key]

    # Calls

    def address(self, request: web.Request) -> str:
        """Who calls: the peer, or whom the trusted proxies tell, the nearest to us that is none of them."""
        found = request.remote or ""
        told = ",".join(request.headers.getall("X-Forwarded-For", ()))
        if not told:
            return found
        if not self._is_proxy(found) and not self._hinted:
            self._hinted = True
            log.info(
                "calls come through a proxy at %s; limits count its visitors as one until web.trusted_proxies has it", found
            )
        for name in reversed(told.split(",")):
            if not self._is_proxy(found):
                break
            address = _forwarded_address(name)
            if address is None:
                break
            found = address
        return found

    async def admit_call(self, request: web.Request) -> None:
        """Let a call through when it is its turn, or slow it down and refuse it.

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
        """Something came that is no call; it counts as several."""
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
        """Wait until it is this call's turn; they come in the order in which the calls came."""
        wait_s = self._turns.owed_s(turn, factor)
        if wait_s > PATIENCE_S:
            self.refused("calls", key)
            await asyncio.sleep(PAUSE_S)
            raise ApiError(503, "busy", "too many calls at once", retry_s=wait_s)
        self._turns.charge(turn, price, factor)
        if wait_s:
            await asyncio.sleep(wait_s)

    def charge(self, address: str, size: int) -> None:
        """Bytes went to or came from an address."""
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
    """The address in an entry of X-Forwarded-For, without a port; None if it is none."""
    name = name.strip().strip('"')
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return None
