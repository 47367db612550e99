"""Files as answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from streamer.web.errors import ApiError


async def send_file(path: Path, headers: Mapping[str, str] | None = None) -> web.FileResponse:
    """Answer with a file, or a part of it, as the caller asks.

    Raises:
        ApiError: 404, it has gone since it was looked up: aiohttp's own 404 says nothing, as if it were the file.
    """
    if not await asyncio.get_running_loop().run_in_executor(None, path.is_file):
        raise ApiError(404, "not_found", "this file is not there any more")
    return web.FileResponse(path, headers=headers)
