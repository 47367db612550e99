"""Live video over HTTP: each viewer pulls from a share of its own, so that a slow or vanished one costs the others nothing.

The next piece is read only when the one before has left for the network. What a slow viewer does not fetch piles up in its own
share, which is bounded and drops (the encoder's policy), never in here and hardly in the system's buffers: what comes through
in the end is not long past.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

from aiohttp import web

from streamer.web.bridge import Calls
from streamer.web.errors import ApiError
from streamer.web.protocols import Feed, Outputs, Video

log = logging.getLogger(__name__)

MAX_VIEWERS = 64
"""Open streams of live video; more are refused politely."""
LOOK_S = 0.5
"""How often to look whether the viewer is still there while there is nothing to send."""
STALL_S = 15.0
"""A viewer that has not taken a piece after so long is let go."""
BUFFER_BYTES = 32 << 10
"""What may wait in the program for one viewer's line, besides the piece being sent…"""
SOCKET_BYTES = 256 << 10
"""…and in the system: a second of video, which a line of 100 ms carries at 20 Mbit/s. More would only be later."""
BOUNDARY = "zoomdream-frame"
TS, MJPEG = "video/mp2t", f"multipart/x-mixed-replace; boundary={BOUNDARY}"


Subscribe = Callable[[Callable[[], None]], Feed]
"""Opens a share, given what is to be called when there may be something to read."""


class Live:
    """Handlers of ``/live.ts``, ``/live.mp4``, ``/live.mjpg`` and ``/frame.jpg``, and of the outputs' own addresses."""

    def __init__(self, video: Video, outputs: Outputs, calls: Calls, max_viewers: int = MAX_VIEWERS) -> None:
        self._video = video
        self._outputs = outputs
        self._calls = calls
        self._max = max_viewers
        self._open: set[asyncio.Event] = set()
        """One per viewer: set when there may be something to do."""
        self._ending = False

    @property
    def viewers(self) -> int:
        """Open streams; may be asked from any thread."""
        return len(self._open)

    def routes(self) -> list[web.RouteDef]:
        """The addresses served here."""
        return [
            web.get("/live.ts", self.ts),
            web.get("/live.mp4", self.mp4),
            web.get("/live.mjpg", self.mjpg),
            web.get("/frame.jpg", self.frame),
        ]

    def late_routes(self) -> list[web.RouteDef]:
        """Addresses of outputs, which come and go; to be looked up after all others."""
        return [web.get(r"/{name:[^/]+}", self.output)]

    async def ts(self, request: web.Request) -> web.StreamResponse:
        """MPEG-TS: H.264, and AAC for ``?audio=1``."""
        audio = request.query.get("audio", "0") not in ("", "0")
        return await self._video_of(request, "ts+audio" if audio else "ts", TS)

    async def mp4(self, request: web.Request) -> web.StreamResponse:
        """Fragmented MP4 for Media Source Extensions; Content-Type names the codec."""
        return await self._video_of(request, "mp4", self._video.mime)

    async def mjpg(self, request: web.Request) -> web.StreamResponse:
        """JPEG after JPEG, for whatever cannot play the others."""
        return await self._video_of(request, "jpeg", MJPEG)

    async def output(self, request: web.Request) -> web.StreamResponse:
        """What an output serves at an address of its own."""
        channel = self._outputs.channel(request.path)
        if channel is None:
            raise web.HTTPNotFound
        pictures = channel.kind == "jpeg"
        return await self._stream(request, channel.subscribe, MJPEG if pictures else TS, framed=pictures)

    async def frame(self, request: web.Request) -> web.StreamResponse:
        """The frame on air."""
        picture = await self._calls(self._video.latest_jpeg)
        if picture is None:
            raise ApiError(503, "no_picture", "the dream is starting; there is no picture yet", retry_s=1.0)
        return web.Response(body=picture, content_type="image/jpeg")

    async def _video_of(self, request: web.Request, kind: str, content_type: str) -> web.StreamResponse:
        def subscribe(on_ready: Callable[[], None]) -> Feed:
            return self._video.subscribe(kind, on_ready=on_ready)

        return await self._stream(request, subscribe, content_type, framed=kind == "jpeg")

    async def _stream(
        self, request: web.Request, subscribe: Subscribe, content_type: str, *, framed: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        if request.method == "HEAD":
            await response.prepare(request)
            return response
        if len(self._open) >= self._max or self._ending:
            raise ApiError(503, "full", "too many viewers at once", retry_s=10.0)
        news = asyncio.Event()
        self._open.add(news)
        try:
            loop = asyncio.get_running_loop()

            def on_ready() -> None:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(news.set)

            feed = await self._calls(lambda: subscribe(on_ready))
            try:
                _keep_short(request.transport)
                await response.prepare(request)
                await self._pump(request, response, feed, news, framed=framed)
            except (ConnectionError, TimeoutError):
                log.debug("viewer %s of %s is gone", request.remote, request.path)
            finally:
                feed.close()
        finally:
            self._open.discard(news)
        return response

    async def _pump(
        self, request: web.Request, response: web.StreamResponse, feed: Feed, news: asyncio.Event, *, framed: bool
    ) -> None:
        while not (self._ending or feed.closed or request.transport is None or request.transport.is_closing()):
            news.clear()
            piece = feed.read(0)
            if piece is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), LOOK_S)
                continue
            if framed:
                head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(piece)}\r\n\r\n"
                piece = b"".join((head.encode(), piece, b"\r\n"))
            async with asyncio.timeout(STALL_S):
                await response.write(piece)

    def end(self) -> None:
        """Let no more viewers in, and end all streams."""
        self._ending = True
        for news in self._open:
            news.set()


def _keep_short(transport: asyncio.Transport | None) -> None:
    """Let little of a stream wait on its way to a viewer."""
    if transport is None:
        return  # gone already
    transport.set_write_buffer_limits(BUFFER_BYTES)
    line = transport.get_extra_info("socket")
    if line is not None:
        with contextlib.suppress(OSError):  # closed meanwhile
            line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
