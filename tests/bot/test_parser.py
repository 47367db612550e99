"""Parsing chat text into commands: what it understands, what it ignores, and that no text crashes it."""

from __future__ import annotations

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from bot.adapter import ChatLine
from bot.commands.registry import BY_NAME
from bot.config import ChatConfig
from bot.parser import Invocation, Parser
from shared.clean import clean_name, clean_text, echo, quote
from shared.role import Role
from tests.bot.lines import lines


def line(text: str, role: Role = Role.EVERYONE, **more: object) -> ChatLine:
    return ChatLine("1", "ann", "1", text, role, "irc", **more)  # type: ignore[arg-type]


def parser(**config: object) -> Parser:
    return Parser(ChatConfig.model_validate(config))


def used(name: str, words: str = "", bare: bool = False) -> Invocation:
    return Invocation(BY_NAME[name], words, bare)


UNDERSTOOD = {
    "!dream volcano + bubble": used("dream", "volcano + bubble"),
    "  !DREAM   volcano \r\n": used("dream", "volcano"),
    "!d volcano": used("dream", "volcano"),
    "! dream volcano": used("dream", "volcano"),
    "！dream volcano": used("dream", "volcano"),
    "!dream, volcano": used("dream", "volcano"),
    "!queue?": used("queue"),
    "!dream": used("dream"),
    "@zoomdream !dream volcano": used("dream", "volcano"),
    "@zoomdream, !dream volcano": used("dream", "volcano"),
    "@zoomdream: !dream volcano": used("dream", "volcano"),
    "@zoomdream : !dream volcano": used("dream", "volcano"),
    "@zoomdream - !dream volcano": used("dream", "volcano"),
    "@zoomdream!dream volcano": used("dream", "volcano"),
    "@zoomdream @ann !dream volcano": used("dream", "volcano"),
    "@zoomdream, @ann: !what vulcano": used("what", "vulcano"),
    "@観客, !dream volcano": used("dream", "volcano"),
    "@zoomdream: !queue": used("queue"),
    "\u200b" * 480 + "!dream volcano": used("dream", "volcano"),
    "!dream " + "\u200b" * 480 + "volcano": used("dream", "volcano"),
    "!dream 🐻‍❄️": used("dream", "🐻‍❄"),
    "!dream " + "king penguin + " * 20 + "pizza": used("dream", "king penguin + " * 20 + "pizza"),
    "!remove " + "ann " * 50: used("remove", ("ann " * 25).strip()),
    "\u200b\ufeff\u202e!dream vol\u200bcano\u202c": used("dream", "volcano"),
    "!dream\tvolcano": used("dream", "volcano"),
    "!dream 🍕": used("dream", "🍕"),
    "!what vulcano": used("what", "vulcano"),
    "!vs": used("voteskip"),
}


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_commands_are_understood_however_they_are_typed(text: str) -> None:
    assert parser()(line(text, Role.MODERATOR)) == UNDERSTOOD[text]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "hello",
        "volcano",
        "!",
        "!!",
        "!so ann",
        "dream volcano",
        "what !dream volcano",
        "!dreamvolcano",
        "\x00",
        "@bot",
        "@bot:",
        "@bot hi",
    ],
)
def test_talk_and_other_bots_commands_are_left_alone(text: str) -> None:
    assert parser()(line(text)) is None


def test_roles_decide_who_may() -> None:
    read = parser(commands={"dream": {"role": "subscriber"}})
    assert [read(line("!dream volcano", role)) is not None for role in Role] == [False, True, True, True, True]
    assert [read(line("!skip", role)) is not None for role in Role] == [False, False, False, True, True]
    assert "skip" not in read.usable(Role.VIP)
    assert "skip" in read.usable(Role.MODERATOR)


def test_prefix_aliases_and_switches_are_the_operators() -> None:
    read = parser(prefix="?!", commands={"dream": {"aliases": ("Träume",)}, "random": {"enabled": False}})
    assert read(line("?!träume volcano")) == used("dream", "volcano")
    assert read(line("?!TRÄUME volcano")) == used("dream", "volcano")
    assert read(line("!dream volcano")) is None
    assert read(line("?!d volcano")) is None
    assert read(line("?!random")) is None
    read = parser(prefix="-")
    assert read(line("@bot -dream volcano")) == read(line("@bot: -dream volcano")) == used("dream", "volcano")


def test_bits_stand_before_the_command_and_rewards_need_none() -> None:
    read = parser()
    assert read(line("Cheer100 !dream volcano", bits=100)) == used("dream", "volcano")
    assert read(line("Cheer100 uni50 !dream apollo11", bits=150)) == used("dream", "apollo11")
    assert read(line("4Head50 ninjaHype1000 !dream volcano", bits=1050)) == used("dream", "volcano")
    assert read(line("@bot: Cheer100 @ann !dream volcano", bits=100)) == used("dream", "volcano")
    assert read(line("100 !dream volcano", bits=100)) is None
    assert read(line("Cheer100 nice", bits=100)) is None
    assert read(line("Cheer100 !dream volcano")) is None
    assert read(line("volcano + bubble", reward_id="r")) == used("dream", "volcano + bubble")
    assert read(line("!dream volcano", reward_id="r")) == used("dream", "volcano")


def test_bare_words_only_when_wanted_and_only_what_may_be_a_name() -> None:
    assert parser()(line("tabby cat")) is None
    read = parser(bare_words=True)
    assert read(line("tabby cat + pizza")) == used("dream", "tabby cat + pizza", bare=True)
    for talk in (
        "is that a pizza?",
        "a pizza, please",
        "lol this looks like a real pizza",
        "http://pizza",
        "a+b+c+d+e",
        "+",
        "!pizza",
    ):
        assert read(line(talk)) is None


BAD = regex.compile(r"[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}]")  # regex knows a newer Unicode than Python


JOINED = regex.compile(r"(?<=\p{Extended_Pictographic}\p{Emoji_Modifier}?)\u200d(?=\p{Extended_Pictographic})")


def shown(text: str) -> bool:
    """Return whether a text is fit for a page or a reply: one line, nothing that reverses it, nothing invisible except joiners
    within emoji."""
    return text == text.strip() and BAD.search(JOINED.sub("", text)) is None


@given(st.text(alphabet=st.characters(), max_size=300))
@example("\ud800" * 300)
@example("!dream " + "\u0300" * 200)
@example("\u202e" * 1_000_000 + "!dream volcano")
@example("!dream " + "\U0001f355" * 1_000_000)
@example("\r\n".join(["!dream volcano"] * 1000))
def test_any_text_is_read_without_harm(text: str) -> None:
    read = parser(bare_words=True)
    for role in (Role.EVERYONE, Role.BROADCASTER):
        for command in (read(line(text, role)), read(line(f"!dream {text}", role)), read(line(text, role, reward_id="r"))):
            assert command is None or (shown(command.words) and len(command.words) <= 2000)
    for clean in (clean_name, clean_text, echo, quote):
        assert shown(clean(text))
        assert clean(clean(text)) == clean(text)
    assert not set(echo(text)) & set("./\\@#!:;<>{}%")


def test_twenty_thousand_lines_of_a_wild_chat() -> None:
    read = parser(bare_words=True)
    understood = [command for each in lines(20_000) if (command := read(each))]
    assert 3000 < len(understood) < 20_000
    assert all(shown(command.words) for command in understood)
