"""The JSON API of outputs: their state, for viewers; adding, removing and switching them, for moderators.

A stream key in a body goes to the output only: no answer contains it.
"""

from __future__ import annotations

from functools import partial

from aiohttp import web

from streamer.web import response_schemas_moderation, serializers
from streamer.web.body_schemas import EnableBody, OutputBody, read_body
from streamer.web.protocols import Outputs
from streamer.web.thread_bridge import ThreadBridge


class OutputsApi:
    """Handlers of ``/api/outputs``."""

    def __init__(self, outputs: Outputs, in_thread: ThreadBridge) -> None:
        self._outputs = outputs
        self._in_thread = in_thread

    async def list(self, request: web.Request) -> web.Response:
        """List the outputs with their state."""
        outputs = await self._in_thread(self._outputs.status)
        return web.json_response(
            response_schemas_moderation.Outputs(outputs=[serializers.output(item) for item in outputs]), dumps=serializers.dumps
        )

    async def add(self, request: web.Request) -> web.Response:
        """Add an output; it lasts until the program ends."""
        body = await read_body(request, OutputBody)
        name = await self._in_thread(partial(self._outputs.add_block, body.root))
        return web.json_response(response_schemas_moderation.OutputAdded(name=name), status=201, dumps=serializers.dumps)

    async def enable(self, request: web.Request) -> web.Response:
        """Start or stop an output."""
        name, body = request.match_info["name"], await read_body(request, EnableBody)
        await self._in_thread(partial(self._outputs.enable, name, body.enabled))
        return web.json_response(
            response_schemas_moderation.OutputEnabled(name=name, enabled=body.enabled), dumps=serializers.dumps
        )

    async def remove(self, request: web.Request) -> web.Response:
        """Stop and remove an output; those of the config come back at the next start."""
        name = request.match_info["name"]
        await self._in_thread(partial(self._outputs.remove, name))
        return web.json_response(response_schemas_moderation.RemovedNamed(removed=name), dumps=serializers.dumps)
