"""The JSON API; ``streamer.web.errors`` gives the shape of its refusals."""

from __future__ import annotations

import re
from functools import partial

from aiohttp import web

from streamer.messages import Role
from streamer.web import wire
from streamer.web.bodies import EmptyBody, LoginBody, PauseBody, RequestBody, read_body
from streamer.web.bridge import Calls
from streamer.web.errors import ApiError
from streamer.web.protocols import Actions, Classes, Desk, StatusReader
from streamer.web.security import COOKIE, Gate

COMMAND = re.compile(r"\s*!dream\b\s*", re.IGNORECASE)
"""What chat puts before a request; forgiven here."""
MAX_CLASSES = 1000
MAX_QUERY = 200
"""Characters of a class search."""


class Api:
    """Handlers under ``/api``, save the event stream."""

    def __init__(
        self,
        desk: Desk,
        classes: Classes,
        status: StatusReader,
        actions: Actions,
        gate: Gate,
        calls: Calls,
        links: wire.Links,
    ) -> None:
        self._desk = desk
        self._classes = classes
        self._status = status
        self._actions = actions
        self._gate = gate
        self._calls = calls
        self._links = links

    def routes(self) -> list[web.RouteDef]:
        """The addresses served here."""
        return [
            web.post("/api/requests", self.submit),
            web.delete(r"/api/requests/{id:\d{1,18}}", self.remove),
            web.post("/api/skip", self.skip),
            web.post("/api/clear", self.clear),
            web.post("/api/bump", self.bump),
            web.post("/api/pause", self.pause),
            web.get("/api/status", self.status),
            web.get("/api/classes", self.classes),
            web.get("/api/session", self.session),
            web.post("/api/login", self.login),
            web.post("/api/logout", self.logout),
        ]

    async def submit(self, request: web.Request) -> web.Response:
        """Take a request. Only moderators' programs, such as the bot, may speak for others' roles, sources and messages."""
        self._gate.require_writer(request)
        body = await read_body(request, RequestBody)
        text = COMMAND.sub("", body.text, count=1) if COMMAND.match(body.text) else body.text
        if not text.strip():
            raise ApiError(400, "bad_input", "say what to dream, for example: volcano + bubble")
        trusted = self._gate.moderates(request)
        if body.role is not Role.EVERYONE and not trusted:
            raise ApiError(401, "unauthorized", "only a caller with the token may name a role")
        submit = partial(
            self._desk.submit,
            body.user,
            text,
            message_id=body.message_id if trusted else None,
            role=body.role,
            source=body.source if trusted else "web",
        )
        receipt = await self._calls(submit)
        return web.json_response(wire.receipt(receipt, self._links), status=201, dumps=wire.dumps)

    async def remove(self, request: web.Request) -> web.Response:
        """Take a waiting request out of the queue."""
        self._gate.require_moderator(request)
        request_id = int(request.match_info["id"])
        await self._calls(partial(self._desk.remove, request_id))
        return web.json_response({"removed": request_id})

    async def skip(self, request: web.Request) -> web.Response:
        """End what is on air."""
        self._gate.require_moderator(request)
        await read_body(request, EmptyBody)
        await self._calls(self._desk.skip)
        return web.json_response({"skipped": True})

    async def clear(self, request: web.Request) -> web.Response:
        """Empty the queue."""
        self._gate.require_moderator(request)
        await read_body(request, EmptyBody)
        return web.json_response({"removed": await self._calls(self._desk.clear)})

    async def bump(self, request: web.Request) -> web.Response:
        """Shake the dream awake."""
        self._gate.require_moderator(request)
        await read_body(request, EmptyBody)
        await self._calls(self._actions.bump)
        return web.json_response({"bumped": True})

    async def pause(self, request: web.Request) -> web.Response:
        """Hold what is on air, or let the programme go on."""
        self._gate.require_moderator(request)
        body = await read_body(request, PauseBody)
        await self._calls(partial(self._desk.pause, body.paused))
        return web.json_response({"paused": body.paused})

    async def status(self, request: web.Request) -> web.Response:
        """Tell what is on air, the queue, rates and counters."""
        return web.json_response(wire.status(await self._calls(self._status), self._links), dumps=wire.dumps)

    async def classes(self, request: web.Request) -> web.Response:
        """Search the vocabulary: ``q`` (empty for all of it) and ``limit`` (20, or all for an empty ``q``)."""
        query = request.query.get("q", "").strip()[:MAX_QUERY]
        limit = request.query.get("limit", "20" if query else str(MAX_CLASSES))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MAX_CLASSES):
            raise ApiError(400, "bad_input", f"limit: a number from 1 to {MAX_CLASSES}")
        found = await self._calls(partial(self._classes.search, query, int(limit)))
        return web.json_response({"classes": [wire.class_entry(entry) for entry in found]}, dumps=wire.dumps)

    async def session(self, request: web.Request) -> web.Response:
        """Tell a page what its visitor may do, so that it shows nothing else."""
        told = {
            "moderator": self._gate.moderates(request),
            "writer": self._gate.writes(request),
            "login": self._gate.login,
        }
        return web.json_response(told)

    async def login(self, request: web.Request) -> web.Response:
        """Exchange the token for a cookie."""
        body = await read_body(request, LoginBody)
        self._gate.try_token(request, body.token)
        response = web.json_response({"moderator": True})
        self._gate.remember(request, response)
        return response

    async def logout(self, request: web.Request) -> web.Response:
        """Take the cookie back."""
        await read_body(request, EmptyBody)
        response = web.json_response({"moderator": False})
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
        return response


async def read_links(classes: Classes, calls: Calls) -> dict[str, str]:
    """Return the page about each class, by wnid."""
    return {entry.wnid: entry.link for entry in await calls(partial(classes.search, "", MAX_CLASSES))}
