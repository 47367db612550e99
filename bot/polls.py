"""The chat's part in polls: lines that are votes are put together and sent in batches, and what comes of it is said.

    lines ─▶ take ─▶ one vote a viewer, the last ─▶ every 0.25 s: one call ─▶ streamer
                                                     every second: how does it stand? ◀─┘

A thousand viewers who vote at once cost the streamer a few calls, and the bot no reply.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, Protocol, runtime_checkable

from bot.client import Client
from bot.errors import ApiDown, ApiRefused
from bot.messages import Line
from bot.poll import Poll
from bot.replies import Replies
from viewer_text.clean import clean_name, quote

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""From one look at the streamer's poll to the next."""
SEND_S = 0.25
"""From one batch of votes to the next."""
WAITING = 20_000
"""Viewers whose votes may wait to be sent; when full: further viewers' votes are let go, and counted."""
BATCH, BATCH_BYTES = 400, 14_000
"""Votes in one call, and how long it may get: the streamer takes 16 kB."""

Say = Callable[[str], Coroutine[Any, Any, None]]
"""Says something to all."""


class Elsewhere(Protocol):
    """A place with polls of its own, such as Twitch, where viewers vote instead of typing."""

    name: str
    """As in ``Line.source``."""

    async def begin(self, poll: Poll) -> bool:
        """Open a poll there, or find the one that is open; False if that cannot be. Never raises."""
        ...

    async def look(self) -> tuple[tuple[int, ...] | None, bool]:
        """The votes of each choice now, None if they are not known, and whether it was ended there early. Never raises."""
        ...

    async def end(self, *, cancelled: bool) -> tuple[int, ...] | None:
        """Close it; returns the votes of each choice if they are known. Never raises."""
        ...


@runtime_checkable
class HoldsPolls(Protocol):
    """An adapter to a chat with polls of its own."""

    @property
    def polls(self) -> Elsewhere | None:
        """Those polls; None where they are not wanted."""
        ...


