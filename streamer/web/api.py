"""The JSON API; ``streamer.web.errors`` gives the shape of its refusals."""

from __future__ import annotations

import re
from functools import partial

from aiohttp import web

from streamer.messages import ChatReport, ChatState, Priority
from streamer.web import answers, answers_classes, wire
from streamer.web.bodies import ChatBody, EmptyBody, LoginBody, OopsBody, RequestBody, VoteskipBody, read_body
from streamer.web.bridge import Calls
from streamer.web.errors import ApiError
from streamer.web.places import Line
from streamer.web.protocols import Actions, Classes, Desk, StatusReader
from streamer.web.security import COOKIE, Gate
from viewer_text.role import Role

COMMAND = re.compile(r"^\s*!dream\b\s*", re.IGNORECASE)
"""What chat puts before a request; forgiven here."""
MAX_CLASSES = 1000
MAX_QUERY = 200
"""Characters of a class search."""
MAX_TEXT = 4000
"""Characters of words to be matched."""


class Api:
    """Handlers under ``/api`` for everybody and for the bot; moderators' are in ``moderation``, events in ``events``."""

    def __init__(
        self,
        desk: Desk,
        classes: Classes,
        status: StatusReader,
        actions: Actions,
        gate: Gate,
        calls: Calls,
        links: wire.Links,
        line: Line,
    ) -> None:
        self._desk = desk
        self._classes = classes
        self._status = status
        self._actions = actions
        self._gate = gate
        self._calls = calls
        self._links = links
        self._line = line

    async def submit(self, request: web.Request) -> web.Response:
        """Take a request. Only moderators' programs, such as the bot, may speak for others' roles, sources and messages."""
        body = await read_body(request, RequestBody)
        text = COMMAND.sub("", body.text or "", count=1)
        trusted = self._gate.moderates(request)
        if body.role is not Role.EVERYONE and not trusted:
            raise ApiError(401, "unauthorized", "only a caller with the token may name a role")
        if body.priority is not Priority.NONE and not trusted:
            raise ApiError(401, "unauthorized", "only a caller with the token may name a priority")
        submit = partial(
            self._desk.submit,
            body.user,
            text,
            message_id=body.message_id if trusted else None,
            role=body.role,
            source=body.source if trusted else "web",
            priority=body.priority,
            amount=body.amount if body.priority is not Priority.NONE else 0,
            anything=body.random,
        )
        if not trusted:
            programme = await self._calls(self._desk.programme)
            self._line.has_room(request.remote or "", {waiting.request.id for waiting in programme.waiting})
        receipt = await self._calls(submit)
        if not trusted:
            self._line.joins(request.remote or "", receipt.id)
        return web.json_response(wire.receipt(receipt, self._links), status=201, dumps=wire.dumps)

    async def standing(self, request: web.Request) -> web.Response:
        """Tell where a request stands, whatever became of it."""
        found = await self._calls(partial(self._desk.standing, int(request.match_info["id"])))
        return web.json_response(wire.standing(found), dumps=wire.dumps)

    async def match(self, request: web.Request) -> web.Response:
        """Tell what ``text`` would be understood as; moderators may name layers, or say with ``role`` who asks."""
        text = request.query.get("text", "")[:MAX_TEXT]
        try:
            role = Role(request.query.get("role", Role.MODERATOR))
        except ValueError:
            raise ApiError(400, "bad_input", f"role: one of {', '.join(Role)}") from None
        if not self._gate.moderates(request):
            role = Role.EVERYONE
        found = await self._calls(partial(self._desk.match, text, role))
        return web.json_response(wire.match(found, self._links), dumps=wire.dumps)

    async def oops(self, request: web.Request) -> web.Response:
        """Take back a viewer's latest request; for programs that know who speaks."""
        body = await read_body(request, OopsBody)
        removed = await self._calls(partial(self._desk.oops, body.user, body.source))
        return web.json_response(answers.TakenBack(removed=removed.id, title=removed.title), dumps=wire.dumps)

    async def voteskip(self, request: web.Request) -> web.Response:
        """Count a viewer's vote to end what is on air; for programs that know who speaks."""
        body = await read_body(request, VoteskipBody)
        vote = await self._calls(partial(self._desk.voteskip, body.user, body.source))
        return web.json_response(answers.SkipVote(votes=vote.votes, needed=vote.needed, skipped=vote.skipped))

    async def chat(self, request: web.Request) -> web.Response:
        """Hear how a chat bot stands; answer which requests are dreamt as something else than it has told those who asked."""
        body = await read_body(request, ChatBody)
        if body.state is ChatState.GONE:
            raise ApiError(400, "bad_input", "state: who is gone cannot say so")
        report = ChatReport(body.state, body.detail, body.account, body.channel, body.source, heard_s=body.heard_s)
        await self._calls(partial(self._actions.hear_chat, report))
        changes = await self._calls(partial(self._desk.changes, body.told, body.source))
        told = answers.ChatHeard(ok=True, changes=[wire.change(item) for item in changes])
        return web.json_response(told, dumps=wire.dumps)

    async def status(self, request: web.Request) -> web.Response:
        """Tell what is on air, the queue, rates and counters."""
        return web.json_response(wire.status(await self._calls(self._status), self._links), dumps=wire.dumps)

    async def network(self, request: web.Request) -> web.Response:
        """Tell which network dreams and how much it knows, with examples; a name and a number are missing while it loads."""
        return web.json_response(wire.network(await self._calls(self._status)), dumps=wire.dumps)

    async def classes(self, request: web.Request) -> web.Response:
        """Search the vocabulary: ``q`` (empty for all of it), or ``like`` (a wnid) for what the network finds most like it.

        ``limit`` is 20, or all for an empty ``q``.
        """
        query, like = (request.query.get(name, "").strip()[:MAX_QUERY] for name in ("q", "like"))
        if query and like:
            raise ApiError(400, "bad_input", "q or like: only one of them")
        limit = request.query.get("limit", "20" if query or like else str(MAX_CLASSES))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MAX_CLASSES):
            raise ApiError(400, "bad_input", f"limit: a number from 1 to {MAX_CLASSES}")
        find = partial(self._classes.like, like) if like else partial(self._classes.search, query)
        found = await self._calls(partial(find, int(limit)))
        told = wire.classes(found, self._classes.kinds, self._classes.thumbnails())
        return web.json_response(told, dumps=wire.dumps)

    async def layers(self, request: web.Request) -> web.Response:
        """Tell the layers of the network in use, from the picture to the classes; none while it loads."""
        renderer = (await self._calls(self._status)).renderer
        layers = [wire.layer_entry(entry) for entry in renderer.layers]
        told = answers_classes.Layers(network=renderer.network, layers=layers)
        return web.json_response(told, dumps=wire.dumps)

    async def step(self, request: web.Request) -> web.Response:
        """Tell what a step of the dream is made of, in pictures; ``after=N``: only if they are newer than those of number N."""
        after = request.query.get("after", "0")
        if not (after.isascii() and after.isdigit()):
            raise ApiError(400, "bad_input", "after: the number of the pictures that are known")
        found = await self._calls(self._actions.inspect)
        return web.json_response(wire.inspection(found, int(after[:9])), dumps=wire.dumps)

    async def session(self, request: web.Request) -> web.Response:
        """Tell a page what its visitor may do, so that it shows nothing else."""
        told = answers.Session(
            moderator=self._gate.moderates(request),
            writer=self._gate.writes(request),
            login=self._gate.login,
        )
        return web.json_response(told)

    async def login(self, request: web.Request) -> web.Response:
        """Exchange the token for a cookie."""
        body = await read_body(request, LoginBody)
        self._gate.try_token(request, body.token)
        response = web.json_response(answers.LoggedIn(moderator=True))
        self._gate.remember(request, response)
        return response

    async def logout(self, request: web.Request) -> web.Response:
        """Take the cookie back."""
        await read_body(request, EmptyBody)
        response = web.json_response(answers.LoggedIn(moderator=False))
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
        return response


async def read_links(classes: Classes, calls: Calls) -> dict[str, str]:
    """Return the page about each class, by wnid."""
    return {entry.wnid: entry.link for entry in await calls(partial(classes.search, "", MAX_CLASSES))}
