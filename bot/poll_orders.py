"""The commands about polls: the line and the words behind the command in, the reply out."""

from __future__ import annotations

import re

from bot.errors import ApiRefused
from bot.messages import Line
from bot.polls import Polls
from bot.replies import Replies
from viewer_text.clean import clean_name, quote

CANCEL = frozenset({"cancel", "stop", "off"})
_SECONDS = re.compile(r"(\d{1,5})\s*(?:s|sec|seconds?)\b[\s,:]*", re.IGNORECASE)
"""How long it is to be open, in front of the choices."""


class PollOrders:
    """One method a command; refusals that are not expected here are the desk's to explain."""

    def __init__(self, polls: Polls, replies: Replies) -> None:
        self._polls, self._replies = polls, replies

    async def poll(self, line: Line, words: str) -> str | None:
        """Begin a poll between ``fox / pizza / castle``, as ``30s fox / pizza`` for 30 s; alone, tell how it stands."""
        if not words:
            poll = self._polls.now
            return self._replies.say("poll_none", line.user) if poll is None else self._polls.standing(poll, line.user)
        if not line.role.moderates:
            return None
        if words.casefold() in CANCEL:
            return await self.endpoll(line, "cancel")
        seconds = None
        if timed := _SECONDS.match(words):
            seconds, words = float(timed[1]), words[timed.end() :]
        try:
            poll = await self._polls.begin(clean_name(line.user) or "a moderator", words, seconds)
        except ApiRefused as refused:
            if refused.code == "duplicate":
                return self._replies.say("poll_running", line.user)
            if refused.code == "bad_input":
                return self._replies.say("poll_usage", line.user, message=quote(refused.message))
            raise
        return self._polls.opened(poll, line.user)

    async def endpoll(self, line: Line, words: str) -> str:
        """End the poll now, with whoever leads; ``cancel``: for nothing."""
        try:
            poll = await self._polls.end(cancel=words.casefold() in CANCEL)
        except ApiRefused as refused:
            if refused.status == 404:
                return self._replies.say("poll_none", line.user)
            raise
        return self._polls.result(poll, line.user)

    async def vote(self, line: Line, words: str) -> str | None:
        """A vote for what there is not; real ones never come here."""
        poll = self._polls.now
        if poll is None or not poll.open:
            return self._replies.say("poll_none", line.user)
        return self._polls.standing(poll, line.user)
