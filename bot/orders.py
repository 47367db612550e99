"""What moderators order, and what they are told; refusals that are not expected here are the desk's to explain."""

from __future__ import annotations

import math

from bot.api_answers import labels_of
from bot.client import Client
from bot.errors import ApiRefused
from bot.messages import Line
from bot.replies import Replies
from viewer_text.clean import clean_name, echo

OFF = frozenset({"off", "resume", "stop", "0", "false"})
ON = frozenset({"on", "1", "true"})


class Orders:
    """One method a command: the line and the words behind the command in, the reply out."""

    def __init__(self, client: Client, replies: Replies) -> None:
        self._client, self._replies = client, replies

    async def skip(self, line: Line, words: str) -> str:
        """Go on to the next dream."""
        try:
            await self._client.skip()
        except ApiRefused as refused:
            return nothing_on_air(self._replies, line, refused)
        return self._replies.say("skipped", line.user)

    async def clear(self, line: Line, words: str) -> str:
        """Empty the queue."""
        count = await self._client.clear()
        return self._replies.say("cleared", line.user, count=count) if count else self._replies.say("cleared_none", line.user)

    async def remove(self, line: Line, words: str) -> str:
        """Take out a viewer's requests, or ``#12``."""
        if not words:
            return self._replies.say("remove_usage", line.user)
        if (number := _request_id(words)) is not None and words.startswith("#"):
            try:
                await self._client.remove(number)
            except ApiRefused as refused:
                return self._not_waiting(line, refused, f"#{number}")
            return self._replies.say("removed", line.user, name=f"#{number}", count=1)
        name = clean_name(words.removeprefix("@"))
        count = await self._client.remove_user(name)
        return (
            self._replies.say("removed", line.user, name=echo(name), count=count)
            if count
            else self._replies.say("removed_none", line.user, name=echo(name))
        )

    async def promote(self, line: Line, words: str) -> str:
        """Put a request in front: ``12``, ``#12``, or a viewer's first."""
        number = _request_id(words)
        if number is None and words:
            name = clean_name(words.removeprefix("@")).casefold()
            own = [entry.id for entry in (await self._client.programme()).waiting if entry.user.casefold() == name]
            if not own:
                return self._replies.say("not_waiting", line.user, name=echo(name) or "that")
            number = own[0]
        if number is None:
            return self._replies.say("promote_usage", line.user)
        try:
            await self._client.promote(number)
            _, title = await self._client.standing(number)
        except ApiRefused as refused:
            return self._not_waiting(line, refused, f"#{number}")
        return self._replies.say("promoted", line.user, what=self._replies.subjects(labels_of(title)))

    def _not_waiting(self, line: Line, refused: ApiRefused, name: str) -> str:
        if refused.status == 404:
            return self._replies.say("not_waiting", line.user, name=name)
        raise refused

    async def pause(self, line: Line, words: str) -> str:
        """Hold what is on air, or go on: ``on``, ``off``, or the other of the two."""
        word = words.casefold()
        paused = False if word in OFF else True if word in ON else not (await self._client.programme()).paused
        await self._client.pause(paused)
        return self._replies.say("paused" if paused else "resumed", line.user)

    async def open(self, line: Line, words: str) -> str:
        """Take requests."""
        await self._client.rules(open=True)
        return self._replies.say("opened", line.user)

    async def close(self, line: Line, words: str) -> str:
        """Take none."""
        await self._client.rules(open=False)
        return self._replies.say("shut", line.user)

    async def block(self, line: Line, words: str) -> str:
        """Refuse a word, or ``@viewer``."""
        return await self._bar(line, words, blocked=True)

    async def unblock(self, line: Line, words: str) -> str:
        """Take a block back."""
        return await self._bar(line, words, blocked=False)

    async def _bar(self, line: Line, words: str, blocked: bool) -> str:
        value = words.removeprefix("@").strip()
        if not value:
            return self._replies.say("block_usage", line.user)
        kind = "user" if words.startswith("@") else "word"
        try:
            await self._client.block("user" if kind == "user" else "word", value, blocked)
        except ApiRefused as refused:
            if refused.status == 404:
                return self._replies.say("not_barred", line.user, name=echo(value) or "that")
            raise
        return self._replies.say("barred" if blocked else "unbarred", line.user, name=echo(value) or "that")

    async def hold(self, line: Line, words: str) -> str:
        """Set the seconds each dream stays."""
        if (seconds := _decimal(words.removesuffix("s"))) is None:
            return self._replies.say("hold_usage", line.user)
        await self._client.rules(hold_s=seconds)
        return self._replies.say("held", line.user, seconds=f"{seconds:g} s")

    async def zoom(self, line: Line, words: str) -> str:
        """Set the zoom factor per second."""
        if (speed := _decimal(words.removesuffix("x"))) is None:
            return self._replies.say("zoom_usage", line.user)
        await self._client.motion(speed)
        return self._replies.say("zoomed", line.user, speed=f"{speed:g}")

    async def bump(self, line: Line, words: str) -> str:
        """Shake the dream, or twist it."""
        await (self._client.twist() if words.casefold() == "twist" else self._client.bump())
        return self._replies.say("bumped", line.user)


def nothing_on_air(replies: Replies, line: Line, refused: ApiRefused) -> str:
    """The reply when there is nothing to skip; any other refusal is raised again."""
    if refused.status == 404:
        return replies.say("nothing_on_air", line.user)
    raise refused


def _request_id(words: str) -> int | None:
    digits = words.removeprefix("#")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None


def _decimal(words: str) -> float | None:
    """A number as people write it, with a point or a comma."""
    text = words.strip().replace(",", ".")
    if not text.isascii() or len(text) > 12 or "_" in text:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
