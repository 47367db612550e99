"""The JSON API of polls: viewers vote, moderators begin and end them, the bot brings the votes of the chat."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from streamer.messages.viewer_polls import PollVote
from streamer.web import response_schemas, serializers
from streamer.web.body_schemas import CountsBody, EndPollBody, PollBody, VoteBody, VotesBody, read_body
from streamer.web.protocols import RequestService
from streamer.web.quotas import VoterQuota
from streamer.web.security import Auth
from streamer.web.thread_bridge import ThreadBridge


class PollsApi:
    """Handlers under ``/api/poll``."""

    def __init__(
        self, request_service: RequestService, auth: Auth, in_thread: ThreadBridge, links: serializers.Links, voters: VoterQuota
    ) -> None:
        self._request_service, self._auth, self._in_thread, self._links, self._voters = (
            request_service,
            auth,
            in_thread,
            links,
            voters,
        )

    async def poll(self, request: web.Request) -> web.Response:
        """Tell how the poll stands that is open, or ended a few seconds ago; null for none."""
        poll = (await self._in_thread(self._request_service.programme)).poll
        told = response_schemas.PollNow(poll=None if poll is None else serializers.poll(poll, self._links))
        return web.json_response(told, dumps=serializers.dumps)

    async def begin(self, request: web.Request) -> web.Response:
        """Open a poll; for moderators."""
        body = await read_body(request, PollBody)
        poll = await self._in_thread(partial(self._request_service.begin_poll, body.user, body.text, body.seconds, body.role))
        return web.json_response(
            response_schemas.PollChanged(poll=serializers.poll(poll, self._links)), status=201, dumps=serializers.dumps
        )

    async def vote(self, request: web.Request) -> web.Response:
        """Count a vote from the page; an address votes under some names only."""
        body = await read_body(request, VoteBody)
        if not self._auth.moderates(request):
            on = (await self._in_thread(self._request_service.programme)).poll
            if on is not None:
                self._voters.admit(request.remote or "", on.id, body.user.casefold())
        vote = partial(self._request_service.vote, [PollVote(body.user, body.choice)], "web", body.poll)
        poll, counted = await self._in_thread(vote)
        told = response_schemas.Voted(poll=serializers.poll(poll, self._links), counted=counted == 1)
        return web.json_response(told, dumps=serializers.dumps)

    async def votes(self, request: web.Request) -> web.Response:
        """Count votes of many viewers; for programs that know who speaks."""
        body = await read_body(request, VotesBody)
        votes = [PollVote(user, choice) for user, choice in body.votes]
        poll, counted = await self._in_thread(partial(self._request_service.vote, votes, body.source, body.poll))
        told = response_schemas.VotesCounted(poll=serializers.poll(poll, self._links), counted=counted)
        return web.json_response(told, dumps=serializers.dumps)

    async def counts(self, request: web.Request) -> web.Response:
        """Take the sums of votes that are cast elsewhere; for programs."""
        body = await read_body(request, CountsBody)
        poll = await self._in_thread(partial(self._request_service.count_votes, body.source, body.counts, body.poll))
        return web.json_response(
            response_schemas.PollChanged(poll=serializers.poll(poll, self._links)), dumps=serializers.dumps
        )

    async def end(self, request: web.Request) -> web.Response:
        """End the poll now, or cancel it; for moderators."""
        body = await read_body(request, EndPollBody)
        poll = await self._in_thread(partial(self._request_service.end_poll, cancel=body.cancel))
        return web.json_response(
            response_schemas.PollChanged(poll=serializers.poll(poll, self._links)), dumps=serializers.dumps
        )
