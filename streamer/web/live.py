"""Live video over HTTP: each viewer pulls from a share of its own, so that a slow or vanished one costs the others nothing.

The next piece is read only when the one before has left for the network. What a slow viewer does not fetch piles up in its own
share, which is bounded and drops (the encoder's policy), never in here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from aiohttp import web

from streamer.web.bridge import Calls
from streamer.web.errors import ApiError
from streamer.web.protocols import Feed, Video

log = logging.getLogger(__name__)

MAX_VIEWERS = 64
"""Open streams of live video; more are refused politely."""
LOOK_S = 0.5
"""How often to look whether the viewer is still there while there is nothing to send."""
STALL_S = 15.0
"""A viewer that takes nothing for so long is let go."""
BOUNDARY = "zoomdream-frame"


class Live:
    """Handlers of ``/live.ts``, ``/live.mp4``, ``/live.mjpg`` and ``/frame.jpg``."""

    def __init__(self, video: Video, calls: Calls, max_viewers: int = MAX_VIEWERS) -> None:
        self._video = video
        self._calls = calls
        self._max = max_viewers
        self._open: set[asyncio.Event] = set()
        """One per viewer: set when there may be something to do."""
        self._ending = False

    def routes(self) -> list[web.RouteDef]:
        """The addresses served here."""
        return [
            web.get("/live.ts", self.ts),
            web.get("/live.mp4", self.mp4),
            web.get("/live.mjpg", self.mjpg),
            web.get("/frame.jpg", self.frame),
        ]

    async def ts(self, request: web.Request) -> web.StreamResponse:
        """MPEG-TS, H.264, no audio."""
        if request.query.get("audio", "0") not in ("", "0"):
            raise ApiError(501, "no_audio", "this stream has no audio yet")
        return await self._stream(request, "ts", "video/mp2t")

    async def mp4(self, request: web.Request) -> web.StreamResponse:
        """Fragmented MP4 for Media Source Extensions; Content-Type names the codec."""
        return await self._stream(request, "mp4", self._video.mime)

    async def mjpg(self, request: web.Request) -> web.StreamResponse:
        """JPEG after JPEG, for whatever cannot play the others."""
        return await self._stream(request, "jpeg", f"multipart/x-mixed-replace; boundary={BOUNDARY}")

    async def frame(self, request: web.Request) -> web.StreamResponse:
        """The frame on air."""
        picture = await self._calls(self._video.latest_jpeg)
        if picture is None:
            raise ApiError(503, "no_picture", "the dream is starting; there is no picture yet", retry_s=1.0)
        return web.Response(body=picture, content_type="image/jpeg")

    async def _stream(self, request: web.Request, kind: str, content_type: str) -> web.StreamResponse:
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

            feed = await self._calls(lambda: self._video.subscribe(kind, on_ready=on_ready))
            try:
                await response.prepare(request)
                await self._pump(request, response, feed, news, framed=kind == "jpeg")
            except (ConnectionError, TimeoutError):
                log.debug("viewer %s of %s is gone", request.remote, kind)
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
