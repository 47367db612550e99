"""The desk that chat comes to: a line in, the streamer called, a reply out. Never raises, never tells an error's words."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence

from bot.api_answers import AcceptedRequest, RequestChange, labels_of
from bot.client import Client, Priority
from bot.config import ChatConfig
from bot.cooldowns import Cooldowns
from bot.errors import ApiDown, ApiRefused
from bot.messages import Line
from bot.orders import Orders, nothing_on_air
from bot.parser import Parser
from bot.poll_orders import PollOrders
from bot.polls import Polls
from bot.replies import Replies
from viewer_text.clean import clean_name, echo, quote

log = logging.getLogger(__name__)

NAMELESS = "someone"
"""Who speaks when nothing readable is left of a name."""
LAYERS = 8
"""Layers that a list of them names, spread over the network."""
_LAYER_WORD = re.compile(r"layers?(?:\s+|$)", re.IGNORECASE)
"""Typed once more behind the command."""
LISTED = 5
"""Requests that a list of the queue names."""
QUIET_S = 10.0
"""Seconds in which viewers are told once that nothing works, not each of them."""
EXAMPLES = ("king penguin", "umbrella", "jellyfish", "ladybug", "goldfish", "orange", "lion", "candle")
"""Subjects that every network knows: examples until the streamer has told its own."""
FRESH_S = 30.0
"""Seconds for which the streamer's examples hold."""
MEANING_S = 600.0
"""Seconds for which it is remembered that a bare word means nothing."""
QUESTIONS = frozenset({"queue", "when", "now", "what", "help", "vote"})
"""Commands that only want an answer."""

Settle = Callable[[Line, int | None], None]
"""As ``Settles.settled``."""
Said = str | None


