"""Twitch's chat without an account: anonymous IRC over a websocket, which can listen but not speak.

    socket ─ frames ─▶ LineSplitter ─ whole lines ─▶ IrcMessage ─ PRIVMSG of our channel ─▶ ChatLine

The lines follow RFC 1459 with IRCv3's tags; the tags say who the sender is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import aiohttp

from bot.adapter import ChatConnection, ChatLine, ConnectionState, LineReceiver
from bot.errors import BotError
from shared.role import Role

log = logging.getLogger(__name__)

URL = "wss://irc-ws.chat.twitch.tv:443"
MAX_LINE = 16 * 1024
"""Characters of a line; tags have up to 8191, the rest 512. Longer ones are skipped."""
DETAIL = "listening only: log an account in to answer and to see rewards (docs/chat.md)"


@dataclass(frozen=True, slots=True)
class IrcTimings:
    """Waits and deadlines, in seconds."""

    connect_s: float = 10.0
    """Deadline for connecting, and again for joining the channel."""
    silence_s: float = 60.0
    """Silence after which it sends a ping."""
    answer_s: float = 10.0
    """Deadline for the answer."""
    pause_s: tuple[float, float] = (1.0, 20.0)
    """Pause before connecting again: the first, and the longest; doubled each time, and shortened by up to half at random."""


@dataclass(frozen=True, slots=True)
class IrcMessage:
    """One line of IRC."""

    command: str
    params: tuple[str, ...] = ()
    """The last one may have spaces."""
    nick: str = ""
    """Who sent it; empty when a server did."""
    tags: Mapping[str, str] = field(default_factory=dict)


_ESCAPES = {":": ";", "s": " ", "r": "\r", "n": "\n", "\\": "\\"}
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_ACTION = re.compile(r"\x01ACTION (.*?)\x01?", re.DOTALL)


def parse(text: str) -> IrcMessage | None:
    """Read a line without its end; None if it holds no command."""
    tags: dict[str, str] = {}
    if text.startswith("@"):
        head, _, text = text[1:].partition(" ")
        for tag in head.split(";"):
            key, _, value = tag.partition("=")
            tags[key] = _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), value)
    text = text.lstrip(" ")
    prefix = ""
    if text.startswith(":"):
        prefix, _, text = text[1:].partition(" ")
    middle, colon, trailing = text.lstrip(" ").partition(" :")
    words = middle.split(" ")
    command, *params = [word for word in words if word] or [""]
    if not command:
        return None
    nick = prefix.partition("!")[0] if "!" in prefix else ""
    return IrcMessage(command.upper(), (*params, trailing) if colon else tuple(params), nick, tags)


def role_of(tags: Mapping[str, str]) -> Role:
    """The strongest role that a message's tags give its sender."""
    badges = {badge.partition("/")[0] for badge in tags.get("badges", "").split(",")}
    if "broadcaster" in badges:
        return Role.BROADCASTER
    if badges & {"moderator", "lead_moderator"} or tags.get("mod") == "1":
        return Role.MODERATOR
    if "vip" in badges or tags.get("vip") == "1":
        return Role.VIP
    if badges & {"subscriber", "founder"} or tags.get("subscriber") == "1":
        return Role.SUBSCRIBER
    return Role.EVERYONE


def line_of(message: IrcMessage, channel: str) -> ChatLine | None:
    """A message of that channel (in lower case) as a chat line; None for anything else.

    A reward's text is a message like any other here: without an account its points can be neither checked nor refunded.
    """
    if message.command != "PRIVMSG" or len(message.params) != 2 or not message.nick:
        return None
    target, text = message.params
    if target.lower() != f"#{channel}":
        return None
    if action := _ACTION.fullmatch(text):
        text = action[1]
    tags = message.tags
    if tags.get("source-room-id", tags.get("room-id")) != tags.get("room-id"):
        return None  # from another channel of a shared chat, which does not see this stream
    bits = tags.get("bits", "")
    return ChatLine(
        id=tags.get("id", ""),
        user=tags.get("display-name", "").strip() or message.nick,
        user_id=tags.get("user-id", "") or message.nick,
        text=text,
        role=role_of(tags),
        source="irc",
        bits=int(bits) if bits.isascii() and bits.isdigit() and len(bits) < 10 else 0,
    )


class LineSplitter:
    """Joins pieces into whole lines, however they are cut; keeps at most ``MAX_LINE`` characters."""

    def __init__(self) -> None:
        self._rest = ""
        self._skipping = False

    def feed(self, piece: str) -> Iterator[str]:
        """The lines that a piece completes, without their ends; empty ones are left out."""
        *ends, rest = piece.split("\n")
        for end in ends:
            if not self._skipping and len(self._rest) + len(end) <= MAX_LINE and (line := (self._rest + end).rstrip("\r")):
                yield line
            self._rest, self._skipping = "", False
        if self._skipping or len(self._rest) + len(rest) > MAX_LINE:
            self._rest, self._skipping = "", True
        else:
            self._rest += rest


