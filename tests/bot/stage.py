"""The bot's command handler with a real streamer: director, queue, rules, vocabulary and web server as in the program."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from bot.adapter import Adapter, ChatConnection, ChatLine, ConnectionState, LineReceiver
from bot.all_replies import ALL_REPLIES
from bot.chat_polls import ChatPolls
from bot.client import Client
from bot.command_handler import CommandHandler
from bot.config import ChatConfig
from bot.replies import Replies
from shared.role import Role
from tests.fakes import HandClock
from tests.web.real import RealStage

EVERYONE, MODERATOR = Role.EVERYONE, Role.MODERATOR


async def answer(handler: CommandHandler, line: ChatLine) -> str | None:
    """Return a handler's answer to a line, parsed as in the dispatcher."""
    invocation = handler.parser(line)
    return None if invocation is None else await handler.handle(line, invocation)


class Stage:
    """A streamer and the bot's command handler."""

    def __init__(self, real: RealStage, client: Client, chat: ChatConfig) -> None:
        self.real, self.client = real, client
        self.clock = HandClock()
        self.announced: list[str] = []
        """Texts said to everyone."""
        replies = Replies(chat, Random(1))
        self.polls = ChatPolls(client, replies, self._announce)
        self.handler = CommandHandler(client, replies, chat, self.polls, self.clock)
        self._count = 0

    def line(self, user: str, text: str, role: Role = EVERYONE, **more: Any) -> ChatLine:
        self._count += 1
        return ChatLine(f"m{self._count}", user, user.casefold(), text, role, "irc", **more)

    async def _announce(self, text: str) -> None:
        self.announced.append(text)

    async def say(self, user: str, text: str, role: Role = EVERYONE, **more: Any) -> str | None:
        """Return the bot's answer."""
        return await answer(self.handler, self.line(user, text, role, **more))

    async def tell(self, text: str) -> str:
        """Return the bot's answer to the moderator, who always gets one."""
        reply = await self.say("mod", text, MODERATOR)
        assert reply is not None, text
        return reply

    @property
    def waiting(self) -> list[str]:
        return self.real.titles()


def keyed(**chat: Any) -> ChatConfig:
    """Return settings that begin each reply with its key, so that tests can tell replies apart."""
    values = {
        key: tuple(f"{key}| {text}" for text in said.templates)
        for key, said in ALL_REPLIES.items()
        if not key.startswith(("place", "wait_", "top_", "left_", "corners", "entr", "or", "note", "page_"))
    } | {"waiting_already": ("waiting_already| {what}: {place}, {wait}, {votes}",)}
    return ChatConfig.model_validate({"replies": values, **chat})


@asynccontextmanager
async def staged(chat: Mapping[str, Any] | None = None, token: str | None = None, **queue: Any) -> AsyncIterator[Stage]:
    """Run a streamer with these queue rules and a handler with these chat settings."""
    real = await asyncio.to_thread(lambda: RealStage(token, **queue))
    try:
        async with Client(real.server.url, token) as client:
            yield Stage(real, client, keyed(**(chat or {})))
    finally:
        await asyncio.to_thread(real.close)


def play(scene: Callable[[], Awaitable[None]]) -> None:
    """Run a test's scene."""

    async def within() -> None:
        await scene()

    asyncio.run(within())


class Chat(Adapter):
    """A chat in which the test speaks. It records the answers."""

    name = "irc"

    def __init__(self) -> None:
        self.hear: LineReceiver | None = None
        self.said: list[tuple[ChatLine | None, str]] = []
        self.connected: ConnectionState = "connected"
        self.ready = asyncio.Event()
        self.done = asyncio.Event()
        self.speaks = asyncio.Event()
        """While cleared, replies wait as they do for a throttle."""
        self.speaks.set()

    async def run(self, receive: LineReceiver) -> None:
        self.hear = receive
        self.ready.set()
        await self.done.wait()

    async def say(self, line: ChatLine | None, text: str) -> None:
        await self.speaks.wait()
        self.said.append((line, text))

    def state(self) -> ChatConnection:
        return ChatConnection(self.connected, "", "bot", "streamer")
