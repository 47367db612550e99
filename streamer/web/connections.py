"""Accepts connections one by one while there is room, and closes those that stay silent.

asyncio's own server accepts every connection before it can be refused, and logs thousands of errors a second when no descriptor
is left. This one checks the limits first, and pauses after an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from streamer.web.errors import ApiError, Handler
from streamer.web.limits import VisitorLimits
from streamer.web.token_buckets import client_key

log = logging.getLogger(__name__)

TAKEN_PER_S = 150.0
"""Connections accepted per second, with bursts of one second's worth; more wait in the system's backlog, which is bounded."""
REFUSED = 0.2
"""Cost of a connection that is closed immediately, relative to one that is accepted."""
REST_S = 0.5
"""Pause before the next accept after the system had no room."""
ANSWER_S = 60.0
"""Seconds within which a call is answered, else its connection is closed; streams are excepted."""
CALL_BYTES = 128 << 10
"""Bytes read for one call, headers and an oversized body included; little is read after that."""
BUFFER_BYTES = 32 << 10
"""Bytes that may wait in the program for one viewer, besides the piece being sent."""
SOCKET_BYTES = 256 << 10
"""Bytes that may wait in the system for one viewer: a link with 100 ms delay carries 20 Mbit/s so. More only adds delay."""
LINGER_S = 1.0
"""Seconds in which the sender of an oversized body can read the refusal."""

OPTIONS: dict[str, Any] = {"access_log": None, "lingering_time": LINGER_S, "auto_decompress": False}
"""Options of the connections: compressed bodies are not unpacked, since they may grow a thousandfold."""


class HttpConnection(web.RequestHandler):
    """An HTTP connection with limits; it is closed when it stays silent."""

    def __init__(self, server: web.Server, limits: VisitorLimits, address: str) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(server, loop=loop, keepalive_timeout=limits.idle_s, **OPTIONS)
        self._now_s, self._later = loop.time, loop.call_later
        self._limits, self._address = limits, address
        self.client_key = client_key(address)
        self.idle_since_s: float | None = self._now_s()
        self._deadline: asyncio.TimerHandle | None = None
        self._client_transport: asyncio.Transport | None = None
        self._read = 0
        self._full = self._streams = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection, and start its deadline."""
        assert isinstance(transport, asyncio.Transport)
        self._client_transport = transport
        self._limits.enter(self)
        self._expect(self._limits.idle_s)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop counting the connection."""
        self._limits.leave(self)
        self._expect(None)
        self._client_transport = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass on data up to CALL_BYTES for each call; beyond, stop reading and close after the answer."""
        self._read += len(data)
        if not self._full:
            super().data_received(data)
        if self._read > CALL_BYTES and self._client_transport is not None:
            if not self._full:
                self._later(LINGER_S, self.drop)
            self._full = True
            self._client_transport.pause_reading()  # each time, because aiohttp resumes reading

    @contextmanager
    def call_in_progress(self, address: str) -> Iterator[None]:
        """Hold the connection open while a call is handled; then charge what was read.

        Args:
            address: the caller's, which behind a proxy is not the peer's.
        """
        self._address, self.idle_since_s, self._streams = address, None, False
        self._expect(ANSWER_S)
        try:
            yield
        finally:
            self._limits.charge(address, self._read)
            self._read = 0
            if self._client_transport is not None:
                self.idle_since_s = self._now_s()
                self._expect(self._limits.idle_s)  # also bounds how long the answer takes to send

    def mark_endless(self) -> None:
        """Remove the deadline, because the response does not end; its sender watches for stalls."""
        self._streams = True
        self._expect(None)

    def charge_response(self, size: int | None) -> None:
        """Charge a response of ``size`` bytes; None for a stream, which is free."""
        if size and not self._streams:
            self._limits.charge(self._address, size)

    def drop(self) -> None:
        """Close the connection immediately."""
        if self._client_transport is not None:
            self._client_transport.abort()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer data that is not HTTP; it is no fault of this program, so it is not logged."""
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        self._limits.malformed(self.client_key)
        response = ApiError(status, "malformed", "that is not valid HTTP").response()
        response.force_close()
        return response

    def _expect(self, seconds: float | None) -> None:
        """Close the connection after ``seconds`` unless called again by then; None: never."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self._later(seconds, self.drop)


class LimitsMiddleware:
    """Determines the caller's address, and applies the limits."""

    def __init__(self, limits: VisitorLimits) -> None:
        self._limits = limits

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Handle a call within the limits."""
        address = self._limits.address(request)
        if address != request.remote:
            request = request.clone(remote=address)
        assert isinstance(request.protocol, HttpConnection)
        with request.protocol.call_in_progress(address):
            await self._limits.admit_call(request)
            return await handler(request)


async def count_bytes(request: web.Request, response: web.StreamResponse) -> None:
    """Charge a response to the caller."""
    if isinstance(request.protocol, HttpConnection):
        request.protocol.charge_response(response.content_length)


def mark_endless_response(request: web.Request) -> None:
    """Exempt a call from the deadline, because its response does not end."""
    if isinstance(request.protocol, HttpConnection):
        request.protocol.mark_endless()


def hang_up(request: web.Request) -> None:
    """Close the caller's connection immediately; unsent data is dropped."""
    if isinstance(request.protocol, HttpConnection):
        request.protocol.drop()


def limit_send_buffers(transport: asyncio.Transport | None) -> None:
    """Keep the send buffers of a stream small, so that a slow viewer does not fall far behind."""
    if transport is None:
        return  # gone already
    transport.set_write_buffer_limits(BUFFER_BYTES)
    client_socket = transport.get_extra_info("socket")
    if client_socket is not None:
        with contextlib.suppress(OSError):  # closed meanwhile
            client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)


async def accept_connections(listener: socket.socket, limits: VisitorLimits, make: Callable[[str], HttpConnection]) -> None:
    """Accept connections until cancelled.

    Args:
        listener: bound, listening, non-blocking.
        make: makes the connection's protocol, given the peer's address.
    """
    loop = asyncio.get_running_loop()
    free, then_s = TAKEN_PER_S, loop.time()
    while True:
        try:
            client_socket, where = await loop.sock_accept(listener)
        except ConnectionError:
            continue  # closed while it waited
        except OSError as error:
            log.warning("cannot accept connections at the moment: %s", error.strerror or error)
            await asyncio.sleep(REST_S)
            continue
        admitted = True
        try:
            address = str(where[0]) if where else ""
            admitted = limits.admits_connection(address)
            if admitted:
                await loop.connect_accepted_socket(lambda address=address: make(address), client_socket)  # type: ignore[misc]
            else:
                client_socket.close()
        except OSError as error:
            log.debug("a connection ended before it was set up: %s", error)
            client_socket.close()
        except asyncio.CancelledError:
            client_socket.close()
            raise
        now_s = loop.time()
        free = min(TAKEN_PER_S, free + (now_s - then_s) * TAKEN_PER_S) - (1.0 if admitted else REFUSED)
        then_s = now_s
        # Without a pause, a flood of connections would block everything else in this event loop.
        await asyncio.sleep(max(0.0, -free / TAKEN_PER_S))
