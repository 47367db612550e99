"""A picture of each class, as far as there is one."""

from __future__ import annotations

from aiohttp import web

from streamer.web.errors import ApiError
from streamer.web.protocols import Classes

KEPT = "private, max-age=31536000, immutable"
"""For whoever asks for a picture by its version: another picture has another address."""


class ThumbnailsApi:
    """Handlers of ``/thumbnails``."""

    def __init__(self, classes: Classes) -> None:
        self._classes = classes

    def routes(self) -> list[web.RouteDef]:
        """The addresses served here."""
        return [web.get(r"/thumbnails/{wnid:n\d{8}}.webp", self.show)]

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show a class, as a small WebP; to be kept for good by whoever names its version ``v``."""
        picture = self._classes.thumbnail(request.match_info["wnid"])
        if picture is None:
            raise ApiError(404, "not_found", "there is no picture of it yet")
        headers = {"Content-Type": "image/webp"}
        if request.query.get("v") == str(picture.version):
            headers["Cache-Control"] = KEPT
        return web.FileResponse(picture.file, headers=headers)
