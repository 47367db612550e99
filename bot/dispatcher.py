"""Between a chat and the command handler: two bounded queues, moderators first, and each line once.

A chat may send a thousand lines a second. Lines that use no command are dropped at once; the others wait in one of two queues:

- the first: moderators' lines, redemptions and cheers, up to ``PAID_WAITING``; answered by a worker of their own;
- the second: all others, up to ``WAITING``, and up to ``EACH`` of one viewer; lines that may be just talk get in while it is
  less than half full.

A full queue drops and counts newcomers. The streamer is busy with the picture: it gets at most ``PER_S`` viewers' commands a
second, however fast the chat. Questions whose answers would come too late are not asked.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from bot.adapter import Adapter, ChatLine
from bot.chat_polls import ChatPolls
from bot.command_handler import CommandHandler
from bot.commands.vote import VOTE
from bot.errors import BotError
from bot.parser import Invocation

log = logging.getLogger(__name__)

WAITING = 256
PAID_WAITING = 64
EACH = 3
PER_S = 20.0
BURST = 20.0
"""Viewers' commands that may be answered at once before that pace applies."""
LONGEST_S = 0.1
"""Longest sleep while waiting for that pace."""
SEEN = 4096
"""Ids remembered, to recognise lines that are delivered again; the oldest are forgotten."""
SPEAKING = 64
"""Replies that may be sent or wait for the throttle at a time; beyond that, replies to viewers are dropped."""
BUSY = 24
"""Replies under way beyond which questions are not asked: the throttle drops later ones (``throttle.WAITING``)."""
TELL_S = 60.0
"""Seconds between two warnings about a flood."""


@dataclass(slots=True)
class Counters:
    """What became of the lines so far."""

    heard: int = 0
    commands: int = 0
    again: int = 0
    """Lines that had been delivered before."""
    dropped: int = 0
    """Commands that found their queue full."""
    unsaid: int = 0
    """Replies that were dropped."""


class Dispatcher:
    """Takes lines from an adapter, has commands answered, and gives the adapter the replies. For one event loop."""

    def __init__(
        self,
        handler: CommandHandler,
        adapter: Adapter,
        polls: ChatPolls,
        clock: Callable[[], float] = time.monotonic,
        per_s: float = PER_S,
    ) -> None:
        self._handler, self._adapter, self._polls = handler, adapter, polls
        self._clock, self._per_s = clock, per_s
        self.counters = Counters()
        self._heard_at_s: float | None = None
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._first: deque[tuple[ChatLine, Invocation]] = deque()
        self._others: deque[tuple[ChatLine, Invocation]] = deque()
        self._of_each: Counter[str] = Counter()
        self._first_news, self._others_news = asyncio.Event(), asyncio.Event()
        self._credit, self._credit_at_s = BURST, clock()
        self._speaking: set[asyncio.Task[None]] = set()
        self._under_way = 0
        """Lines being answered."""
        self._warned_s = clock() - TELL_S

    @property
    def heard_s(self) -> float | None:
        """Seconds since the last line, whatever it was; None before the first."""
        return None if self._heard_at_s is None else self._clock() - self._heard_at_s

    def receive(self, line: ChatLine) -> None:
        """Take a line; never blocks."""
        self.counters.heard += 1
        self._heard_at_s = self._clock()
        if line.id and self._known(line.id):
            self.counters.again += 1
            return
        paid = bool(line.redemption_id or line.reward_id or line.bits)
        invocation = self._handler.parser(line)
        if self._votes(line, invocation):
            return
        if invocation is None:
            if line.redemption_id:
                self._handler.drop(line)
            return
        self.counters.commands += 1
        if paid or line.role.moderates:
            if len(self._first) < PAID_WAITING:
                self._first.append((line, invocation))
                self._first_news.set()
                return
        elif len(self._others) < (WAITING // 2 if invocation.bare else WAITING) and self._of_each[_who(line)] < EACH:
            self._of_each[_who(line)] += 1
            self._others.append((line, invocation))
            self._others_news.set()
            return
        self._drop(line)

    def _votes(self, line: ChatLine, invocation: Invocation | None) -> bool:
        """Whether a line is a vote in the poll; votes do not wait here and are not answered."""
        typed = invocation if invocation is not None and not invocation.bare else None
        if typed is not None and typed.command is not VOTE:
            return False
        if not self._handler.parser.allows(VOTE.name, line.role):
            return False
        return self._polls.take(line, line.text if typed is None else typed.words)

    async def run(self) -> None:
        """Listen and answer until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._polls.run())
                tasks.create_task(self._answer_first())
                tasks.create_task(self._answer_others())
                await self._adapter.run(self.receive)
                await self.settle()
                raise _ChatEnded
        except* _ChatEnded:
            log.info("the chat has ended")
        finally:
            for task in self._speaking:
                task.cancel()
            await asyncio.gather(*self._speaking, return_exceptions=True)

    async def settle(self) -> None:
        """Wait until everything received so far is answered and said."""
        while self._first or self._others or self._under_way or self._speaking:
            await asyncio.sleep(0.01)
        await self._polls.send()

    async def _answer_first(self) -> None:
        while True:
            await self._first_news.wait()
            while self._first:
                await self._answer(*self._first.popleft())
            self._first_news.clear()

    async def _answer_others(self) -> None:
        while True:
            await self._others_news.wait()
            while self._others:
                line, invocation = self._others.popleft()
                self._of_each[_who(line)] -= 1
                if not self._of_each[_who(line)]:
                    del self._of_each[_who(line)]
                if invocation.command.is_question and len(self._speaking) >= BUSY:
                    self.counters.unsaid += 1
                    continue
                await self._answer(line, invocation, paced=True)
            self._others_news.clear()

    async def _pace(self) -> None:
        """Wait until one more of the viewers' commands may be answered."""
        while True:
            now_s = self._clock()
            self._credit = min(BURST, self._credit + (now_s - self._credit_at_s) * self._per_s)
            self._credit_at_s = now_s
            if self._credit >= 1:
                self._credit -= 1
                return
            await asyncio.sleep(min((1 - self._credit) / self._per_s, LONGEST_S))

    async def _answer(self, line: ChatLine, invocation: Invocation, *, paced: bool = False) -> None:
        self._under_way += 1
        try:
            if paced:
                await self._pace()
            reply = await self._handler.handle(line, invocation)
        finally:
            self._under_way -= 1
        if reply is None:
            return
        if len(self._speaking) >= SPEAKING and not line.role.moderates:
            self.counters.unsaid += 1
            return
        # The throttle may take a while; commands behind this one do not wait for it.
        task = asyncio.create_task(self._say(line, reply))
        self._speaking.add(task)
        task.add_done_callback(self._speaking.discard)

    async def _say(self, line: ChatLine, reply: str) -> None:
        try:
            await self._adapter.say(line, reply)
        except Exception:
            log.exception("a reply could not be said")

    def _known(self, line_id: str) -> bool:
        if line_id in self._seen:
            return True
        self._seen[line_id] = None
        if len(self._seen) > SEEN:
            self._seen.popitem(last=False)
        return False

    def _drop(self, line: ChatLine) -> None:
        self.counters.dropped += 1
        self._handler.drop(line)
        now_s = self._clock()
        if now_s - self._warned_s >= TELL_S:
            log.warning("chat is faster than the bot can answer; commands dropped so far: %d", self.counters.dropped)
            self._warned_s = now_s


class _ChatEnded(BotError):
    """The chat has ended."""


def _who(line: ChatLine) -> str:
    return line.user_id or line.user
