"""A picture of each class, as far as there is one."""

from __future__ import annotations

from aiohttp import web

from streamer.web.errors import ApiError
from streamer.web.file_responses import send_file
from streamer.web.protocols import Catalogue

KEPT = "private, max-age=31536000, immutable"
"""For whoever asks for a picture by its version: another picture has another address."""


class ThumbnailsApi:
    """Handlers of ``/thumbnails``."""

    def __init__(self, classes: Catalogue) -> None:
        self._classes = classes

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show a class, as a small WebP; to be kept for good by whoever names its version ``v``."""
        picture = self._classes.thumbnail(request.match_info["wnid"])
        if picture is None:
            raise ApiError(404, "not_found", "there is no picture of it yet")
        headers = {"Content-Type": "image/webp"}
        if request.query.get("v") == str(picture.version):
            headers["Cache-Control"] = KEPT
        return await send_file(picture.file, headers)
