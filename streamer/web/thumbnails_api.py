"""Thumbnails of classes."""

from __future__ import annotations

from aiohttp import web

from streamer.web.errors import ApiError
from streamer.web.file_responses import send_file
from streamer.web.protocols import Catalogue

KEPT = "private, max-age=31536000, immutable"
"""Cache-Control of a thumbnail requested with its version: another picture has another address."""


class ThumbnailsApi:
    """Handlers of ``/thumbnails``."""

    def __init__(self, classes: Catalogue) -> None:
        self._classes = classes

    async def show(self, request: web.Request) -> web.StreamResponse:
        """The thumbnail of a class, a small WebP; with its version ``v`` it may be cached forever."""
        picture = self._classes.thumbnail(request.match_info["wnid"])
        if picture is None:
            raise ApiError(404, "not_found", "this class has no picture yet")
        headers = {"Content-Type": "image/webp"}
        if request.query.get("v") == str(picture.version):
            headers["Cache-Control"] = KEPT
        return await send_file(picture.file, headers)
