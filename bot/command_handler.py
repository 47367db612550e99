"""Runs chat commands: cooldowns, the command's handler, and what to say when the streamer refuses or is away.

Never raises, and never repeats an error's own text in chat.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from bot.adapter import ChatLine
from bot.chat_polls import ChatPolls
from bot.client import Client
from bot.commands.command import NAMELESS, CommandContext, WrongArguments
from bot.config import ChatConfig
from bot.errors import ApiDown, ApiRefused
from bot.parser import Invocation, Parser
from bot.replies import Replies
from shared.clean import clean_name, echo, quote

log = logging.getLogger(__name__)

QUIET_S = 10.0
"""Seconds in which viewers are told once that nothing works, not each of them."""
EXAMPLES = ("king penguin", "umbrella", "jellyfish", "ladybug", "goldfish", "orange", "lion", "candle")
"""Subjects that every network knows: examples until the streamer has given its own."""
FRESH_S = 30.0
"""Seconds for which the streamer's examples are used before it is asked again."""
MEANING_S = 600.0
"""Seconds for which a bare word that means nothing is remembered."""
COOLDOWNS = 4096
"""Cooldowns remembered; when there are more, the one that began first is forgotten."""

Settle = Callable[[ChatLine, int | None], None]
"""As ``SettlesRedemptions.settled``."""


class Cooldowns:
    """Times until which things may not be done again, by name."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` gives monotonic seconds."""
        self._clock = clock
        self._over_at: OrderedDict[str, float] = OrderedDict()

    def left_s(self, name: str) -> float:
        """Seconds until it may be done again; 0 when it may now."""
        return max(0.0, self._over_at.get(name, 0.0) - self._clock())

    def take(self, seconds: Mapping[str, float]) -> float:
        """Do something that has cooldowns of so many seconds under some names.

        Returns:
            0 when it may be done now: then all of them begin. Else the seconds until it may, and none begins.
        """
        if left_s := max((self.left_s(name) for name in seconds), default=0.0):
            return left_s
        now_s = self._clock()
        for name, each_s in seconds.items():
            if each_s > 0:
                self._over_at[name] = now_s + each_s
                self._over_at.move_to_end(name)
        while len(self._over_at) > COOLDOWNS:
            self._over_at.popitem(last=False)
        return 0.0


