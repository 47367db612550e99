"""Twitch's own polls for the streamer's: opened over Helix, read every second, and ended with the streamer's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from bot.poll import Poll
from bot.twitch_client import SOURCE
from bot.twitch_errors import TWITCH_ERRORS, describe

if TYPE_CHECKING:
    import twitchio

    from bot.twitch_client import TwitchClient

log = logging.getLogger(__name__)

TITLE = "What shall it dream next?"
"""Of the poll; Twitch takes 60 characters."""
TITLE_LENGTH = 25
"""Characters of a choice."""
SECONDS = (15, 1800)
"""The shortest and the longest poll of Twitch's."""
EARLIER_S = 2
"""Twitch's poll ends this long before the streamer's, so that all votes are counted in time."""
ACTIVE, TERMINATED, COMPLETED = "ACTIVE", "TERMINATED", "COMPLETED"

Account = Callable[[], "tuple[TwitchClient, str, str]"]
"""Gives twitchio's client, the channel's user id, and why polls are impossible: empty when they are possible."""


class TwitchPolls:
    """One poll at a time; as ``bot.adapter.PlatformPolls``. When it does not work, the log says why once, and chat votes."""

    name = SOURCE

    def __init__(self, account: Account, call_s: float) -> None:
        """Args:
        account: asked at each call; raises ConnectionError while nobody is logged in.
        call_s: deadline of a call.
        """
        self._account, self._call_s = account, call_s
        self._poll: twitchio.Poll | None = None
        self._warned: set[str] = set()

    async def begin(self, poll: Poll) -> bool:
        """Open a poll, or continue the same one that an earlier run of the bot opened."""
        self._poll = None
        seconds = min(int(poll.left_s) - EARLIER_S, SECONDS[1])
        titles = titles_of(poll)
        try:
            client, channel_id, obstacle = self._account()
            if obstacle:
                self._warn(obstacle)
                return False
            channel = client.create_partialuser(channel_id)
            async with asyncio.timeout(self._call_s):
                latest = await channel.fetch_polls(first=1, max_results=1)
                if latest and latest[0].status == ACTIVE:
                    if [choice.title for choice in latest[0].choices] != titles:
                        self._warn("another poll is open on Twitch")
                        return False
                    self._poll = latest[0]
                    return True
                if seconds < SECONDS[0]:
                    self._warn(f"Twitch's polls take at least {SECONDS[0]} s, and this one has {seconds} s left")
                    return False
                self._poll = await channel.create_poll(title=TITLE, choices=titles, duration=seconds)
        except TWITCH_ERRORS as error:
            self._warn(describe(error))
            return False
        log.info("a poll is open on Twitch for %d s", seconds)
        return True

    async def read_votes(self) -> tuple[tuple[int, ...] | None, bool]:
        """The votes so far, and whether somebody ended the poll on Twitch; votes are None when it was deleted there."""
        if self._poll is None:
            return None, False
        try:
            client, channel_id, _ = self._account()
            async with asyncio.timeout(self._call_s):
                channel = client.create_partialuser(channel_id)
                found = await channel.fetch_polls(ids=[self._poll.id], first=1, max_results=1)
        except TWITCH_ERRORS as error:
            log.warning("the votes on Twitch are unknown for the moment: %s", describe(error))
            return None, False
        if not found:
            return None, False
        self._poll = found[0]
        if self._poll.status in (ACTIVE, COMPLETED):
            return counts_of(self._poll), False
        log.info("the poll was ended on Twitch (%s)", self._poll.status.lower())
        return (counts_of(self._poll) if self._poll.status == TERMINATED else None), True

    async def end(self, *, cancelled: bool) -> tuple[int, ...] | None:
        """End the poll on Twitch: its result stays visible for a while, a cancelled one disappears at once."""
        if self._poll is None:
            return None
        poll, self._poll = self._poll, None
        if poll.status != ACTIVE:
            return counts_of(poll)
        try:
            async with asyncio.timeout(self._call_s):
                return counts_of(await poll.end_poll(status="ARCHIVED" if cancelled else "TERMINATED"))
        except TWITCH_ERRORS as error:  # its time may have run out first
            log.info("the poll on Twitch was not ended: %s", describe(error))
            return None

    def _warn(self, why: str) -> None:
        if why not in self._warned:
            self._warned.add(why)
            log.warning("Twitch's own polls cannot be used, votes are counted in chat: %s", why)


def titles_of(poll: Poll) -> list[str]:
    """The choices as Twitch takes them: short, and none twice."""
    titles = [_cut(choice.title, TITLE_LENGTH) for choice in poll.choices]
    if len(set(titles)) < len(titles):
        titles = [_cut(f"{choice.number} {choice.title}", TITLE_LENGTH) for choice in poll.choices]
    return titles


def counts_of(poll: twitchio.Poll) -> tuple[int, ...]:
    """Votes of each choice, in order."""
    return tuple(choice.votes or 0 for choice in poll.choices)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
