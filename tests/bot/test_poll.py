"""How a chat line is read during a poll."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.poll import LONGEST, Poll, PollChoice, poll_of

POLL = Poll(
    "p1",
    "open",
    (
        PollChoice(1, "red fox", ("red fox", "fox"), 2),
        PollChoice(2, "volcano + bubble", ("volcano + bubble",), 1),
        PollChoice(3, "St. Bernard", ("St. Bernard",), 0),
    ),
    20.0,
    "mod",
    None,
    False,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        (" 2 ", 2),
        ("#3", 3),
        ("!1", 1),
        ("2!", 2),
        ("3.", 3),
        ("２", 2),
        ("1\u200b", 1),
        ("fox", 1),
        ("FOX!!", 1),
        ("Red  Fox", 1),
        ("'fox'", 1),
        ("volcano + bubble", 2),
        ("st. bernard", 3),
    ],
)
def test_a_number_or_a_name_is_a_vote(text, number):
    assert POLL.choice_of(text) == number


@pytest.mark.parametrize(
    "text",
    ["", "4", "0", "9", "12", "1 2", "1st", "1+1", "fox or volcano", "the fox", "volcano", "-1", "①x", "1" * (LONGEST + 1)],
)
def test_anything_else_is_talk(text):
    assert POLL.choice_of(text) is None


@given(st.text(max_size=200))
def test_any_text_at_all_is_read(text):
    assert POLL.choice_of(text) in (None, 1, 2, 3)


def test_a_poll_from_the_streamer_is_parsed():
    told = {
        "id": "p1",
        "state": "decided",
        "left_s": 0,
        "length_s": 30.0,
        "user": "mod",
        "votes": 3,
        "winner": 2,
        "tied": True,
        "outside": "",
        "choices": [
            {"number": 1, "title": "fox", "names": ["fox"], "votes": 1, "targets": [], "picture": ""},
            {"number": 2, "title": "pizza", "names": ["pizza", "pie"], "votes": 2, "targets": [], "picture": ""},
        ],
    }
    poll = poll_of(told)
    assert (poll.open, poll.votes, poll.winner, poll.tied) == (False, 3, 2, True)
    assert poll.choices[1] == PollChoice(2, "pizza", ("pizza", "pie"), 2)
    with pytest.raises(KeyError):
        poll_of({})
