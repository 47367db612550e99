"""The JSON API of polls: moderators open and end them, viewers vote, the bot passes on votes from chat."""

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
        """Return the poll that is open or ended a few seconds ago; null if there is none."""
        poll = (await self._in_thread(self._request_service.programme)).poll
        answer = response_schemas.PollNow(poll=None if poll is None else serializers.poll(poll, self._links))
        return web.json_response(answer, dumps=serializers.dumps)

    async def begin(self, request: web.Request) -> web.Response:
        """Open a poll."""
        body = await read_body(request, PollBody)
        poll = await self._in_thread(partial(self._request_service.begin_poll, body.user, body.text, body.seconds, body.role))
        return web.json_response(
            response_schemas.PollChanged(poll=serializers.poll(poll, self._links)), status=201, dumps=serializers.dumps
        )

    async def vote(self, request: web.Request) -> web.Response:
        """Vote in the poll; one address may vote under a few names only."""
        body = await read_body(request, VoteBody)
        if not self._auth.moderates(request):
            on = (await self._in_thread(self._request_service.programme)).poll
            if on is not None:
                self._voters.admit(request.remote or "", on.id, body.user.casefold())
        vote = partial(self._request_service.vote, [PollVote(body.user, body.choice)], "web", body.poll)
        poll, counted = await self._in_thread(vote)
        answer = response_schemas.Voted(poll=serializers.poll(poll, self._links), counted=counted == 1)
        return web.json_response(answer, dumps=serializers.dumps)

    async def votes(self, request: web.Request) -> web.Response:
        """Count the votes of many viewers; for programs that know the viewers, such as a chat bot."""
        body = await read_body(request, VotesBody)
        votes = [PollVote(user, choice) for user, choice in body.votes]
        poll, counted = await self._in_thread(partial(self._request_service.vote, votes, body.source, body.poll))
        answer = response_schemas.VotesCounted(poll=serializers.poll(poll, self._links), counted=counted)
        return web.json_response(answer, dumps=serializers.dumps)

    async def counts(self, request: web.Request) -> web.Response:
        """Set the totals of votes that are cast elsewhere, such as in Twitch's own poll."""
        body = await read_body(request, CountsBody)
        poll = await self._in_thread(partial(self._request_service.count_votes, body.source, body.counts, body.poll))
        return web.json_response(
            response_schemas.PollChanged(poll=serializers.poll(poll, self._links)), dumps=serializers.dumps
        )

    async def end(self, request: web.Request) -> web.Response:
        """End the poll now, or cancel it."""
        body = await read_body(request, EndPollBody)
        poll = await self._in_thread(partial(self._request_service.end_poll, cancel=body.cancel))
        return web.json_response(
            response_schemas.PollChanged(poll=serializers.poll(poll, self._links)), dumps=serializers.dumps
        )
