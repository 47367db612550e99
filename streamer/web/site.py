"""The static pages, and the OpenAPI document."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from streamer.web import serializers
from streamer.web.protocols import StatusReader
from streamer.web.thread_bridge import ThreadBridge

STATIC = Path(__file__).parent / "static"


class Site:
    """Handlers of the pages and of ``/api/openapi.json``."""

    def __init__(self, describe: Callable[[str], serializers.Json], read: StatusReader, in_thread: ThreadBridge) -> None:
        """Set up; the document is made at the first call.

        Args:
            describe: returns the document, given the program's version.
        """
        self._describe, self._read, self._in_thread = describe, read, in_thread
        self._document, self._writing = "", threading.Lock()

    async def page(self, request: web.Request, name: str) -> web.StreamResponse:
        """Send a page."""
        return web.FileResponse(STATIC / name)

    async def document(self, request: web.Request) -> web.Response:
        """Return this API as an OpenAPI 3.1 document."""
        return web.json_response(text=self._document or await self._in_thread(self._write))

    def _write(self) -> str:
        """Make the document once: it takes a third of a second."""
        with self._writing:
            if not self._document:
                self._document = serializers.dumps(self._describe(self._read().version))
        return self._document
