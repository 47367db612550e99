"""Wording of replies: every text can be said, none twice in a row, and positions and waits are in words."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from bot.adapter import MAX_REPLY
from bot.all_replies import ALL_REPLIES
from bot.config import ChatConfig
from bot.replies import Replies
from bot.reply_templates import COMMON, MEANINGS, wrong_template


def replies(layout: str = "auto", **overrides: list[str]) -> Replies:
    config = ChatConfig(replies={key: tuple(texts) for key, texts in overrides.items()})
    return Replies(config, Random(1), layout)


@pytest.mark.parametrize("key", ALL_REPLIES)
def test_every_text_of_the_bot_can_be_said(key: str) -> None:
    said = ALL_REPLIES[key]
    assert said.templates
    assert [wrong_template(said, text) for text in said.templates] == [""] * len(said.templates)
    assert {*said.placeholders, *COMMON} <= set(MEANINGS)
    for _ in range(10):
        text = replies().say(key, "ann", **dict.fromkeys(said.placeholders, "x"))
        assert text
        assert "{" not in text


def test_requests_are_answered_in_several_ways() -> None:
    short = [
        key
        for key, said in ALL_REPLIES.items()
        if len(said.templates) < 3 and key.startswith(("queued", "voted", "unknown", "unlearnt", "when"))
    ]
    assert short == []


def test_nothing_is_said_twice_in_a_row() -> None:
    say = replies()
    heard = [say.say("queued", "ann", what="volcano", place="third", wait="soon", id=1) for _ in range(200)]
    assert all(one != next_one for one, next_one in pairwise(heard))
    assert len(set(heard)) == len(ALL_REPLIES["queued"].templates)


def test_what_was_understood_where_and_when() -> None:
    say = replies(queued=["{what}: {place}, {wait}"])
    what = say.subjects(["tabby cat", "pizza"])
    text = say.say("queued", "ann", what=what, place=say.place(3), wait=say.wait(118), id=1)
    assert text == "tabby cat on top, pizza below: third, in about 2 minutes"


@pytest.mark.parametrize(
    ("layout", "labels", "said"),
    [
        ("auto", ["volcano"], "volcano"),
        ("auto", ["volcano", "volcano"], "volcano"),
        ("auto", ["a", "b", "c"], "a, b and c in the corners"),
        ("whole", ["a", "b"], "a"),
        ("left_right", ["a", "b"], "a left, b right"),
        ("left_right", ["a", "b", "c"], "a left, b right"),
        ("quarters", ["a", "b"], "a and b in the corners"),
        ("auto", [], ""),
    ],
)
def test_subjects_are_said_where_the_layout_puts_them(layout: str, labels: list[str], said: str) -> None:
    assert replies(layout).subjects(labels) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "when I get to it"),
        (0, "any moment now"),
        (4.9, "any moment now"),
        (12, "in about 10 seconds"),
        (49, "in about 50 seconds"),
        (60, "in about a minute"),
        (95, "in about 2 minutes"),
        (2400, "in about 40 minutes"),
        (3600, "in about an hour"),
        (7300, "in about 2 hours"),
    ],
)
def test_waits_are_given_in_everyday_words(seconds: float | None, said: str) -> None:
    assert replies().wait(seconds) == said


def test_examples_are_one_thing_and_a_pair_in_changing_order() -> None:
    say = replies()
    some = [say.examples(["lion", "candle", "umbrella"]) for _ in range(30)]
    assert {each["example"] for each in some} == {"lion", "candle", "umbrella"}
    assert len({each["pair"] for each in some}) == 6
    assert all(each["pair"].startswith(f"{each['example']} + ") for each in some)
    assert say.examples(["lion"]) == {"example": "lion", "pair": "lion"}


def test_the_longest_refusal_fits_into_a_chat_message() -> None:
    longest = "x" * 40
    near = replies().choices([longest] * 3)
    for template in ALL_REPLIES["unlearnt"].templates:
        assert len(template.format(what=longest, count=1000, near=near, user="u" * 25, prefix="!")) < MAX_REPLY


def test_positions_are_given_in_everyday_words() -> None:
    say = replies(places=["als Nächstes", "als Zweites"], place_far=["auf Platz {n}"])
    assert [say.place(position) for position in (1, 2, 3, 40)] == ["als Nächstes", "als Zweites", "auf Platz 3", "auf Platz 40"]
    assert [replies().place(position) for position in (1, 3, 14)] == ["next", "third", "number 14 in line"]


def test_a_reply_is_one_bounded_line_and_no_command_of_the_chats() -> None:
    say = replies(oops=["{what}"])
    assert len(say.say("oops", what="x" * 3000)) == MAX_REPLY
    assert say.say("oops", what="/ban ann") == "ban ann"
    assert say.say("oops", what="a\r\nb\n/c") == "a b /c"


def test_braces_of_viewers_are_not_looked_into() -> None:
    say = replies(unknown=["'{heard}'? {user}"])
    assert say.say("unknown", "{prefix}", heard="{user.__class__}{0}") == "'{user.__class__}{0}'? {prefix}"
