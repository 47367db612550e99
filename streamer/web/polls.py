"""The JSON API of polls: viewers vote, moderators begin and end them, the bot brings the votes of the chat."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from streamer.messages import PollVote
from streamer.web import answers, wire
from streamer.web.bodies import CountsBody, EndPollBody, PollBody, VoteBody, VotesBody, read_body
from streamer.web.bridge import Calls
from streamer.web.places import Voters
from streamer.web.protocols import Desk
from streamer.web.security import Gate


class PollsApi:
    """Handlers under ``/api/poll``."""

    def __init__(self, desk: Desk, gate: Gate, calls: Calls, links: wire.Links, voters: Voters) -> None:
        self._desk, self._gate, self._calls, self._links, self._voters = desk, gate, calls, links, voters

    async def poll(self, request: web.Request) -> web.Response:
        """Tell how the poll stands that is open, or ended a few seconds ago; null for none."""
        poll = (await self._calls(self._desk.programme)).poll
        told = answers.PollNow(poll=None if poll is None else wire.poll(poll, self._links))
        return web.json_response(told, dumps=wire.dumps)

    async def begin(self, request: web.Request) -> web.Response:
        """Open a poll; for moderators."""
        body = await read_body(request, PollBody)
        poll = await self._calls(partial(self._desk.begin_poll, body.user, body.text, body.seconds, body.role))
        return web.json_response(answers.PollChanged(poll=wire.poll(poll, self._links)), status=201, dumps=wire.dumps)

    async def vote(self, request: web.Request) -> web.Response:
        """Count a vote from the page; an address votes under some names only."""
        body = await read_body(request, VoteBody)
        if not self._gate.moderates(request):
            on = (await self._calls(self._desk.programme)).poll
            if on is not None:
                self._voters.admit(request.remote or "", on.id, body.user.casefold())
        vote = partial(self._desk.vote, [PollVote(body.user, body.choice)], "web", body.poll)
        poll, counted = await self._calls(vote)
        told = answers.Voted(poll=wire.poll(poll, self._links), counted=counted == 1)
        return web.json_response(told, dumps=wire.dumps)

    async def votes(self, request: web.Request) -> web.Response:
        """Count votes of many viewers; for programs that know who speaks."""
        body = await read_body(request, VotesBody)
        votes = [PollVote(user, choice) for user, choice in body.votes]
        poll, counted = await self._calls(partial(self._desk.vote, votes, body.source, body.poll))
        told = answers.VotesCounted(poll=wire.poll(poll, self._links), counted=counted)
        return web.json_response(told, dumps=wire.dumps)

    async def counts(self, request: web.Request) -> web.Response:
        """Take the sums of votes that are cast elsewhere; for programs."""
        body = await read_body(request, CountsBody)
        poll = await self._calls(partial(self._desk.count_votes, body.source, body.counts, body.poll))
        return web.json_response(answers.PollChanged(poll=wire.poll(poll, self._links)), dumps=wire.dumps)

    async def end(self, request: web.Request) -> web.Response:
        """End the poll now, or cancel it; for moderators."""
        body = await read_body(request, EndPollBody)
        poll = await self._calls(partial(self._desk.end_poll, cancel=body.cancel))
        return web.json_response(answers.PollChanged(poll=wire.poll(poll, self._links)), dumps=wire.dumps)
