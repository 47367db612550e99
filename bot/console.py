"""A chat in the terminal, to try the bot without Twitch: typed lines are chat lines, replies are printed."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from bot.adapter import ChatConnection, ChatLine, LineReceiver
from shared.clean import clean_name
from shared.role import Role

HELP = "type as in chat; '/as NAME [everyone|subscriber|vip|moderator|broadcaster]' speaks as somebody else, Ctrl+D ends"


class Console:
    """The terminal as a chat with one viewer at a time."""

    name = "console"

    def __init__(
        self, lines: TextIO | None = None, show: Callable[[str], None] = print, user: str = "you", role: Role = Role.BROADCASTER
    ) -> None:
        """Args:
        lines: read to their end; standard input by default.
        show: prints a line.
        """
        self._lines = lines or sys.stdin
        self._show, self._user, self._role = show, user, role
        self._count = 0

    async def run(self, receive: LineReceiver) -> None:
        """Read lines until there are no more."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def read() -> None:
            # A thread, as reading from a terminal cannot be cancelled; a daemon, so that the bot can end without it.
            for text in self._lines:
                try:
                    loop.call_soon_threadsafe(self._take, text.rstrip("\r\n"), receive)
                except RuntimeError:  # the loop has ended
                    return
            try:
                loop.call_soon_threadsafe(ended.set)
            except RuntimeError:
                return

        self._show(HELP)
        threading.Thread(target=read, name="console", daemon=True).start()
        await ended.wait()

    def _take(self, text: str, receive: LineReceiver) -> None:
        words = text.split()
        if words and words[0] == "/as":
            self._speak_as(words[1:])
        elif words:
            self._count += 1
            line_id = f"console-{id(self):x}-{self._count}"
            receive(ChatLine(line_id, self._user, self._user.casefold(), text, self._role, self.name))

    def _speak_as(self, words: list[str]) -> None:
        role = words.pop().casefold() if len(words) > 1 and words[-1].casefold() in tuple(Role) else Role.EVERYONE
        name = clean_name(" ".join(words))
        if not name:
            self._show(HELP)
            return
        self._user, self._role = name, Role(role)
        self._show(f"you are {name}, {self._role}")

    async def say(self, line: ChatLine | None, text: str) -> None:
        """Print a reply."""
        self._show(f"@{clean_name(line.user)} {text}" if line else text)

    def state(self) -> ChatConnection:
        """Always connected."""
        return ChatConnection("connected", "a terminal", self.name)
