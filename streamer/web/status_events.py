"""Server-sent events: one task reads the status for all watchers; it sends changes immediately, else one status a second.

Policy when a watcher is slow: newest wins. It gets the latest status once it has taken the one before.
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web

from streamer.web import serializers
from streamer.web.connections import hang_up, limit_send_buffers, mark_endless_response
from streamer.web.errors import ApiError
from streamer.web.protocols import StatusReader
from streamer.web.quotas import StreamQuota
from streamer.web.thread_bridge import ThreadBridge

log = logging.getLogger(__name__)

LOOK_S = 0.25
"""Interval between two reads of the status while somebody watches."""
TELL_S = 1.0
"""Longest time between two events."""
STALL_S = 15.0
"""A watcher that takes nothing for this long is disconnected."""


class StatusEvents:
    """Handler of ``/api/events``."""

    def __init__(self, read: StatusReader, links: serializers.Links, in_thread: ThreadBridge, places: StreamQuota) -> None:
        self._read = read
        self._links = links
        self._in_thread = in_thread
        self._quota = places
        self._watchers = 0
        self._message = b""
        self._number = 0
        self._published = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._closing = False

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Stream ``status`` events (server-sent events); each holds the same object as ``/api/status``."""
        if self._closing:
            raise ApiError(503, "ending", "the stream is ending", retry_s=10.0)
        with self._quota.hold(request):
            mark_endless_response(request)
            return await self._serve(request)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        self._watchers += 1
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_repeatedly(), name="status")
        try:
            limit_send_buffers(request.transport)
            await response.prepare(request)
            await response.write(b"retry: 2000\n\n")
            await self._send(request, response)
        except ConnectionError:
            log.debug("watcher %s is gone", request.remote)
        except TimeoutError:
            log.debug("watcher %s takes nothing and is disconnected", request.remote)
            hang_up(request)
        finally:
            self._watchers -= 1
            if not self._watchers and self._reader is not None:
                self._reader.cancel()
                self._reader = None
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse) -> None:
        sent = 0
        while not self._closing and request.transport is not None:
            if sent == self._number:
                try:
                    await asyncio.wait_for(self._published.wait(), TELL_S * 2)
                except TimeoutError:
                    await response.write(b": still here\n\n")  # keeps the connection while the status cannot be read
                    continue
            sent = self._number
            async with asyncio.timeout(STALL_S):
                await response.write(self._message)
        if request.transport is not None:
            request.transport.close()

    async def _read_repeatedly(self) -> None:
        loop = asyncio.get_running_loop()
        last: serializers.Json | None = None
        due = 0.0
        while True:
            try:
                status = serializers.status(await self._in_thread(self._read), self._links)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                # Watchers stay connected; /healthz and the log of the reader's owner say more.
                log.warning("the status cannot be read: %r", error)
                await asyncio.sleep(TELL_S)
                continue
            now, news = loop.time(), serializers.news(status)
            if news != last or now >= due:
                last, due = news, now + TELL_S - LOOK_S / 2
                self._publish(f"event: status\ndata: {serializers.dumps(status)}\n\n".encode())
            await asyncio.sleep(LOOK_S)

    def _publish(self, message: bytes) -> None:
        self._message = message
        self._number += 1
        published, self._published = self._published, asyncio.Event()
        published.set()

    def end(self) -> None:
        """End all event streams."""
        self._closing = True
        self._published.set()
