"""Polls in chat: collects votes and sends them in batches, follows the streamer's poll, and announces start and result.

    lines ─▶ take ─▶ each viewer's last vote ─▶ every 0.25 s: one call ─▶ streamer
                                                every second: its poll ◀─┘

A thousand viewers who vote at once cost the streamer a few calls, and the bot no reply.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from bot.adapter import ChatLine, PlatformPolls
from bot.client import Client
from bot.errors import ApiDown, ApiRefused
from bot.poll import Poll
from bot.replies import Replies
from shared.clean import clean_name, quote

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Between two looks at the streamer's poll."""
SEND_S = 0.25
"""Between two batches of votes."""
WAITING = 20_000
"""Viewers whose votes may wait to be sent; when full, further viewers' votes are dropped and counted."""
BATCH, BATCH_BYTES = 400, 14_000
"""Votes and bytes in one call; the streamer takes 16 kB."""

Say = Callable[[str], Coroutine[Any, Any, None]]
"""Says something to all."""


class ChatPolls:
    """Collects votes and announces polls. For one event loop."""

    def __init__(
        self,
        client: Client,
        replies: Replies,
        say: Say,
        platform: PlatformPolls | None = None,
    ) -> None:
        self._client, self._replies, self._say, self._platform = client, replies, say, platform
        self._poll: Poll | None = None
        self._announced: str = ""
        """The id of the poll that was announced last."""
        self._votes: dict[str, int] = {}
        """Votes that wait to be sent, by viewer; the latest at the end."""
        self._source = ""
        self._on_platform = False
        """Whether the poll runs on the platform, so that lines of that chat are no votes."""
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        """Held to open, follow or end a poll: looks and moderators' commands come one by one."""
        self._sending = asyncio.Lock()
        """Held while a batch is sent, so that no later vote overtakes it."""
        self._speaking: set[asyncio.Task[None]] = set()
        self._refused_id = ""
        """The id of the poll whose votes the streamer last refused, so that the log says so once."""
        self.taken = self.lost = 0
        """Votes received, and how many of them were dropped."""

    @property
    def now(self) -> Poll | None:
        """The poll as the streamer last reported it."""
        return self._poll

    def take(self, line: ChatLine, words: str) -> bool:
        """Take a line as a vote when it is one; returns whether it is. Never blocks."""
        poll = self._poll
        if poll is None or not poll.open or line.redemption_id or line.bits or (choice := poll.choice_of(words)) is None:
            return False
        if self._on_platform and self._platform is not None and line.source == self._platform.name:
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
        """Send votes and follow the poll until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send_all())
                while True:
                    await self.refresh()
                    await asyncio.sleep(LOOK_S)
        finally:
            for task in self._speaking:
                task.cancel()
            await asyncio.gather(*self._speaking, return_exceptions=True)
        raise AssertionError("runs until cancelled")

    async def begin(self, user: str, text: str, seconds: float | None) -> Poll:
        """Open a poll; raises what the client raises."""
        async with self._turn:
            poll = await self._client.begin_poll(user, text, seconds)
            self._announced = poll.id
            await self._enter(poll)
            return poll

    async def end(self, *, cancel: bool) -> Poll:
        """End the poll, with all votes received so far; raises what the client raises."""
        async with self._turn:
            await self.send()
            if self._on_platform and self._platform is not None and self._poll is not None and self._poll.open:
                await self._report_counts(self._poll, await self._platform.end(cancelled=cancel))
                self._on_platform = False
            self._poll = poll = await self._client.end_poll(cancel)
            return poll

    async def refresh(self) -> None:
        """Read the streamer's poll, and announce what is new; never raises."""
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
        except (ApiDown, ApiRefused) as error:  # the streamer is away, or an older version: the client has logged it
            log.debug("the streamer reports no poll: %s", error)
        except Exception:
            log.exception("the poll could not be followed")

    async def _enter(self, poll: Poll | None) -> None:
        """The streamer has another poll, or none."""
        self._poll, self._on_platform = poll, False
        self._votes.clear()
        if poll is None or not poll.open:
            return
        if not poll.user:
            return  # one that opens by itself is not announced: it comes again and again, and is shown in the picture
        if self._platform is not None:
            self._on_platform = await self._platform.begin(poll)
            if self._on_platform:
                self._votes.clear()  # those who voted already can vote there
                await self._report_counts(poll, (0,) * len(poll.choices))
        if poll.id != self._announced:
            self._announced = poll.id
            self._speak(self.opened(poll))

    async def _leave(self, before: Poll | None) -> None:
        """The streamer no longer has a poll; when that was open, the streamer was restarted."""
        if before is None or not before.open:
            return
        if self._on_platform and self._platform is not None:
            await self._platform.end(cancelled=True)
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
        if self._on_platform and self._platform is not None:
            await self._platform.end(cancelled=poll.state == "cancelled")
            self._on_platform = False
        if poll.user:
            self._speak(self.result(poll))

    async def _follow(self) -> None:
        """Report the votes on the platform."""
        poll = self._poll
        if poll is None or not poll.open or not self._on_platform or self._platform is None:
            return
        counts, ended = await self._platform.read_votes()
        await self._report_counts(poll, counts)
        if ended:
            self._on_platform = False
            await self._close(await self._client.end_poll(cancel=counts is None))

    async def _report_counts(self, poll: Poll, counts: tuple[int, ...] | None) -> None:
        if counts is None or self._platform is None:
            return
        try:
            await self._client.count_votes(self._platform.name, counts, poll.id)
        except (ApiDown, ApiRefused) as error:  # the poll is over, or the next look reports them
            log.debug("the platform's votes were not taken: %s", error)

    async def _send_all(self) -> NoReturn:
        while True:
            await self._news.wait()
            try:
                await self.send()
            except Exception:
                log.exception("votes could not be sent")
            await asyncio.sleep(SEND_S)

    async def send(self) -> None:
        """Send the waiting votes; those that the streamer cannot take now keep waiting."""
        async with self._sending:
            self._news.clear()
            poll, votes, self._votes = self._poll, self._votes, {}
            if poll is None:
                return
            waiting = list(votes.items())
            while waiting:
                batch = waiting[: _fitting(waiting)]
                try:
                    latest = await self._client.vote(batch, self._source, poll.id)
                except (ApiDown, ApiRefused) as error:
                    if isinstance(error, ApiRefused) and error.status not in (429, 503):
                        self._not_taken(poll, len(waiting), error)
                    elif self._poll is not None and self._poll.id == poll.id:
                        self._votes = {**dict(waiting), **self._votes}  # their viewers may have voted again
                        self._news.set()
                    return
                waiting = waiting[len(batch) :]
                if self._poll is not None and self._poll.open and self._poll.id == latest.id:
                    self._poll = latest

    def _not_taken(self, poll: Poll, count: int, refused: ApiRefused) -> None:
        if refused.status == 404:
            log.debug("%d votes came too late", count)
        elif self._refused_id != poll.id:
            self._refused_id = poll.id
            log.warning("the streamer does not take the chat's votes: %s", quote(refused.message))

    # Replies

    def opened(self, poll: Poll, user: str = "") -> str:
        """The reply when a poll opens."""
        return self._replies.say(
            "poll_elsewhere" if self._on_platform else "poll_opened", user, list=_list(poll), seconds=f"{poll.left_s:.0f} s"
        )

    def standing(self, poll: Poll, user: str = "") -> str:
        """The reply on how a poll stands."""
        if not poll.open:
            return self.result(poll, user)
        counted = ", ".join(f"{choice.number} {quote(choice.title)}: {choice.votes}" for choice in poll.choices)
        return self._replies.say("poll_standing", user, list=counted, seconds=f"{poll.left_s:.0f} s")

    def result(self, poll: Poll, user: str = "") -> str:
        """The reply on a poll's result."""
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
