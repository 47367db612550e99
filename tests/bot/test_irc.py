"""Listening to chat without an account: reading lines, and staying connected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapter import ChatLine
from bot.irc import MAX_LINE, AnonymousIrc, IrcMessage, IrcTimings, LineSplitter, line_of, parse, role_of
from shared.role import Role
from tests.bot.irc_standin import IrcStandIn, irc_standin
from tests.bot.lines import lines
from tests.bot.stage import play
from tests.patience import PATIENCE_S

FAST = IrcTimings(connect_s=1.5, silence_s=0.1, answer_s=1.5, pause_s=(0.02, 0.1))
PATIENT = IrcTimings(connect_s=5, silence_s=60, answer_s=10, pause_s=(0.02, 0.1))

# Reading


READ = {
    "PING :tmi.twitch.tv": IrcMessage("PING", ("tmi.twitch.tv",)),
    ":tmi.twitch.tv RECONNECT": IrcMessage("RECONNECT"),
    "ping": IrcMessage("PING"),
    "@a=1;b=x\\sy\\:z\\\\;c;=;d= :ann!ann@x PRIVMSG #c :hi  there :)": IrcMessage(
        "PRIVMSG", ("#c", "hi  there :)"), "ann", {"a": "1", "b": "x y;z\\", "c": "", "": "", "d": ""}
    ),
    ":ann!ann@x   PRIVMSG   #c   :x": IrcMessage("PRIVMSG", ("#c", "x"), "ann"),
    ":ann!ann@x PRIVMSG #c x": IrcMessage("PRIVMSG", ("#c", "x"), "ann"),
    ":ann!ann@x PRIVMSG #c :": IrcMessage("PRIVMSG", ("#c", ""), "ann"),
    "": None,
    "@a=b": None,
    ":x": None,
    "@": None,
}


@pytest.mark.parametrize("text", READ)
def test_lines_are_read(text: str) -> None:
    assert parse(text) == READ[text]


@pytest.mark.parametrize(
    ("tags", "role"),
    [
        ({}, Role.EVERYONE),
        ({"badges": "premium/1"}, Role.EVERYONE),
        ({"badges": "subscriber/12,bits/100"}, Role.SUBSCRIBER),
        ({"badges": "founder/0"}, Role.SUBSCRIBER),
        ({"subscriber": "1"}, Role.SUBSCRIBER),
        ({"badges": "vip/1,subscriber/3"}, Role.VIP),
        ({"badges": "moderator/1,subscriber/3"}, Role.MODERATOR),
        ({"mod": "1"}, Role.MODERATOR),
        ({"badges": "broadcaster/1,subscriber/0"}, Role.BROADCASTER),
    ],
)
def test_badges_give_roles(tags: dict[str, str], role: Role) -> None:
    assert role_of(tags) is role


def test_messages_of_the_channel_become_lines() -> None:
    tags = "badges=vip/1;bits=100;display-name=Änn\\s;id=abc;user-id=7;room-id=1"
    message = parse(f"@{tags} :ann!ann@x PRIVMSG #Streamer :\x01ACTION Cheer100 !dream 🌋\x01")
    assert message is not None
    assert line_of(message, "streamer") == ChatLine("abc", "Änn", "7", "Cheer100 !dream 🌋", Role.VIP, "irc", bits=100)
    assert line_of(message, "other") is None
    for other in (
        ":ann!ann@x JOIN #streamer",
        ":tmi.twitch.tv PRIVMSG #streamer :x",
        ":ann!ann@x PRIVMSG #streamer",
        ":ann!ann@x WHISPER streamer :!dream volcano",
        "@room-id=1;source-room-id=2 :ann!ann@x PRIVMSG #streamer :from a shared chat's other channel",
    ):
        found = parse(other)
        assert found is not None
        assert line_of(found, "streamer") is None
    bare = parse("@bits=lots;display-name= :ann!ann@x PRIVMSG #streamer :hi")
    assert bare is not None
    assert line_of(bare, "streamer") == ChatLine("", "ann", "ann", "hi", Role.EVERYONE, "irc")


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\r\n"), min_size=1), max_size=20), st.randoms())
def test_lines_are_whole_however_they_are_cut(texts: list[str], random: Random) -> None:
    whole = "".join(f"{text}\r\n" for text in texts)
    splitter, found = LineSplitter(), []
    while whole:
        cut = random.randrange(1, 9)
        found += splitter.feed(whole[:cut])
        whole = whole[cut:]
    assert found == [text.rstrip("\r") for text in texts]


def test_a_line_without_an_end_is_not_remembered() -> None:
    splitter = LineSplitter()
    for _ in range(100):
        assert list(splitter.feed("x" * MAX_LINE)) == []
    assert list(splitter.feed("rest of it\r\nPING :a\r\n" + "y" * 2 * MAX_LINE + "\r\nPING :b\r\n")) == ["PING :a", "PING :b"]


@given(st.text(alphabet=st.characters(), max_size=200))
def test_anything_can_be_read(text: str) -> None:
    for line in (text, f"@{text} :a!a@a PRIVMSG #c :{text}", f":{text}", f"{text} PRIVMSG #c :{text}"):
        message = parse(line)
        if message is not None:
            line_of(message, "c")


def test_a_wild_chat_can_be_read() -> None:
    splitter, heard = LineSplitter(), 0
    for each in lines(5_000):
        for line in splitter.feed(f"@display-name={each.user};id={each.id} :x!x@x PRIVMSG #c :{each.text}\r\n"):
            message = parse(line)
            heard += message is not None and line_of(message, "c") is not None
    assert heard > 3000


# Listening


class Listener:
    def __init__(self, server: IrcStandIn, irc: AnonymousIrc, lines: list[ChatLine]) -> None:
        self.server, self.irc, self.lines = server, irc, lines

    async def until(self, so: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not so():
                await asyncio.sleep(0.005)

    async def joined(self, times: int = 1) -> None:
        await self.until(lambda: self.irc.state().state == "read-only" and self.server.connections >= times)

    async def hears(self, text: str = "!dream volcano") -> None:
        """Say a text, and wait until the bot receives it."""
        await self.server.say("Ann", text)
        await self.until(lambda: self.lines and self.lines[-1].text == text)


@asynccontextmanager
async def listening(timings: IrcTimings = PATIENT, **server: object) -> AsyncIterator[Listener]:
    async with irc_standin() as standin:
        for name, value in server.items():
            setattr(standin, name, value)
        heard: list[ChatLine] = []
        irc = AnonymousIrc("Streamer", standin.url, timings, Random(1))
        task = asyncio.create_task(irc.run(heard.append))
        try:
            yield Listener(standin, irc, heard)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            assert irc.state().state == "offline"


def test_it_joins_the_channel_without_a_name_and_says_that_it_only_listens() -> None:
    async def scene() -> None:
        async with listening() as listener:
            await listener.joined()
            capability, password, nick, join = listener.server.heard
            assert capability == "CAP REQ :twitch.tv/tags twitch.tv/commands"
            assert password.startswith("PASS ")
            assert nick.startswith("NICK justinfan")
            assert nick.removeprefix("NICK justinfan").isdigit()
            assert join == "JOIN #streamer"
            assert listener.irc.state().channel == "streamer"
            assert "listening only" in listener.irc.state().detail
            await listener.irc.say(None, "nobody hears this")
            assert len(listener.server.heard) == 4

    play(scene)


def test_it_hears_emoji_tags_half_lines_and_only_its_channel() -> None:
    async def scene() -> None:
        async with listening() as listener:
            await listener.joined()
            await listener.server.say("Ann", "!dream elsewhere", channel="another")
            await listener.server.send("@badges=moderator/1;display-name=M\\so\\sd;id=1;user-id=5 :mod!m@m PRIV")
            await listener.server.send("MSG #streamer :!dream \U0001f30b + 👩‍👩‍👧")
            await listener.server.send("\r\n:b!b@b PRIVMSG #streamer :two\r\n:c!c@c PRIVMSG #streamer :three\r\n")
            await listener.until(lambda: len(listener.lines) == 3)
            assert listener.lines[0] == ChatLine("1", "M o d", "5", "!dream \U0001f30b + 👩‍👩‍👧", Role.MODERATOR, "irc")
            assert [line.text for line in listener.lines[1:]] == ["two", "three"]

    play(scene)


def test_pings_are_answered() -> None:
    async def scene() -> None:
        async with listening() as listener:
            await listener.joined()
            await listener.server.send("PING :tmi.twitch.tv\r\n")
            await listener.server.until(lambda: "PONG :tmi.twitch.tv" in listener.server.heard)

    play(scene)


@pytest.mark.logs("Twitch asked to connect again", "hung up", "the connection broke")
@pytest.mark.parametrize("how", ["RECONNECT", "close", "cut"])
def test_it_hears_again_after_a_reconnect(how: str) -> None:
    async def scene() -> None:
        async with listening() as listener:
            await listener.joined()
            await listener.hears("one")
            if how == "RECONNECT":
                await listener.server.send(":tmi.twitch.tv RECONNECT\r\n")
            elif how == "close":
                await listener.server.drop(4000)
            else:
                await listener.server.cut()
            await listener.joined(2)
            await listener.hears("two")

    play(scene)


@pytest.mark.logs("Twitch's chat fell silent")
def test_silence_is_asked_about_and_a_deaf_line_given_up() -> None:
    async def scene() -> None:
        async with listening(FAST) as listener:
            await listener.joined()
            await listener.server.until(lambda: listener.server.heard.count("PING :zoomdream") >= 2)
            assert listener.server.connections == 1
            listener.server.answers_pings = False
            await listener.joined(2)
            listener.server.answers_pings = True
            await listener.hears()

    play(scene)


@pytest.mark.logs("cannot be reached", "could not be joined")
def test_it_tries_again_and_again_with_a_growing_pause() -> None:
    async def scene() -> None:
        async with listening(FAST, refuses=True) as listener:
            await listener.until(lambda: "cannot be reached" in listener.irc.state().detail)
            listener.server.refuses, listener.server.admits = False, False
            await listener.until(lambda: "could not be joined" in listener.irc.state().detail)
            assert listener.irc.state().state == "connecting"
            listener.server.admits = True
            await listener.joined()
            await listener.hears()

    play(scene)