class ChatDesk:
    """Answers lines. For one event loop."""

    def __init__(
        self,
        client: Client,
        replies: Replies,
        config: ChatConfig,
        polls: Polls,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock`` gives monotonic seconds."""
        self._client, self._replies = client, replies
        self._heed(config)
        self.settle: Settle = lambda line, request_id: None
        """Told what became of lines with a redemption."""
        self._cooldowns, self._quiet, self._talk = Cooldowns(clock), Cooldowns(clock), Cooldowns(clock)
        """Of commands; of replies that are not to be repeated; of bare words that mean nothing."""
        self._examples: tuple[str, ...] = EXAMPLES
        self._fresh = Cooldowns(clock)
        """Of looks at the streamer's examples."""
        orders, poll_orders = Orders(client, replies), PollOrders(polls, replies)
        self._commands: dict[str, Callable[[Line, str], Awaitable[Said]]] = {
            "queue": self._queue,
            "when": self._when,
            "oops": self._oops,
            "now": self._now,
            "what": self._what,
            "clip": self._clip,
            "help": self._help,
            "voteskip": self._voteskip,
            "poll": poll_orders.poll,
            "vote": poll_orders.vote,
            "endpoll": poll_orders.endpoll,
            "skip": orders.skip,
            "clear": orders.clear,
            "remove": orders.remove,
            "promote": orders.promote,
            "pause": orders.pause,
            "open": orders.open,
            "close": orders.close,
            "block": orders.block,
            "unblock": orders.unblock,
            "hold": orders.hold,
            "zoom": orders.zoom,
            "bump": orders.bump,
        }

    def configure(self, config: ChatConfig, layout: str) -> None:
        """Go by other settings from the next line on; cooldowns that run go on. ``layout`` as ``Replies`` has it."""
        self._heed(config)
        self._replies.configure(config, layout)

    def _heed(self, config: ChatConfig) -> None:
        self._config, self._settings = config, dict(config.commands.items())
        self.parser = Parser(config)

    async def handle(self, line: Line) -> str | None:
        """The reply to a line; None to say nothing, as to talk, to other bots' commands and to what its speaker may not do."""
        taken: list[int] = []
        try:
            return await self._answer(line, taken)
        except Exception:
            log.exception("a line of %s could not be answered", clean_name(line.user) or NAMELESS)
            return self._once("trouble", line)
        finally:
            if line.redemption_id is not None:
                self._settled(line, taken[0] if taken else None)

    def changes(self, changes: Sequence[RequestChange]) -> list[str]:
        """What all are told of requests that are dreamt as something else than was answered."""
        return self._replies.changes(changes)

    def drop(self, line: Line) -> None:
        """A line is not answered at all, because too many came."""
        if line.redemption_id is not None:
            self._settled(line, None)

    def _settled(self, line: Line, request_id: int | None) -> None:
        try:
            self.settle(line, request_id)
        except Exception:
            log.exception("a redemption of %s was not settled", clean_name(line.user) or NAMELESS)

    async def _answer(self, line: Line, taken: list[int]) -> Said:
        command = self.parser(line)
        if command is None:
            return None
        if command.bare:
            return await self._overhear(line, command.words)
        if wait_s := self._cooldown(line, command.name):
            asks = command.name in ("dream", "random", "clip")
            return self._once("cooling", line, user_only=True, wait=self._replies.again(wait_s)) if asks else None
        try:
            if command.name == "dream":
                return (
                    await self._ask(line, command.words, taken=taken)
                    if command.words
                    else await self._urge("nothing_asked", line)
                )
            if command.name == "layer":
                return await self._layer(line, _LAYER_WORD.sub("", command.words, count=1), taken)
            if command.name == "random":
                return await self._ask(line, None, taken=taken)
            return await self._commands[command.name](line, command.words)
        except ApiDown:
            return self._once("offline", line)
        except ApiRefused as refused:
            return await self._refused(line, refused, command.words)

    def _cooldown(self, line: Line, name: str) -> float:
        """Seconds until a command may be used again; 0 when it may now, which begins its cooldown."""
        if line.role.moderates or line.redemption_id is not None or line.bits:
            return 0.0
        settings = self._settings[name]
        return self._cooldowns.take(
            {name: settings.cooldown_s, f"{name} {line.user_id or line.user}": settings.user_cooldown_s}
        )

    def _once(self, key: str, line: Line, *, user_only: bool = False, **values: object) -> Said:
        """Say something, but not again and again: once in a while to all viewers, or to this one; always to moderators."""
        what = f"{key} {line.user_id or line.user}" if user_only else key
        return self._say(key, line, **values) if line.role.moderates or self._quiet.take({what: QUIET_S}) == 0 else None

    def _say(self, key: str, line: Line, **values: object) -> str:
        return self._replies.say(key, line.user, **values)

    async def _urge(self, key: str, line: Line, **values: object) -> str:
        """Say something that has examples in it."""
        return self._say(key, line, **values, **self._replies.examples(await self._known()))

    async def _known(self) -> tuple[str, ...]:
        """Subjects to give as examples: the streamer's, or the last that it told."""
        if self._fresh.take({"examples": FRESH_S}) == 0:
            try:
                self._examples = await self._client.examples() or self._examples
            except (ApiDown, ApiRefused) as error:  # an older streamer tells none
                log.debug("the streamer tells no examples: %s", error)
        return self._examples

    # Requests

    async def _ask(self, line: Line, words: str | None, taken: list[int] | None = None) -> Said:
        """Ask for a dream; ``words`` of None is anything."""
        priority: Priority = "bits" if line.bits else "points" if line.reward_id else "none"
        try:
            receipt = await self._client.request(
                clean_name(line.user) or NAMELESS,
                words,
                message_id=line.id,
                role=line.role,
                source=line.source,
                priority=priority,
                amount=line.bits if priority == "bits" else 0,
            )
        except ApiRefused as refused:
            if refused.code == "duplicate":
                return await self._voted(line, refused)
            raise
        if taken is not None:
            taken.append(receipt.id)
        return self._taken(line, receipt, chosen=words is None)

    async def _layer(self, line: Line, name: str, taken: list[int]) -> Said:
        """Ask for a layer, or tell what there is."""
        if name:
            return await self._ask(line, f"layer {name}", taken=taken)
        names = await self._client.layers()
        if not names:
            return self._say("layers_none", line)
        whole = [name for name in names if "." not in name]
        some = whole[:: max(1, -(-len(whole) // LAYERS))]
        return self._say("layers", line, list=", ".join(map(quote, some)), count=len(names))

    def _taken(self, line: Line, receipt: AcceptedRequest, chosen: bool) -> str:
        note = "" if chosen else self._replies.note(receipt.note)
        what = " ".join(filter(None, (self._replies.subjects(receipt.labels), note)))
        key = "random" if chosen else "queued_next" if receipt.position <= 1 else "queued"
        place, wait = self._replies.place(receipt.position), self._replies.wait(receipt.eta_s)
        return self._say(key, line, what=what, place=place, wait=wait, id=receipt.id)

    async def _voted(self, line: Line, refused: ApiRefused) -> Said:
        """It waits already: that was a vote."""
        request_id, position = refused.number("id"), refused.number("position")
        title = refused.body.get("title")
        if not isinstance(title, str) and request_id is not None:
            _, title = await self._client.standing(int(request_id))
        if not isinstance(title, str) or position is None:  # the same message again, or it has just gone on air
            return None
        return self._say(
            "voted" if refused.body.get("voted") is True else "waiting_already",
            line,
            what=self._replies.subjects(labels_of(title)),
            place=self._replies.place(int(position)),
            wait=self._replies.wait(refused.number("eta_s")),
            votes=1 + int(refused.number("votes") or 0),
            id="" if request_id is None else int(request_id),
        )

    async def _overhear(self, line: Line, words: str) -> Said:
        """A message that may be just the name of something: taken if it is one exactly, else nothing was said to us."""
        if self._talk.left_s(words.casefold()):
            return None
        try:
            understood = await self._client.match(words, line.role)
            if understood.exact:
                return None if self._cooldown(line, "dream") else await self._ask(line, words)
        except ApiRefused as refused:
            if refused.code != "unknown_word":
                return None  # closed, a limit, a block: it may not have been meant for us
        except ApiDown:
            return None
        self._talk.take({words.casefold(): MEANING_S})
        return None

    async def _refused(self, line: Line, refused: ApiRefused, words: str) -> Said:
        """What to say when the streamer says no."""
        match refused.code:
            case "unknown_word":
                heard = echo(words) or "that"
                if near := refused.suggestions[:3]:
                    return self._say("unknown_near", line, heard=heard, near=self._replies.choices(near))
                return self._say("unknown", line, heard=heard)
            case "unlearnt":
                what = echo(str(refused.body.get("label") or words)) or "that"
                offered = self._replies.choices(refused.suggestions[:3] or (await self._known())[:3])
                return self._say("unlearnt", line, what=what, count=int(refused.number("known") or 0), near=offered)
            case "limit" | "cooldown":
                wait = self._replies.again(refused.number("retry_s"))
                return self._say("limited", line, message=quote(refused.message), wait=wait)
            case "loading":
                return self._say("loading", line, wait=self._replies.again(refused.number("retry_s")))
            case "blocked":
                return self._say("blocked", line)
            case "closed":
                return self._say("closed", line)
            case "busy":
                return self._once("busy", line)
            case "duplicate":
                return None
            case "bad_input" | "not_found" | "forbidden":
                return self._say("refused", line, message=quote(refused.message))
        log.error(
            "the streamer refused a call of the bot with %d %s: %s%s",
            refused.status,
            refused.code,
            quote(refused.message),
            "; give the bot the streamer's web.token" if refused.status == 401 else "",
        )
        return self._once("trouble", line)

    # Questions

    async def _queue(self, line: Line, words: str) -> Said:
        programme = await self._client.programme()
        if not programme.waiting:
            return await self._urge("queue_empty", line) if programme.open else self._say("closed", line)
        fill, count = self._replies.say, len(programme.waiting)
        entries = [
            fill("entry", what=quote(entry.title), name=clean_name(entry.user), id=entry.id)
            for entry in programme.waiting[:LISTED]
        ]
        if count > LISTED:
            entries.append(fill("entries_more", count=count - LISTED))
        return self._say("queue", line, list=", ".join(entries), count=count)

    async def _when(self, line: Line, words: str) -> Said:
        programme, name = await self._client.programme(), clean_name(line.user).casefold()
        for entry in programme.waiting:
            if entry.user.casefold() == name:
                place, wait = self._replies.place(entry.position), self._replies.wait(entry.eta_s)
                return self._say("when", line, what=self._replies.subjects(entry.labels), place=place, wait=wait, id=entry.id)
        on_air = programme.on_air
        if on_air is not None and on_air.user.casefold() == name:
            return self._say("when_on_air", line, what=self._replies.subjects(on_air.labels))
        return await self._urge("when_none", line)

    async def _oops(self, line: Line, words: str) -> Said:
        try:
            title = await self._client.oops(clean_name(line.user) or NAMELESS, line.source)
        except ApiRefused as refused:
            if refused.status == 404:
                return self._say("oops_none", line)
            raise
        return self._say("oops", line, what=self._replies.subjects(labels_of(title)))

    async def _now(self, line: Line, words: str) -> Said:
        on_air = (await self._client.programme()).on_air
        if on_air is None:
            return self._say("now_nothing", line)
        what = self._replies.subjects(on_air.labels)
        if not on_air.user:
            return self._say("now_wandering", line, what=what)
        return self._say("now", line, what=what, by=clean_name(on_air.user), wait=self._replies.wait(on_air.left_s))

    async def _what(self, line: Line, words: str) -> Said:
        if not words:
            return await self._urge("nothing_asked", line)
        understood = await self._client.match(words, line.role)
        what = " ".join(filter(None, (self._replies.subjects(understood.labels), self._replies.note(understood.note))))
        return self._say("match", line, heard=echo(words) or "that", what=what)

    async def _help(self, line: Line, words: str) -> Said:
        others = [name for name in self.parser.offered(line.role) if name not in ("dream", "help")]
        return await self._urge("help", line, commands=", ".join(f"{self._config.prefix}{name}" for name in others))

    async def _clip(self, line: Line, words: str) -> Said:
        try:
            clip = await self._client.clip(clean_name(line.user) or NAMELESS, line.source)
        except ApiRefused as refused:
            if refused.code in ("not_found", "closed"):
                return self._say("refused", line, message=quote(refused.message))
            raise
        what, link = self._replies.subjects(clip.labels), clip.url or self._replies.page(clip.path)
        if not clip.seconds:
            return self._say("clipped_picture", line, what=what, link=link)
        return self._say("clipped", line, what=what, link=link, seconds=f"{clip.seconds:.0f} s")

    async def _voteskip(self, line: Line, words: str) -> Said:
        try:
            vote = await self._client.voteskip(clean_name(line.user) or NAMELESS, line.source)
        except ApiRefused as refused:
            if refused.code == "closed":  # held by a moderator
                return self._say("refused", line, message=quote(refused.message))
            return nothing_on_air(self._replies, line, refused)
        if vote.skipped:
            return self._say("voteskip_done", line, votes=vote.votes)
        return self._say("voteskip", line, votes=vote.votes, needed=vote.needed, more=max(1, vote.needed - vote.votes))
