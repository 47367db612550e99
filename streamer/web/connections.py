"""Where connections come in: taken one by one while there is room, closed when nothing comes of them.

asyncio's own server takes as many as come before anybody can say no, and when no descriptor is left tells of it thousands of
times a second. Here the limits are asked first, and a moment's rest is taken.
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
"""Connections taken a second, a second's worth at once; what comes faster waits in the system's line, which is bounded."""
REFUSED = 0.2
"""What one costs that is closed at once, against one that is taken."""
REST_S = 0.5
"""Before the next is taken when the system has no room for it."""
ANSWER_S = 60.0
"""Seconds in which a call must have been answered, streams left out."""
CALL_BYTES = 128 << 10
"""Bytes taken for one call, with its headers and a body that is too large; of those that follow, few are read."""
BUFFER_BYTES = 32 << 10
"""What may wait in the program for one viewer's line, besides the piece being sent…"""
SOCKET_BYTES = 256 << 10
"""…and in the system: a second of video, which a line of 100 ms carries at 20 Mbit/s. More would only be later."""
LINGER_S = 1.0
"""How long the sender of a body that nobody wants has to hear why."""

OPTIONS: dict[str, Any] = {"access_log": None, "lingering_time": LINGER_S, "auto_decompress": False}
"""For the connections: nothing here takes compressed bodies, which may be a thousand times larger than they came."""


class HttpConnection(web.RequestHandler):
    """A connection: an HTTP conversation that ends when nothing is said."""

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
        """It is open."""
        assert isinstance(transport, asyncio.Transport)
        self._client_transport = transport
        self._limits.enter(self)
        self._expect(self._limits.idle_s)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is gone."""
        self._limits.leave(self)
        self._expect(None)
        self._client_transport = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something came; beyond what a call may have, nothing more is taken, and the answer is the last."""
        self._read += len(data)
        if not self._full:
            super().data_received(data)
        if self._read > CALL_BYTES and self._client_transport is not None:
            if not self._full:
                self._later(LINGER_S, self.drop)
            self._full = True
            self._client_transport.pause_reading()  # each time: aiohttp goes on reading what nobody wants

    @contextmanager
    def call_in_progress(self, address: str) -> Iterator[None]:
        """A call is under way, of whom the limits say.

        Args:
            address: who calls, which is not who connected where a proxy is between.
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
                self._expect(self._limits.idle_s)  # the answer has to be taken within that, too

    def mark_endless(self) -> None:
        """What answers the call has no end; who sends it looks whether it is taken."""
        self._streams = True
        self._expect(None)

    def charge_response(self, size: int | None) -> None:
        """An answer of so many bytes goes out; None for a stream."""
        if size and not self._streams:
            self._limits.charge(self._address, size)

    def drop(self) -> None:
        """Close it at once."""
        if self._client_transport is not None:
            self._client_transport.abort()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what is no HTTP; that says nothing about this program, so the log does not hear of it."""
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        self._limits.malformed(self.client_key)
        response = ApiError(status, "malformed", "that is not HTTP as it should be").response()
        response.force_close()
        return response

    def _expect(self, seconds: float | None) -> None:
        """Drop it after so many seconds unless called again by then; None: never."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self._later(seconds, self.drop)


class LimitsMiddleware:
    """Finds out who calls, and refuses what is beyond the limits."""

    def __init__(self, limits: VisitorLimits) -> None:
        self._limits = limits

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Handle a call that came in by the door."""
        address = self._limits.address(request)
        if address != request.remote:
            request = request.clone(remote=address)
        assert isinstance(request.protocol, HttpConnection)
        with request.protocol.call_in_progress(address):
            await self._limits.admit_call(request)
            return await handler(request)


async def count_bytes(request: web.Request, response: web.StreamResponse) -> None:
    """Charge what goes out to who asked for it."""
    if isinstance(request.protocol, HttpConnection):
        request.protocol.charge_response(response.content_length)


def mark_endless_response(request: web.Request) -> None:
    """The answer to this call has no end."""
    if isinstance(request.protocol, HttpConnection):
        request.protocol.mark_endless()


def hang_up(request: web.Request) -> None:
    """Close the caller's connection at once: what waits for it will not be taken."""
    if isinstance(request.protocol, HttpConnection):
        request.protocol.drop()


def limit_send_buffers(transport: asyncio.Transport | None) -> None:
    """Let little of a stream wait on its way to a viewer."""
    if transport is None:
        return  # gone already
    transport.set_write_buffer_limits(BUFFER_BYTES)
    client_socket = transport.get_extra_info("socket")
    if client_socket is not None:
        with contextlib.suppress(OSError):  # closed meanwhile
            client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)


async def accept_connections(listener: socket.socket, limits: VisitorLimits, make: Callable[[str], HttpConnection]) -> None:
    """Take connections, for ever.

    Args:
        listener: bound, listening, not blocking.
        make: makes what talks to a caller, of whom the address is given.
    """
    loop = asyncio.get_running_loop()
    free, then_s = TAKEN_PER_S, loop.time()
    while True:
        try:
            client_socket, where = await loop.sock_accept(listener)
        except ConnectionError:
            continue  # gone while it waited
        except OSError as error:
            log.warning("no connection can be taken at the moment: %s", error.strerror or error)
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
            log.debug("a connection ended before it began: %s", error)
            client_socket.close()
        except asyncio.CancelledError:
            client_socket.close()
            raise
        now_s = loop.time()
        free = min(TAKEN_PER_S, free + (now_s - then_s) * TAKEN_PER_S) - (1.0 if admitted else REFUSED)
        then_s = now_s
        # who takes one after the other without a rest lets nothing else in this loop have a turn
        await asyncio.sleep(max(0.0, -free / TAKEN_PER_S))
