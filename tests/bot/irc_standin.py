"""A stand-in for Twitch's IRC over websocket, on loopback. It answers as Twitch does, and misbehaves on command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import WSMsgType, web

from tests.patience import PATIENCE_S

HOST = ":tmi.twitch.tv"


class IrcStandIn:
    """The chat of one channel."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[str] = []
        """Every line received."""
        self.connections = 0
        self.refuses = False
        """Whether connections are refused."""
        self.admits = True
        """Whether joining is confirmed."""
        self.answers_pings = True
        self._sockets: list[web.WebSocketResponse] = []
        self.news = asyncio.Condition()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.refuses:
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections += 1
        self._sockets.append(socket)
        await self._tell()
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    for line in frame.data.split("\r\n"):
                        if line:
                            await self._take(socket, line)
        finally:
            self._sockets.remove(socket)
            await self._tell()
        return socket

    async def _take(self, socket: web.WebSocketResponse, line: str) -> None:
        self.heard.append(line)
        command, _, rest = line.partition(" ")
        if command == "NICK":
            await socket.send_str(f"{HOST} 001 {rest} :Welcome, GLHF!\r\n{HOST} 376 {rest} :>\r\n")
        elif command == "JOIN" and self.admits:
            await socket.send_str(f":justinfan1!justinfan1@justinfan1 JOIN {rest}\r\n@room-id=1 {HOST} ROOMSTATE {rest}\r\n")
        elif command == "PING" and self.answers_pings:
            await socket.send_str(f"{HOST} PONG tmi.twitch.tv {rest}\r\n")
        await self._tell()

    async def _tell(self) -> None:
        async with self.news:
            self.news.notify_all()

    async def until(self, so: object) -> None:
        """Wait until ``so()`` holds."""
        assert callable(so)
        async with asyncio.timeout(PATIENCE_S), self.news:
            await self.news.wait_for(so)

    async def send(self, text: str) -> None:
        """Send a frame to every connection."""
        for socket in self._sockets:
            await socket.send_str(text)

    async def say(self, user: str, text: str, channel: str = "streamer", tags: str = "") -> None:
        await self.send(f"@display-name={user};{tags} :{user.lower()}!x@x PRIVMSG #{channel} :{text}\r\n")

    async def drop(self, code: int = 1001) -> None:
        """Close every connection."""
        for socket in list(self._sockets):
            await socket.close(code=code)

    async def cut(self) -> None:
        """Break every connection as if a cable was pulled."""
        for socket in list(self._sockets):
            if socket._req is not None and socket._req.transport is not None:
                socket._req.transport.abort()


@asynccontextmanager
async def irc_standin() -> AsyncIterator[IrcStandIn]:
    """Run a stand-in."""
    standin = IrcStandIn()
    app = web.Application()
    app.router.add_get("/", standin.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    standin.url = f"ws://127.0.0.1:{port}/"
    try:
        yield standin
    finally:
        await standin.drop()
        await runner.cleanup()
