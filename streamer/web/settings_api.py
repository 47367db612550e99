"""The JSON API of the config file: whether it differs from the settings in use, and reloading it. For moderators."""

from __future__ import annotations

from aiohttp import web

from streamer.settings_file import ConfigError, ConfigGone
from streamer.web import response_schemas_moderation, serializers
from streamer.web.body_schemas import EmptyBody, read_body
from streamer.web.errors import ApiError
from streamer.web.protocols import Settings
from streamer.web.thread_bridge import ThreadBridge


class SettingsApi:
    """Handlers of ``/api/reload``."""

    def __init__(self, settings: Settings, in_thread: ThreadBridge) -> None:
        self._settings = settings
        self._in_thread = in_thread

    async def standing(self, request: web.Request) -> web.Response:
        """Return whether the config file is in use, its mistakes, and what waits for the next start."""
        return web.json_response(serializers.settings(self._settings.status), dumps=serializers.dumps)

    async def reload(self, request: web.Request) -> web.Response:
        """Reload the config file; returns the settings that changed, and those that wait for the next start."""
        await read_body(request, EmptyBody)
        try:
            reloaded = await self._in_thread(self._settings.reload)
        except ConfigError as error:
            first, *others = error.problems
            message = f"{first} (and {len(others)} more)" if others else first
            status, code = (409, "no_file") if isinstance(error, ConfigGone) else (422, "bad_settings")
            raise ApiError(status, code, message, mistakes=error.problems) from None
        answer = response_schemas_moderation.Reloaded(
            changed=list(reloaded.changed), at_next_start=list(reloaded.at_next_start)
        )
        return web.json_response(answer, dumps=serializers.dumps)
