"""Bounded queues in front of the command handler: moderators first, nothing twice, floods dropped and counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.adapter import ChatLine
from bot.config import ChatConfig
from bot.dispatcher import BURST, BUSY, EACH, PAID_WAITING, SEEN, WAITING, Dispatcher
from bot.parser import Invocation, Parser
from shared.role import Role
from tests.bot.stage import Chat, play, staged


class SlowHandler:
    """A handler that answers when the test lets it, and records the order."""

    def __init__(self) -> None:
        self.parser = Parser(ChatConfig(bare_words=True))
        self.go = asyncio.Event()
        self.answered: list[str] = []
        self.dropped: list[str] = []

    async def handle(self, line: ChatLine, invocation: Invocation) -> str | None:
        await self.go.wait()
        self.answered.append(line.text)
        return f"yes, {line.user}"

    def drop(self, line: ChatLine) -> None:
        self.dropped.append(line.id)


class NoPolls:
    """Polls of which none is open."""

    def take(self, line: ChatLine, words: str) -> bool:
        return False

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def send(self) -> None:
        pass


class Scene:
    def __init__(self, handler: SlowHandler, chat: Chat, dispatcher: Dispatcher) -> None:
        self.handler, self.chat, self.dispatcher = handler, chat, dispatcher
        self._count = 0

    def hear(self, text: str, user: str = "", role: Role = Role.EVERYONE, line_id: str = "", **more: object) -> None:
        self._count += 1
        name = user or f"user{self._count}"
        assert self.chat.hear is not None
        self.chat.hear(ChatLine(line_id or str(self._count), name, name, text, role, "irc", **more))  # type: ignore[arg-type]


@asynccontextmanager
async def dispatching(per_s: float = 1e6) -> AsyncIterator[Scene]:
    handler, chat = SlowHandler(), Chat()
    dispatcher = Dispatcher(handler, chat, NoPolls(), per_s=per_s)  # type: ignore[arg-type]
    task = asyncio.create_task(dispatcher.run())
    await chat.ready.wait()
    yield Scene(handler, chat, dispatcher)
    handler.go.set()
    await dispatcher.settle()
    chat.done.set()
    await task


def test_lines_are_answered_to_who_spoke() -> None:
    async def scene() -> None:
        async with dispatching() as on:
            on.handler.go.set()
            on.hear("!dream volcano", "ann")
            on.hear("no command at all, Bob.", "bob")
            await on.dispatcher.settle()
            assert [(line and line.user, text) for line, text in on.chat.said] == [("ann", "yes, ann")]
            assert (on.dispatcher.counters.heard, on.dispatcher.counters.commands) == (2, 1)

    play(scene)


def test_a_line_that_comes_again_is_answered_once() -> None:
    async def scene() -> None:
        async with dispatching() as on:
            for _ in range(3):
                on.hear("!dream volcano", line_id="same")
            on.handler.go.set()
            await on.dispatcher.settle()
            assert on.handler.answered == ["!dream volcano"]
            assert on.dispatcher.counters.again == 2

    play(scene)


@pytest.mark.logs("chat is faster than the bot can answer")
def test_a_flood_is_bounded_and_moderators_pass_it() -> None:
    async def scene() -> None:
        async with dispatching() as on:
            on.hear("!dream first")
            await asyncio.sleep(0)
            for number in range(20_000):
                on.hear(f"!dream {number}")
            assert on.dispatcher.counters.dropped >= 20_000 - WAITING
            assert len(on.dispatcher._others) <= WAITING
            assert len(on.dispatcher._seen) <= SEEN
            on.hear("!skip", "mod", Role.MODERATOR)
            on.hear("Cheer100 !dream cheered", bits=100)
            on.handler.go.set()
            await on.dispatcher.settle()
            assert on.handler.answered.index("!skip") <= 2
            assert on.handler.answered.index("Cheer100 !dream cheered") <= 3
            assert len(on.handler.answered) == WAITING + 3

    play(scene)


@pytest.mark.logs("chat is faster than the bot can answer")
def test_one_viewer_does_not_fill_the_line() -> None:
    async def scene() -> None:
        async with dispatching() as on:
            on.hear("!dream first", "zoe")
            await asyncio.sleep(0.01)
            for number in range(100):
                on.hear(f"!dream {number}", "ann")
            on.hear("!dream pizza", "bob")
            on.handler.go.set()
            await on.dispatcher.settle()
            assert len(on.handler.answered) == EACH + 2
            on.hear("!dream again", "ann")
            await on.dispatcher.settle()
            assert on.handler.answered[-1] == "!dream again"

    play(scene)


def test_viewers_commands_come_to_the_streamer_at_a_pace_and_moderators_at_once() -> None:
    async def scene() -> None:
        async with dispatching(per_s=1e-6) as on:
            on.handler.go.set()
            for number in range(int(BURST) + 5):
                on.hear(f"!dream {number}")
            on.hear("!skip", "mod", Role.MODERATOR)
            while len(on.handler.answered) < BURST + 1:
                await asyncio.sleep(0)
            for _ in range(50):
                await asyncio.sleep(0)
            assert len(on.handler.answered) == BURST + 1
            on.dispatcher._per_s = 1e6

    play(scene)


def test_questions_are_not_asked_when_answers_are_not_said() -> None:
    async def scene() -> None:
        async with dispatching() as on:
            on.handler.go.set()
            on.chat.speaks.clear()
            for number in range(BUSY):
                on.hear(f"!dream {number}")
            while len(on.dispatcher._speaking) < BUSY:
                await asyncio.sleep(0)
            on.hear("!queue")
            on.hear("!dream pizza")
            on.hear("!now", "mod", Role.MODERATOR)
            while "!dream pizza" not in on.handler.answered:
                await asyncio.sleep(0)
            assert "!queue" not in on.handler.answered
            assert "!now" in on.handler.answered
            assert on.dispatcher.counters.unsaid == 1
            on.chat.speaks.set()

    play(scene)


@pytest.mark.logs("chat is faster than the bot can answer")
def test_talk_leaves_room_for_commands() -> None:
    async def scene() -> None:
        async with dispatching() as on:
            for number in range(1000):
                on.hear(f"talk {number}")
            assert len(on.dispatcher._others) == WAITING // 2
            on.hear("!dream volcano")
            assert on.dispatcher._others[-1][0].text == "!dream volcano"

    play(scene)


@pytest.mark.logs("chat is faster than the bot can answer")
def test_points_of_lines_that_are_let_go_are_given_back() -> None:
    async def scene() -> None:
        async with dispatching() as on:
            for number in range(PAID_WAITING + 10):
                on.hear("volcano", line_id=f"r{number}", reward_id="r", redemption_id=f"x{number}")
            assert on.handler.dropped == [f"r{number}" for number in range(PAID_WAITING, PAID_WAITING + 10)]

    play(scene)


def test_with_a_real_streamer_behind_it() -> None:
    async def scene() -> None:
        async with staged() as stage:
            chat = Chat()
            task = asyncio.create_task(Dispatcher(stage.handler, chat, stage.polls).run())
            await chat.ready.wait()
            assert chat.hear is not None
            for user, text in (("ann", "!dream volcano"), ("bob", "hello"), ("cid", "!dream goldfish"), ("dan", "!queue")):
                chat.hear(stage.line(user, text))
            chat.hear(stage.line("mod", "!bump", Role.MODERATOR))
            chat.done.set()
            await task
            assert stage.waiting == ["volcano", "goldfish"]
            assert len(chat.said) == 4
            assert stage.real.dream.bumped == 1

    play(scene)
