"""Live video over HTTP: each viewer pulls from a share of its own, so that a slow or vanished one costs the others nothing.

The next piece is read only when the one before has left for the network. What a slow viewer does not fetch piles up in its own
share, which is bounded and drops (the encoder's policy), never in here and hardly in the system's buffers: what comes through
in the end is not long past.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from aiohttp import web

from streamer.web.connections import hang_up, limit_send_buffers, mark_endless_response
from streamer.web.errors import ApiError
from streamer.web.protocols import Outputs, Subscription, Video
from streamer.web.quotas import StreamQuota
from streamer.web.thread_bridge import ThreadBridge

log = logging.getLogger(__name__)

LOOK_S = 0.5
"""How often to look whether the viewer is still there while there is nothing to send."""
STALL_S = 15.0
"""A viewer that has not taken a piece after so long is let go."""
BOUNDARY = "zoomdream-frame"
PART = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n".encode()
"""How a part of MJPEG begins. It is sent right after the picture before, for Firefox shows one when it has seen its end."""
AGAIN_S = 0.1
"""Seconds without a new picture after which browsers get the last one again, once: Chromium shows one when it has seen all
headers of the next part, and that one's length is among them. Players take a picture by its length, and get each once."""
BROWSER = "Mozilla/"
"""How the User-Agent of all of them begins, Chromium's, Safari's and that of OBS's browser source among them."""
TS, MJPEG = "video/mp2t", f"multipart/x-mixed-replace; boundary={BOUNDARY}"


Subscribe = Callable[[Callable[[], None]], Subscription]
"""Opens a share, given what is to be called when there may be something to read."""


class Live:
    """Handlers of ``/live.ts``, ``/live.mp4``, ``/live.mjpg`` and ``/frame.jpg``, and of the outputs' own addresses."""

    def __init__(self, video: Video, outputs: Outputs, in_thread: ThreadBridge, places: StreamQuota) -> None:
        self._video = video
        self._outputs = outputs
        self._in_thread = in_thread
        self._quota = places
        self._open: set[asyncio.Event] = set()
        """One per viewer: set when there may be something to do."""
        self._ending = False

    @property
    def viewers(self) -> int:
        """Open streams; may be asked from any thread."""
        return len(self._open)

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
        http_output = self._outputs.http_output(request.path)
        if http_output is None:
            raise web.HTTPNotFound
        pictures = http_output.kind == "jpeg"
        return await self._stream(request, http_output.subscribe, MJPEG if pictures else TS, framed=pictures)

    async def frame(self, request: web.Request) -> web.StreamResponse:
        """The frame on air."""
        picture = await self._in_thread(self._video.latest_jpeg)
        if picture is None:
            raise ApiError(503, "no_picture", "the dream is starting; there is no picture yet", retry_s=1.0)
        return web.Response(body=picture, content_type="image/jpeg")

    async def _video_of(self, request: web.Request, kind: str, content_type: str) -> web.StreamResponse:
        def subscribe(on_ready: Callable[[], None]) -> Subscription:
            return self._video.subscribe(kind, on_ready=on_ready)

        return await self._stream(request, subscribe, content_type, framed=kind == "jpeg")

    async def _stream(
        self, request: web.Request, subscribe: Subscribe, content_type: str, *, framed: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        if request.method == "HEAD":
            await response.prepare(request)
            return response
        if self._ending:
            raise ApiError(503, "ending", "the stream is ending", retry_s=10.0)
        with self._quota.hold(request):
            mark_endless_response(request)
            return await self._serve(request, response, subscribe, framed=framed)

    async def _serve(
        self, request: web.Request, response: web.StreamResponse, subscribe: Subscribe, *, framed: bool
    ) -> web.StreamResponse:
        news = asyncio.Event()
        self._open.add(news)
        try:
            loop = asyncio.get_running_loop()

            def on_ready() -> None:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(news.set)

            subscription = await self._in_thread(lambda: subscribe(on_ready))
            try:
                limit_send_buffers(request.transport)
                await response.prepare(request)
                await self._pump(request, response, subscription, news, framed=framed)
            except ConnectionError:
                log.debug("viewer %s of %s is gone", request.remote, request.path)
            except TimeoutError:
                log.debug("viewer %s of %s takes nothing, and is let go", request.remote, request.path)
                hang_up(request)
            finally:
                subscription.close()
        finally:
            self._open.discard(news)
        return response

    async def _pump(
        self,
        request: web.Request,
        response: web.StreamResponse,
        subscription: Subscription,
        news: asyncio.Event,
        *,
        framed: bool,
    ) -> None:
        lead, last = (PART if framed else b""), b""
        again = framed and request.headers.get("User-Agent", "").startswith(BROWSER)
        while not (self._ending or subscription.closed or request.transport is None or request.transport.is_closing()):
            news.clear()
            piece = subscription.read(0)
            if piece is None:
                try:
                    await asyncio.wait_for(news.wait(), AGAIN_S if last else LOOK_S)
                    continue
                except TimeoutError:
                    if not last:
                        continue
                    piece, last = last, b""
            elif framed:
                length = f"Content-Length: {len(piece)}\r\n\r\n".encode()
                piece = b"".join((length, piece, b"\r\n", PART))
                last = piece if again else b""
            piece, lead = lead + piece, b""
            async with asyncio.timeout(STALL_S):
                await response.write(piece)

    def end(self) -> None:
        """Let no more viewers in, and end all streams."""
        self._ending = True
        for news in self._open:
            news.set()
