"""The JSON API for viewers and the chat bot; ``streamer.web.errors`` describes its refusals."""

from __future__ import annotations

import re
from functools import partial

from aiohttp import web

from shared.role import Role
from streamer.messages.chat_status import ChatReport, ChatState
from streamer.messages.requests import Priority
from streamer.web import response_schemas, response_schemas_classes, serializers
from streamer.web.body_schemas import ChatBody, EmptyBody, LoginBody, OopsBody, RequestBody, VoteskipBody, read_body
from streamer.web.errors import ApiError
from streamer.web.protocols import Actions, Catalogue, RequestService, StatusReader
from streamer.web.quotas import WaitingQuota
from streamer.web.security import COOKIE, Auth
from streamer.web.thread_bridge import ThreadBridge

COMMAND = re.compile(r"^\s*!dream\b\s*", re.IGNORECASE)
"""The chat command before a request; accepted here, too."""
MAX_CLASSES = 1000
MAX_QUERY = 200
"""Characters of a class search."""
MAX_TEXT = 4000
"""Characters that ``/api/match`` reads."""


class Api:
    """Handlers under ``/api`` for viewers and the bot; for moderators see ``moderation``, for events ``status_events``."""

    def __init__(
        self,
        request_service: RequestService,
        classes: Catalogue,
        status: StatusReader,
        actions: Actions,
        auth: Auth,
        in_thread: ThreadBridge,
        links: serializers.Links,
        waiting_quota: WaitingQuota,
    ) -> None:
        self._request_service = request_service
        self._classes = classes
        self._status = status
        self._actions = actions
        self._auth = auth
        self._in_thread = in_thread
        self._links = links
        self._waiting_quota = waiting_quota

    async def submit(self, request: web.Request) -> web.Response:
        """Add a request to the queue.

        If the same subjects are already waiting, the call is refused with ``duplicate`` and counts as a vote for them. ``role``
        and ``priority`` take the token; without it, ``source`` and ``message_id`` are ignored.
        """
        body = await read_body(request, RequestBody)
        text = COMMAND.sub("", body.text or "", count=1)
        trusted = self._auth.moderates(request)
        if body.role is not Role.EVERYONE and not trusted:
            raise ApiError(401, "unauthorized", "only a caller with the token may set a role")
        if body.priority is not Priority.NONE and not trusted:
            raise ApiError(401, "unauthorized", "only a caller with the token may set a priority")
        submit = partial(
            self._request_service.submit,
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
            programme = await self._in_thread(self._request_service.programme)
            self._waiting_quota.require_room(request.remote or "", {waiting.request.id for waiting in programme.waiting})
        receipt = await self._in_thread(submit)
        if not trusted:
            self._waiting_quota.add(request.remote or "", receipt.id)
        return web.json_response(serializers.receipt(receipt, self._links), status=201, dumps=serializers.dumps)

    async def standing(self, request: web.Request) -> web.Response:
        """Return the state of a request, also after it has been shown or removed."""
        found = await self._in_thread(partial(self._request_service.standing, int(request.match_info["id"])))
        return web.json_response(serializers.standing(found), dumps=serializers.dumps)

    async def match(self, request: web.Request) -> web.Response:
        """Return how ``text`` would be understood, without requesting it.

        Moderators may name layers, and set ``role`` to see what viewers of that role get.
        """
        text = request.query.get("text", "")[:MAX_TEXT]
        try:
            role = Role(request.query.get("role", Role.MODERATOR))
        except ValueError:
            raise ApiError(400, "bad_input", f"role: one of {', '.join(Role)}") from None
        if not self._auth.moderates(request):
            role = Role.EVERYONE
        found = await self._in_thread(partial(self._request_service.match, text, role))
        return web.json_response(serializers.match(found, self._links), dumps=serializers.dumps)

    async def oops(self, request: web.Request) -> web.Response:
        """Withdraw a viewer's latest request; for programs that know the viewer, such as a chat bot."""
        body = await read_body(request, OopsBody)
        removed = await self._in_thread(partial(self._request_service.oops, body.user, body.source))
        return web.json_response(response_schemas.TakenBack(removed=removed.id, title=removed.title), dumps=serializers.dumps)

    async def voteskip(self, request: web.Request) -> web.Response:
        """Count a viewer's vote to skip the scene on air; for programs that know the viewer, such as a chat bot."""
        body = await read_body(request, VoteskipBody)
        vote = await self._in_thread(partial(self._request_service.voteskip, body.user, body.source))
        return web.json_response(response_schemas.SkipVote(votes=vote.votes, needed=vote.needed, skipped=vote.skipped))

    async def chat(self, request: web.Request) -> web.Response:
        """Report the state of a chat bot; returns requests that show something else than their viewers were told.

        A request changes when another network takes over that does not know its subject. ``told`` is the number of the latest
        change that the bot has announced; newer ones are returned.
        """
        body = await read_body(request, ChatBody)
        if body.state is ChatState.GONE:
            raise ApiError(400, "bad_input", "state: a bot cannot report itself gone")
        report = ChatReport(body.state, body.detail, body.account, body.channel, body.source, heard_s=body.heard_s)
        await self._in_thread(partial(self._actions.hear_chat, report))
        changes = await self._in_thread(partial(self._request_service.changes, body.told, body.source))
        answer = response_schemas.ChatHeard(ok=True, changes=[serializers.change(item) for item in changes])
        return web.json_response(answer, dumps=serializers.dumps)

    async def status(self, request: web.Request) -> web.Response:
        """Return what is on air, the queue, rates and counters."""
        return web.json_response(serializers.status(await self._in_thread(self._status), self._links), dumps=serializers.dumps)

    async def network(self, request: web.Request) -> web.Response:
        """Return the network in use and how many classes it knows, with examples.

        While the network loads, ``name`` is empty and ``classes`` is 0.
        """
        return web.json_response(serializers.network(await self._in_thread(self._status)), dumps=serializers.dumps)

    async def classes(self, request: web.Request) -> web.Response:
        """Search the vocabulary by name (``q``), or list the classes most similar to one (``like``).

        Without either, all classes are listed. ``limit`` is 20 by default, or all when nothing is searched for.
        """
        query, like = (request.query.get(name, "").strip()[:MAX_QUERY] for name in ("q", "like"))
        if query and like:
            raise ApiError(400, "bad_input", "q or like: only one of them")
        limit = request.query.get("limit", "20" if query or like else str(MAX_CLASSES))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MAX_CLASSES):
            raise ApiError(400, "bad_input", f"limit: a number from 1 to {MAX_CLASSES}")
        find = partial(self._classes.like, like) if like else partial(self._classes.search, query)
        found = await self._in_thread(partial(find, int(limit)))
        answer = serializers.classes(found, self._classes.kinds, self._classes.thumbnails())
        return web.json_response(answer, dumps=serializers.dumps)

    async def layers(self, request: web.Request) -> web.Response:
        """List the layers of the network in use, from its input to its output; empty while it loads."""
        renderer = (await self._in_thread(self._status)).renderer
        layers = [serializers.layer_entry(entry) for entry in renderer.layers]
        answer = response_schemas_classes.Layers(network=renderer.network, layers=layers)
        return web.json_response(answer, dumps=serializers.dumps)

    async def step(self, request: web.Request) -> web.Response:
        """Return pictures of what one step of the dream computes: the image, its gradient, the step, and some layers.

        With ``after=N``, pictures are returned only if they are newer than set N.
        """
        after = request.query.get("after", "0")
        if not (after.isascii() and after.isdigit()):
            raise ApiError(400, "bad_input", "after: the number of the set of pictures that you have")
        found = await self._in_thread(self._actions.inspect)
        return web.json_response(serializers.inspection(found, int(after[:9])), dumps=serializers.dumps)

    async def session(self, request: web.Request) -> web.Response:
        """Return what the caller may do; pages hide the rest."""
        answer = response_schemas.Session(
            moderator=self._auth.moderates(request),
            writer=self._auth.writes(request),
            login=self._auth.login,
        )
        return web.json_response(answer)

    async def login(self, request: web.Request) -> web.Response:
        """Exchange the moderators' token for a cookie."""
        body = await read_body(request, LoginBody)
        self._auth.try_token(request, body.token)
        response = web.json_response(response_schemas.LoggedIn(moderator=True))
        self._auth.remember(request, response)
        return response

    async def logout(self, request: web.Request) -> web.Response:
        """Delete the cookie."""
        await read_body(request, EmptyBody)
        response = web.json_response(response_schemas.LoggedIn(moderator=False))
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
        return response


async def read_links(classes: Catalogue, in_thread: ThreadBridge) -> dict[str, str]:
    """Return the address of a page about each class, by wnid."""
    return {entry.wnid: entry.link for entry in await in_thread(partial(classes.search, "", MAX_CLASSES))}
