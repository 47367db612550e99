"""The web server: an asyncio loop in a thread of its own, started and stopped from outside."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import threading
from functools import partial
from urllib.parse import urlsplit

from aiohttp import web

from streamer import file_descriptors
from streamer.config import WebConfig
from streamer.web.api import Api, read_links
from streamer.web.body_schemas import MAX_BYTES
from streamer.web.connections import HttpConnection, LimitsMiddleware, accept_connections, count_bytes
from streamer.web.controls_api import ControlsApi
from streamer.web.dreams_api import DreamsApi
from streamer.web.errors import CannotListen, PortTaken, WebError, explain
from streamer.web.limits import VisitorLimits
from streamer.web.live import Live
from streamer.web.moderation import Moderation
from streamer.web.monitoring import Monitoring
from streamer.web.openapi import document
from streamer.web.outputs_api import OutputsApi
from streamer.web.polls_api import PollsApi
from streamer.web.protocols import Actions, Album, Catalogue, Controls, Outputs, RequestService, Settings, StatusReader, Video
from streamer.web.route_table import TABLE
from streamer.web.routes import bind
from streamer.web.security import Auth, add_headers
from streamer.web.settings_api import SettingsApi
from streamer.web.site import STATIC, Site
from streamer.web.status_events import StatusEvents
from streamer.web.thread_bridge import ThreadBridge
from streamer.web.thumbnails_api import ThumbnailsApi

log = logging.getLogger(__name__)

START_S = 10.0
GRACE_S = 1.0
"""Seconds that open streams and calls have to end before they are cut."""


class Server:
    """Serves pages, API and live video from ``start`` to ``stop``."""

    def __init__(
        self,
        config: WebConfig,
        request_service: RequestService,
        video: Video,
        status: StatusReader,
        classes: Catalogue,
        actions: Actions,
        outputs: Outputs,
        settings: Settings,
        album: Album | None = None,
        controls: Controls | None = None,
    ) -> None:
        """Set up with the objects that it serves.

        Args:
            album: None if dreams are not kept.
            controls: None for a control page without live controls.
        """
        self._config = config
        self._request_service = request_service
        self._video = video
        self._status = status
        self._classes = classes
        self._actions = actions
        self._outputs = outputs
        self._settings = settings
        self._album = album
        self._controls = controls
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._live: Live | None = None
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._port = config.port

    @property
    def port(self) -> int:
        """The port; after ``start`` the real one if 0 was configured."""
        return self._port

    @property
    def url(self) -> str:
        """Address of the viewers' page, on this machine."""
        host = self._config.host
        if host in ("0.0.0.0", "::"):
            host = "127.0.0.1"
        return f"http://[{host}]:{self._port}/" if ":" in host else f"http://{host}:{self._port}/"

    @property
    def viewers(self) -> int:
        """Open streams of live video."""
        return self._live.viewers if self._live is not None else 0

    @property
    def alive(self) -> bool:
        """Whether it is running."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start serving; returns once calls are answered.

        Raises:
            PortTaken: another program listens on the port.
            CannotListen: the address does not belong to this machine.
            WebError: the server does not start in time.
        """
        assert self._thread is None, "a server starts once"
        sockets = _listen(self._config.host, self._config.port)
        self._port = sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._run, args=(sockets,), name="web", daemon=True)
        self._thread.start()
        if not self._ready.wait(START_S):
            raise WebError(f"the web server did not start within {START_S:.0f} s")
        if self._failure is not None:
            raise self._failure

    def stop(self, deadline_s: float = 3.0) -> bool:
        """End all streams and stop serving; returns whether that was done within ``deadline_s``. A second call does nothing."""
        if self._thread is None:
            return True
        loop = self._loop
        if loop is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(self._stop.set)
            except RuntimeError:  # closed since
                log.debug("the loop had ended by itself")
        self._thread.join(deadline_s)
        if self._thread.is_alive():
            log.warning("the web server did not end within %.1f s", deadline_s)
            return False
        return True

    def _run(self, sockets: list[socket.socket]) -> None:
        try:
            asyncio.run(self._serve(sockets))
        except BaseException as error:
            self._failure = error
            if self._ready.is_set():
                log.exception("the web server died")
        finally:
            for listener in sockets:
                listener.close()
            self._ready.set()

    async def _serve(self, sockets: list[socket.socket]) -> None:
        self._loop = asyncio.get_running_loop()
        in_thread = ThreadBridge()
        public = urlsplit(self._config.public_url or "").hostname
        names = self._config.hosts if public is None else (*self._config.hosts, public)
        auth = Auth(self._config.host, self._config.token, names, view_token=self._config.view_token)
        limits = VisitorLimits(self._config.limits, self._config.trusted_proxies, auth, file_descriptors.most())
        live = self._live = Live(self._video, self._outputs, in_thread, limits.viewers)
        try:
            links = await read_links(self._classes, in_thread)
            events = StatusEvents(self._status, links, in_thread, limits.watchers)
            app = self._app(auth, limits, live, events, in_thread, links)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE_S)
            await runner.setup()
            server = runner.server
            assert server is not None
            stop = asyncio.create_task(self._stop.wait())
            acceptors = [
                asyncio.create_task(
                    accept_connections(listener, limits, lambda address: HttpConnection(server, limits, address))
                )
                for listener in sockets
            ]
            log.info("serving on %s", self.url)
            if limits.most < self._config.limits.connections:
                log.info("the system allows few descriptors: at most %d connections at once (see web.limits)", limits.most)
            self._ready.set()
            await asyncio.wait([stop, *acceptors], return_when=asyncio.FIRST_COMPLETED)
            for task in (stop, *acceptors):
                task.cancel()
            ended = await asyncio.gather(stop, *acceptors, return_exceptions=True)
            events.end()
            live.end()
            await runner.cleanup()
            for fault in ended:
                if isinstance(fault, Exception):
                    raise fault
        finally:
            in_thread.close()

    def _app(
        self,
        auth: Auth,
        limits: VisitorLimits,
        live: Live,
        events: StatusEvents,
        in_thread: ThreadBridge,
        links: dict[str, str],
    ) -> web.Application:
        app = web.Application(middlewares=[explain, LimitsMiddleware(limits).guard, auth.guard], client_max_size=MAX_BYTES)
        app.on_response_prepare.extend([add_headers, count_bytes])
        groups = tuple(group for group in TABLE if self._controls is not None or group.part is not ControlsApi)
        parts: list[object] = [
            Api(
                self._request_service, self._classes, self._status, self._actions, auth, in_thread, links, limits.waiting_quota
            ),
            Moderation(self._request_service, self._actions, auth, in_thread),
            PollsApi(self._request_service, auth, in_thread, links, limits.voters),
            OutputsApi(self._outputs, in_thread),
            SettingsApi(self._settings, in_thread),
            DreamsApi(self._album, in_thread, links, self._config.public_url),
            ThumbnailsApi(self._classes),
            Monitoring(self._status, in_thread, limits),
            Site(partial(document, groups, auth), self._status, in_thread),
            live,
            events,
        ]
        if self._controls is not None:
            parts.append(ControlsApi(self._controls, in_thread))
        app.router.add_static("/static", STATIC)
        app.add_routes(bind(groups, parts))
        return app


def _listen(host: str, port: int) -> list[socket.socket]:
    """Bind every address of ``host`` to the same port."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise CannotListen(host, port, str(error.strerror or error)) from None
    sockets: list[socket.socket] = []
    trouble: OSError | None = None
    for family, kind, protocol, _, address in sorted(set(found), key=lambda item: item[0] != socket.AF_INET):
        try:
            listener = socket.socket(family, kind, protocol)
        except OSError as error:  # a family this machine lacks
            trouble = error
            continue
        try:
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((address[0], sockets[0].getsockname()[1] if sockets else port, *address[2:]))
            listener.listen(128)
            listener.setblocking(False)
        except OSError as error:
            listener.close()
            trouble = error
            if error.errno == errno.EADDRINUSE:
                for other in sockets:
                    other.close()
                raise PortTaken(host, port) from None
        else:
            sockets.append(listener)
    if not sockets:
        assert trouble is not None
        raise CannotListen(host, port, trouble.strerror or str(trouble))
    return sockets