class _Reconnect(BotError):
    """The server asked for it, or does not answer any more."""


class AnonymousIrc:
    """Listens to one channel; its state is ``read-only``."""

    name = "irc"

    def __init__(
        self,
        channel: str,
        url: str = URL,
        timings: IrcTimings | None = None,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._channel, self._url, self._t = channel.lower(), url, timings or IrcTimings()
        self._rng, self._clock = rng or random.Random(), clock
        self._state: ConnectionState = "connecting"
        self._detail = ""
        self._joined = False

    def state(self) -> ChatConnection:
        """How it is connected now."""
        return ChatConnection(self._state, self._detail, channel=self._channel)

    async def say(self, line: ChatLine | None, text: str) -> None:
        """Do nothing: without a login the bot cannot speak."""
        log.debug("unsaid: %s", text)

    async def run(self, receive: LineReceiver) -> NoReturn:
        """Listen until cancelled."""
        first_s, most_s = self._t.pause_s
        pause_s = first_s
        try:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=True) as session:
                while True:
                    self._joined = False
                    why = await self._listen(session, receive)
                    if self._joined:
                        pause_s = first_s
                    self._set("connecting", f"{why}; trying again")
                    await asyncio.sleep(pause_s * self._rng.uniform(0.5, 1.0))
                    pause_s = min(2 * pause_s, most_s)
        finally:
            self._set("offline")

    async def _listen(self, session: aiohttp.ClientSession, receive: LineReceiver) -> str:
        """Listen until the connection ends; returns why it ended."""
        try:
            async with asyncio.timeout(self._t.connect_s):
                socket = await session.ws_connect(self._url, max_msg_size=1 << 20, autoping=True)
        except TimeoutError:
            return "Twitch's chat took too long to answer"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"Twitch's chat cannot be reached: {_told(error)}"
        try:
            await self._join(socket)
            return await self._receive_from(socket, receive)
        except _Reconnect as error:
            return str(error)
        except (aiohttp.ClientError, OSError) as error:
            return f"the connection broke: {_told(error)}"
        finally:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1.0):
                    await socket.close()

    async def _join(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        for line in (
            "CAP REQ :twitch.tv/tags twitch.tv/commands",
            "PASS SCHMOOPIIE",
            f"NICK justinfan{self._rng.randrange(10_000, 100_000)}",
            f"JOIN #{self._channel}",
        ):
            await socket.send_str(f"{line}\r\n")

    async def _receive_from(self, socket: aiohttp.ClientWebSocketResponse, receive: LineReceiver) -> str:
        splitter, asked = LineSplitter(), False
        deadline_s = self._clock() + self._t.connect_s  # to have joined
        while True:
            wait_s = self._t.answer_s if asked else self._t.silence_s
            if not self._joined:
                wait_s = min(wait_s, deadline_s - self._clock())
                if wait_s <= 0:
                    raise _Reconnect(f"#{self._channel} could not be joined in time; is twitch.channel spelt right?")
            try:
                async with asyncio.timeout(wait_s):
                    frame = await socket.receive()
            except TimeoutError:
                if asked:
                    raise _Reconnect("Twitch's chat fell silent") from None
                if self._joined:
                    asked = True
                    await socket.send_str("PING :zoomdream\r\n")
                continue
            asked = False
            if frame.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                return f"Twitch's chat hung up (code {socket.close_code})" if socket.close_code else "Twitch's chat hung up"
            text = frame.data if isinstance(frame.data, str) else frame.data.decode("utf-8", "replace")
            for each in splitter.feed(text):
                if message := parse(each):
                    await self._take(socket, message, receive)

    async def _take(self, socket: aiohttp.ClientWebSocketResponse, message: IrcMessage, receive: LineReceiver) -> None:
        match message.command:
            case "PING":
                await socket.send_str(f"PONG :{message.params[-1] if message.params else ''}\r\n")
            case "RECONNECT":
                raise _Reconnect("Twitch asked to connect again")
            case "JOIN" | "366" | "ROOMSTATE" if self._channel in (param.lower().lstrip("#") for param in message.params):
                self._joined = True
                self._set("read-only", DETAIL)
            case "NOTICE":
                log.info("Twitch's chat says: %s", _told(message.params[-1] if message.params else ""))
            case "PRIVMSG":
                if line := line_of(message, self._channel):
                    receive(line)
            case _:
                pass

    def _set(self, state: ConnectionState, detail: str = "") -> None:
        if (state, detail) != (self._state, self._detail):
            level = logging.INFO if state != "connecting" or self._state == "connecting" else logging.WARNING
            log.log(level, "chat of %s: %s%s", self._channel, state, f" ({detail})" if detail else "")
            self._state, self._detail = state, detail


def _told(error: object) -> str:
    """Text from elsewhere, on one short line."""
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error.strerror or error.os_error
    text = "".join(character for character in str(error) if character.isprintable())
    return text[:200] or type(error).__name__