class Polls:
    """Hears votes and tells of polls. For one event loop."""

    def __init__(
        self,
        client: Client,
        replies: Replies,
        say: Say,
        elsewhere: Elsewhere | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._replies, self._say, self._elsewhere, self._clock = client, replies, say, elsewhere, clock
        self._poll: Poll | None = None
        self._told: str = ""
        """The poll whose beginning has been told, by id."""
        self._votes: dict[str, int] = {}
        """What waits to be sent: viewers, the one who voted last at the end."""
        self._source = ""
        self._there = False
        """Whether the poll is held elsewhere, so that lines of that chat are no votes."""
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        """Who holds it may open, follow or end a poll: looks and moderators' orders come one by one."""
        self._sending = asyncio.Lock()
        """Held while a batch is under way, so that no later vote overtakes it."""
        self._speaking: set[asyncio.Task[None]] = set()
        self._complained = ""
        """The poll whose votes were not taken, as the log was told, by id."""
        self.taken = self.lost = 0
        """Votes heard, and of those, votes that found too many waiting."""

    @property
    def now(self) -> Poll | None:
        """The poll as the streamer last told it."""
        return self._poll

    def take(self, line: Line, words: str) -> bool:
        """Take a line for a vote if it is one; never blocks."""
        poll = self._poll
        if poll is None or not poll.open or line.redemption_id or line.bits or (choice := poll.choice_of(words)) is None:
            return False
        if self._there and self._elsewhere is not None and line.source == self._elsewhere.name:
            return True
        user = clean_name(line.user)
        if user:
            self.taken += 1
            self._votes.pop(user, None)
            if len(self._votes) < WAITING:
                self._votes[user] = choice
                self._source = line.source
                self._news.set()
            else:
                self.lost += 1
        return True

    async def run(self) -> NoReturn:
        """Send votes and look after the poll until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send_all())
                while True:
                    await self.look()
                    await asyncio.sleep(LOOK_S)
        finally:
            for task in self._speaking:
                task.cancel()
            await asyncio.gather(*self._speaking, return_exceptions=True)
        raise AssertionError("runs until cancelled")

    async def begin(self, user: str, text: str, seconds: float | None) -> Poll:
        """Open a poll; raises as the client does."""
        async with self._turn:
            poll = await self._client.begin_poll(user, text, seconds)
            self._told = poll.id
            await self._enter(poll)
            return poll

    async def end(self, *, cancel: bool) -> Poll:
        """End the poll, with all votes heard so far; raises as the client does."""
        async with self._turn:
            await self.send()
            if self._there and self._elsewhere is not None and self._poll is not None and self._poll.open:
                await self._bring(self._poll, await self._elsewhere.end(cancelled=cancel))
                self._there = False
            self._poll = poll = await self._client.end_poll(cancel)
            return poll

    async def look(self) -> None:
        """See how the poll stands, and tell what is new; never raises."""
        try:
            async with self._turn:
                poll, before = await self._client.poll(), self._poll
                if poll is None or before is None or poll.id != before.id:
                    await self._leave(before)
                    await self._enter(poll)
                elif before.open and not poll.open:
                    await self._close(poll)
                elif before.open:
                    self._poll = poll
                await self._follow()
        except (ApiDown, ApiRefused) as error:  # the streamer is away, or an older one: the client has told the log
            log.debug("no poll is told: %s", error)
        except Exception:
            log.exception("the poll could not be looked after")

    async def _enter(self, poll: Poll | None) -> None:
        """A poll is there that was not."""
        self._poll, self._there = poll, False
        self._votes.clear()
        if poll is None or not poll.open:
            return
        if not poll.user:
            return  # one that begins by itself is not announced: it comes again and again, and stands in the picture
        if self._elsewhere is not None:
            self._there = await self._elsewhere.begin(poll)
            if self._there:
                self._votes.clear()  # whoever was quick may vote there, too
                await self._bring(poll, (0,) * len(poll.choices))
        if poll.id != self._told:
            self._told = poll.id
            self._speak(self.opened(poll))

    async def _leave(self, before: Poll | None) -> None:
        """The streamer knows a poll no more; if it was open, the streamer was started anew."""
        if before is None or not before.open:
            return
        if self._there and self._elsewhere is not None:
            await self._elsewhere.end(cancelled=True)
        if before.user:
            self._speak(self._replies.say("poll_cancelled"))

    def _speak(self, text: str) -> None:
        """Say something to all, without waiting for the throttle."""
        task = asyncio.ensure_future(self._say(text))
        self._speaking.add(task)
        task.add_done_callback(self._speaking.discard)

    async def _close(self, poll: Poll) -> None:
        """The poll has ended by itself, or on a page."""
        self._poll = poll
        self._votes.clear()
        if self._there and self._elsewhere is not None:
            await self._elsewhere.end(cancelled=poll.state == "cancelled")
            self._there = False
        if poll.user:
            self._speak(self.result(poll))

    async def _follow(self) -> None:
        """Bring the votes that are cast elsewhere."""
        poll = self._poll
        if poll is None or not poll.open or not self._there or self._elsewhere is None:
            return
        counts, ended = await self._elsewhere.look()
        await self._bring(poll, counts)
        if ended:
            self._there = False
            await self._close(await self._client.end_poll(cancel=counts is None))

    async def _bring(self, poll: Poll, counts: tuple[int, ...] | None) -> None:
        if counts is None or self._elsewhere is None:
            return
        try:
            await self._client.count_votes(self._elsewhere.name, counts, poll.id)
        except (ApiDown, ApiRefused) as error:  # over meanwhile, or the next look brings them
            log.debug("votes from elsewhere were not taken: %s", error)

    async def _send_all(self) -> NoReturn:
        while True:
            await self._news.wait()
            try:
                await self.send()
            except Exception:
                log.exception("votes could not be sent")
            await asyncio.sleep(SEND_S)

    async def send(self) -> None:
        """Send the votes that wait; those that the streamer cannot take now wait on."""
        async with self._sending:
            self._news.clear()
            poll, votes, self._votes = self._poll, self._votes, {}
            if poll is None:
                return
            waiting = list(votes.items())
            while waiting:
                batch = waiting[: _fitting(waiting)]
                try:
                    told = await self._client.vote(batch, self._source, poll.id)
                except (ApiDown, ApiRefused) as error:
                    if isinstance(error, ApiRefused) and error.status not in (429, 503):
                        self._not_taken(poll, len(waiting), error)
                    elif self._poll is not None and self._poll.id == poll.id:
                        self._votes = {**dict(waiting), **self._votes}  # their viewers may have voted again
                        self._news.set()
                    return
                waiting = waiting[len(batch) :]
                if self._poll is not None and self._poll.open and self._poll.id == told.id:
                    self._poll = told

    def _not_taken(self, poll: Poll, count: int, refused: ApiRefused) -> None:
        if refused.status == 404:
            log.debug("%d votes came too late", count)
        elif self._complained != poll.id:
            self._complained = poll.id
            log.warning("the streamer does not take the chat's votes: %s", quote(refused.message))

    # Words

    def opened(self, poll: Poll, user: str = "") -> str:
        """What is said when a poll begins."""
        return self._replies.say(
            "poll_elsewhere" if self._there else "poll_opened", user, list=_list(poll), seconds=f"{poll.left_s:.0f} s"
        )

    def standing(self, poll: Poll, user: str = "") -> str:
        """How a poll stands."""
        if not poll.open:
            return self.result(poll, user)
        counted = ", ".join(f"{choice.number} {quote(choice.title)}: {choice.votes}" for choice in poll.choices)
        return self._replies.say("poll_standing", user, list=counted, seconds=f"{poll.left_s:.0f} s")

    def result(self, poll: Poll, user: str = "") -> str:
        """What came of a poll."""
        if poll.state == "cancelled":
            return self._replies.say("poll_cancelled", user)
        won = next((choice for choice in poll.choices if choice.number == poll.winner), None)
        if won is None:
            return self._replies.say("poll_empty", user)
        key = "poll_tied" if poll.tied else "poll_won"
        return self._replies.say(key, user, what=quote(won.title), votes=won.votes, count=poll.votes)


def _list(poll: Poll) -> str:
    return ", ".join(f"{choice.number} {quote(choice.title)}" for choice in poll.choices)


def _fitting(votes: list[tuple[str, int]]) -> int:
    """How many of some votes go into one call; at least one."""
    size = 200
    for count, (user, _) in enumerate(votes[:BATCH]):
        size += len(json.dumps(user)) + 6
        if size > BATCH_BYTES and count:
            return count
    return min(len(votes), BATCH)
