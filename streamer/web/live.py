"""Live video over HTTP: each viewer has a subscription of its own, so that a slow or lost one does not affect the others.

The next piece is read only when the one before has been sent. What a slow viewer does not fetch waits in its subscription,
which is bounded and drops (the encoder's policy), not here, and hardly in the system's buffers: what arrives is recent.
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
"""Interval of the checks whether the viewer is still connected while there is nothing to send."""
STALL_S = 15.0
"""A viewer that takes longer than this for a piece is disconnected."""
BOUNDARY = "zoomdream-frame"
PART = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\n".encode()
"""Start of an MJPEG part. It is sent right after the picture before, because Firefox shows a picture only at its end."""
AGAIN_S = 0.1
"""Seconds without a new picture after which browsers get the last one again, once: Chromium shows a picture only when it has
all headers of the next part, and they include its length. Players read a picture by its length, so they get each one once."""
BROWSER = "Mozilla/"
"""Start of the User-Agent of all browsers, including OBS's browser source."""
TS, MJPEG = "video/mp2t", f"multipart/x-mixed-replace; boundary={BOUNDARY}"


Subscribe = Callable[[Callable[[], None]], Subscription]
"""Opens a subscription, given a function to call when there may be something to read."""


class Live:
    """Handlers of ``/live.ts``, ``/live.mp4``, ``/live.mjpg``, ``/frame.jpg`` and the addresses of outputs."""

    def __init__(self, video: Video, outputs: Outputs, in_thread: ThreadBridge, places: StreamQuota) -> None:
        self._video = video
        self._outputs = outputs
        self._in_thread = in_thread
        self._quota = places
        self._open: set[asyncio.Event] = set()
        """One per viewer: set when there may be something to send."""
        self._ending = False

    @property
    def viewers(self) -> int:
        """Open streams; may be read from any thread."""
        return len(self._open)

    async def ts(self, request: web.Request) -> web.StreamResponse:
        """Live video as MPEG-TS: H.264, with AAC sound for ``?audio=1``."""
        audio = request.query.get("audio", "0") not in ("", "0")
        return await self._video_of(request, "ts+audio" if audio else "ts", TS)

    async def mp4(self, request: web.Request) -> web.StreamResponse:
        """Live video as fragmented MP4 for Media Source Extensions; Content-Type names the codec."""
        return await self._video_of(request, "mp4", self._video.mime)

    async def mjpg(self, request: web.Request) -> web.StreamResponse:
        """Live video as MJPEG, for clients that cannot play the others."""
        return await self._video_of(request, "jpeg", MJPEG)

    async def output(self, request: web.Request) -> web.StreamResponse:
        """Live video of an output that has its own address, such as ``/obs.ts``."""
        http_output = self._outputs.http_output(request.path)
        if http_output is None:
            raise web.HTTPNotFound
        pictures = http_output.kind == "jpeg"
        return await self._stream(request, http_output.subscribe, MJPEG if pictures else TS, framed=pictures)

    async def frame(self, request: web.Request) -> web.StreamResponse:
        """The current frame as a JPEG."""
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
                log.debug("viewer %s of %s takes nothing and is disconnected", request.remote, request.path)
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
        """End all streams, and refuse new ones."""
        self._ending = True
        for news in self._open:
            news.set()