class CommandHandler:
    """Answers the commands of chat lines. For one event loop."""

    def __init__(
        self,
        client: Client,
        replies: Replies,
        config: ChatConfig,
        polls: ChatPolls,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock`` gives monotonic seconds."""
        self._client, self._replies, self._polls = client, replies, polls
        self._config = config
        self.parser = Parser(config)
        """Reads lines by the settings in force."""
        self.settle: Settle = lambda line, request_id: None
        """Told what became of lines with a redemption."""
        self._cooldowns = Cooldowns(clock)
        """Of commands."""
        self._repeats = Cooldowns(clock)
        """Of replies that are not repeated."""
        self._talk = Cooldowns(clock)
        """Of bare words that mean nothing."""
        self._fresh = Cooldowns(clock)
        """Of questions for the streamer's examples."""
        self._examples: tuple[str, ...] = EXAMPLES

    def configure(self, config: ChatConfig, layout: str) -> None:
        """Use other settings from the next line on; running cooldowns continue. ``layout`` as in ``Replies``."""
        self._config, self.parser = config, Parser(config)
        self._replies.configure(config, layout)

    async def handle(self, line: ChatLine, invocation: Invocation) -> str | None:
        """Run a command, as the parser read it from the line.

        Returns:
            The reply; None to say nothing, as while a cooldown lasts.
        """
        context = self._context(line)
        try:
            return await self._answer(context, invocation)
        except Exception:
            log.exception("a line of %s could not be answered", clean_name(line.user) or NAMELESS)
            return self._once("trouble", context)
        finally:
            self._settled(line, context.request_ids[0] if context.request_ids else None)

    def drop(self, line: ChatLine) -> None:
        """A line is not answered at all, because too many came."""
        self._settled(line, None)

    def _settled(self, line: ChatLine, request_id: int | None) -> None:
        if line.redemption_id is None:
            return
        try:
            self.settle(line, request_id)
        except Exception:
            log.exception("a redemption of %s was not settled", clean_name(line.user) or NAMELESS)

    def _context(self, line: ChatLine) -> CommandContext:
        usable, prefix = self.parser.usable(line.role), self._config.prefix
        return CommandContext(line, self._client, self._replies, self._polls, self._known_subjects, usable, prefix)

    async def _answer(self, context: CommandContext, invocation: Invocation) -> str | None:
        if invocation.bare:
            return await self._overhear(context, invocation)
        if wait_s := self._cooldown(context.line, invocation):
            told = invocation.command.announces_cooldown
            return self._once("cooling", context, user_only=True, wait=self._replies.again(wait_s)) if told else None
        return await self._run(context, invocation)

    async def _run(self, context: CommandContext, invocation: Invocation) -> str | None:
        try:
            return await invocation.command.run(context, invocation.command.parse(invocation.words))
        except WrongArguments as wrong:
            return context.say(wrong.reply)
        except ApiDown:
            return self._once("offline", context)
        except ApiRefused as refused:
            return await self._refused(context, refused, invocation.words)

    def _cooldown(self, line: ChatLine, invocation: Invocation) -> float:
        """Seconds until a command may be used again; 0 when it may now, which begins its cooldown."""
        if line.role.moderates or line.redemption_id is not None or line.bits:
            return 0.0
        name = invocation.command.name
        settings = self._config.commands.of(name)
        return self._cooldowns.take(
            {name: settings.cooldown_s, f"{name} {line.user_id or line.user}": settings.user_cooldown_s}
        )

    def _once(self, key: str, context: CommandContext, *, user_only: bool = False, **values: object) -> str | None:
        """Say something, but not again and again: once in a while to all viewers, or to this one; always to moderators."""
        line = context.line
        what = f"{key} {line.user_id or line.user}" if user_only else key
        return context.say(key, **values) if line.role.moderates or self._repeats.take({what: QUIET_S}) == 0 else None

    async def _known_subjects(self) -> tuple[str, ...]:
        """Subjects to give as examples: the streamer's, or the last that it gave."""
        if self._fresh.take({"examples": FRESH_S}) == 0:
            try:
                self._examples = await self._client.examples() or self._examples
            except (ApiDown, ApiRefused) as error:  # an older streamer has none
                log.debug("the streamer gives no examples: %s", error)
        return self._examples

    async def _overhear(self, context: CommandContext, invocation: Invocation) -> str | None:
        """A message that may be the name of something: a request if it is one exactly, else just talk."""
        words = invocation.words.casefold()
        if self._talk.left_s(words):
            return None
        try:
            if (await self._client.match(invocation.words, context.line.role)).exact:
                if self._cooldown(context.line, invocation):
                    return None
                return await invocation.command.run(context, invocation.command.parse(invocation.words))
        except ApiRefused as refused:
            if refused.code != "unknown_word":
                return None  # closed, a limit, a block: it may not have been meant for us
        except ApiDown:
            return None
        self._talk.take({words: MEANING_S})
        return None

    async def _refused(self, context: CommandContext, refused: ApiRefused, words: str) -> str | None:
        """What to say when the streamer says no."""
        replies = self._replies
        match refused.code:
            case "unknown_word":
                heard = echo(words) or "that"
                if near := refused.suggestions[:3]:
                    return context.say("unknown_near", heard=heard, near=replies.choices(near))
                return context.say("unknown", heard=heard)
            case "unlearnt":
                what = echo(str(refused.body.get("label") or words)) or "that"
                offered = replies.choices(refused.suggestions[:3] or (await self._known_subjects())[:3])
                return context.say("unlearnt", what=what, count=int(refused.number("known") or 0), near=offered)
            case "limit" | "cooldown":
                wait = replies.again(refused.number("retry_s"))
                return context.say("limited", message=quote(refused.message), wait=wait)
            case "loading":
                return context.say("loading", wait=replies.again(refused.number("retry_s")))
            case "blocked":
                return context.say("blocked")
            case "closed":
                return context.say("closed")
            case "busy":
                return self._once("busy", context)
            case "duplicate":
                return None
            case "bad_input" | "not_found" | "forbidden":
                return context.say("refused", message=quote(refused.message))
        log.error(
            "the streamer refused a call of the bot with %d %s: %s%s",
            refused.status,
            refused.code,
            quote(refused.message),
            "; give the bot the streamer's web.token" if refused.status == 401 else "",
        )
        return self._once("trouble", context)
