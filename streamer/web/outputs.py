"""The part of the JSON API about outputs: how each does, for everybody; adding, removing and switching, for moderators.

A key that comes in with a block goes to the output only: no answer holds it.
"""

from __future__ import annotations

from functools import partial

from aiohttp import web

from streamer.web import answers_desk, wire
from streamer.web.bodies import EnableBody, OutputBody, read_body
from streamer.web.bridge import Calls
from streamer.web.protocols import Outputs


class OutputsApi:
    """Handlers of ``/api/outputs``."""

    def __init__(self, outputs: Outputs, calls: Calls) -> None:
        self._outputs = outputs
        self._calls = calls

    async def list(self, request: web.Request) -> web.Response:
        """Tell how each output does."""
        told = await self._calls(self._outputs.status)
        return web.json_response(answers_desk.Outputs(outputs=[wire.output(item) for item in told]), dumps=wire.dumps)

    async def add(self, request: web.Request) -> web.Response:
        """Add an output until the stream ends."""
        body = await read_body(request, OutputBody)
        name = await self._calls(partial(self._outputs.add_block, body.root))
        return web.json_response(answers_desk.OutputAdded(name=name), status=201, dumps=wire.dumps)

    async def enable(self, request: web.Request) -> web.Response:
        """Start or stop an output."""
        name, body = request.match_info["name"], await read_body(request, EnableBody)
        await self._calls(partial(self._outputs.enable, name, body.enabled))
        return web.json_response(answers_desk.OutputEnabled(name=name, enabled=body.enabled), dumps=wire.dumps)

    async def remove(self, request: web.Request) -> web.Response:
        """Stop an output and forget it until the stream starts anew."""
        name = request.match_info["name"]
        await self._calls(partial(self._outputs.remove, name))
        return web.json_response(answers_desk.RemovedNamed(removed=name), dumps=wire.dumps)
