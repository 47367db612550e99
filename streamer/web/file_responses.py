"""Responses that send a file."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from streamer.web.errors import ApiError


async def send_file(path: Path, headers: Mapping[str, str] | None = None) -> web.FileResponse:
    """Return a response with a file, or with the range that the caller requests.

    Raises:
        ApiError: 404 if the file has been deleted since it was looked up; aiohttp's own 404 would have an empty body.
    """
    if not await asyncio.get_running_loop().run_in_executor(None, path.is_file):
        raise ApiError(404, "not_found", "this file no longer exists")
    return web.FileResponse(path, headers=headers)
