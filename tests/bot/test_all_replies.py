"""Everything that the bot can say: every template, filled with every kind of value, reads as English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from random import Random

import pytest

from bot.adapter import MAX_REPLY
from bot.all_replies import ALL_REPLIES
from bot.api_answers import RequestChange
from bot.config import ChatConfig
from bot.replies import Replies
from bot.reply_templates import MEANINGS
from shared.role import Role
from streamer.config import QueueConfig
from streamer.messages.refused import Refused
from streamer.messages.requests import Request, Waiting
from streamer.requests.blocks import Blocks
from streamer.requests.policy import DraftRequest, TimeSinceRequests, admit
from streamer.requests.vocabulary import Vocabulary

WORDS = Vocabulary.load()
SAY = Replies(ChatConfig(), Random(1))


def notes() -> list[str]:
    """Return the streamer's notes about typed requests."""
    typed = (
        "snake",
        "vulcano",
        "the dog ate my pizza",
        "the volcano, pizza pie lion",
        "pizza + fox + lion + candle + goldfish",
    )
    return [WORDS.match(text, peek=True).note for text in typed]


def refusals() -> list[str]:
    """Return the streamer's reasons for refusing requests that it understands."""
    pizza = WORDS.match("pizza").targets
    waiting = (Waiting(Request(1, "ann", "lion", WORDS.match("lion").targets, Role.EVERYONE, "web", 0.0), 1, 30.0),)
    rules = {"per_user": 1, "capacity": 1, "cooldown_s": 9.0, "user_cooldown_s": 9.0}
    found = []
    for user, since, rule in (
        ("ann", TimeSinceRequests(), ("per_user",)),
        ("bob", TimeSinceRequests(), ("capacity",)),
        ("bob", TimeSinceRequests(1.0), ("cooldown_s",)),
        ("bob", TimeSinceRequests(1.0, 1.0), ("user_cooldown_s",)),
    ):
        config = QueueConfig(**{key: rules[key] for key in rule})  # type: ignore[arg-type]
        with pytest.raises(Refused) as caught:
            admit(DraftRequest(user, "pizza", pizza), waiting, config, Blocks(), since)
        found.append(str(caught.value))
    return found


SUBJECTS = (["volcano"], ["tabby cat", "pizza"], ["lion", "candle", "red fox"])
WHAT = [SAY.subjects(labels) for labels in SUBJECTS]
WAITS = [SAY.wait(seconds) for seconds in (None, 0, 12, 60, 200, 3600, 9000)]
AGAIN = [SAY.again(seconds) for seconds in (None, 0, 12, 60, 200, 3600, 9000)]
NUMBERS = {"count": ["1", "2", "200"], "votes": ["1", "2", "12"], "more": ["1", "2"], "needed": ["3"], "id": ["12"]}
VALUES = {
    **NUMBERS,
    "what": WHAT,
    "place": [SAY.place(position) for position in (1, 2, 10, 11, 14)],
    "wait": WAITS,
    "heard": ["vulcano", "snake + cat"],
    "near": [SAY.choices(["lion"]), SAY.choices(["lion", "candle", "umbrella"])],
    "example": ["lion"],
    "pair": ["lion + candle"],
    "list": ["pizza for ann (#1)", "pizza for ann (#1), lion for bob (#2), 3 more"],
    "by": ["ann"],
    "commands": ["~queue", "~queue, ~when, ~oops"],
    "name": ["ann", "#12"],
    "seconds": ["30 s"],
    "speed": ["1", "1.05"],
    "n": ["2", "14"],
    "first": ["lion"],
    "second": ["candle"],
    "things": ["lion, candle"],
    "last": ["red fox"],
    "link": ["https://dream.example/d/abc234def567", "/d/abc234def567 on the stream's page"],
    "path": ["/d/abc234def567"],
}
SPECIAL = {
    ("limited", "wait"): AGAIN,
    ("cooling", "wait"): AGAIN,
    ("loading", "wait"): AGAIN,
    ("unlearnt", "what"): ["volcano", "foxes"],
    ("unlearnt", "count"): ["200", "1000"],
    ("voted", "votes"): ["2", "12"],
    ("layers", "count"): ["14"],
    ("layers", "list"): ["conv1, fire5, logits"],
    ("entry", "name"): ["ann"],
    ("changed_entry", "name"): ["ann"],
    ("changed_none", "name"): ["ann"],
    ("wait_seconds", "n"): ["5", "50"],
    ("wait_minutes", "n"): ["2", "49"],
    ("wait_hours", "n"): ["2", "9"],
    ("changed", "list"): [
        "ann gets cliff instead of volcano",
        "ann gets cliff instead of volcano; layer fire5 for bob is off, sorry",
    ],
    **{(key, "list"): ["1: lion, 2: red fox", "1: lion (3), 2: red fox (0)"] for key in ("poll_opened", "poll_standing")},
    ("changed_entry", "heard"): WHAT,
    ("changed_none", "heard"): WHAT,
}
"""Values of placeholders that differ from ``VALUES`` in one template."""

ODD = {
    "a word twice": re.compile(r"\b(\w+)\W+\1\b", re.IGNORECASE),
    "two words twice": re.compile(r"\b(\w+ \w+)\W+\1\b", re.IGNORECASE),
    "one of many": re.compile(r"(?<![\d#:.])\b1 (?!of\b|to\b|stands\b|more\b|gone\b|removed\b|in\b|per\b)\w+s\b"),
    "signs that do not go together": re.compile(r"[,.;:!?]\s*[,.;:)]|[(]\s*[,.;:!?)]|\s[,.;:!?)]|\?!|!\?"),
    "a pronoun before what is no verb": re.compile(r"\b(?:I|you|we) ['(]"),
    "a wait for now": re.compile(r"\b(?:again|try|ask|me) (?:any moment now|when I get to it)"),
    "an article before another": re.compile(r"\b(?:a|an|the|no) (?:a|an|the|no) \b"),
}


def said(key: str) -> Iterator[str]:
    """Yield every template of a key, filled with every mix of values."""
    wording = ALL_REPLIES[key]
    messages = refusals() if key == "limited" else ["it is on air already", "say what to dream, for example: lion"]
    values = [
        messages if name == "message" else notes() if name == "note" else SPECIAL.get((key, name), VALUES[name])
        for name in wording.placeholders
    ]
    for template in wording.templates:
        for chosen in product(*values):
            yield template.format(**dict(zip(wording.placeholders, chosen, strict=True)), user="ann", prefix="~")


@pytest.mark.parametrize("key", ALL_REPLIES)
def test_every_template_fits_everything_that_may_stand_in_it(key: str) -> None:
    odd = [(why, text) for text in said(key) for why, sign in ODD.items() if sign.search(text)]
    assert odd == []


def test_the_signs_of_odd_english_find_it() -> None:
    for why, text in (
        ("a pronoun before what is no verb", "green snake (I 'snake' is green snake this time)"),
        ("two words twice", "volcano is number 14 in line in line, any moment now"),
        ("one of many", "1 wishes forgotten"),
        ("one of many", "that is 1 votes"),
        ("a wait for now", "easy now: the queue is full. Try again when I get to it"),
        ("signs that do not go together", "a fox.: next"),
    ):
        assert ODD[why].search(text), (why, text)


def test_what_was_understood_and_its_note_fit_every_answer_about_it() -> None:
    odd = []
    for key, wording in ALL_REPLIES.items():
        if "what" not in wording.placeholders or key in ("unlearnt", "entry", "changed_entry"):
            continue
        fixed = {name: SPECIAL.get((key, name), VALUES[name])[0] for name in wording.placeholders if name != "what"}
        for template, note, subjects, behind in product(wording.templates, notes(), WHAT, ALL_REPLIES["note"].templates):
            what = f"{subjects} {behind.format(note=note)}"
            text = template.format(**fixed, what=what, user="ann", prefix="~")
            odd += [(why, text) for why, sign in ODD.items() if sign.search(text.replace(note, "something was noted"))]
    assert odd == []


def test_notes_are_of_every_kind() -> None:
    kinds = ("means", "read '", "left out", "only the first")
    assert all(any(kind in note for note in notes()) for kind in kinds), notes()


def test_changes_are_announced_to_viewers_in_as_few_lines_as_possible() -> None:
    changes = [
        RequestChange(number, f"viewer{number}", "volcano + bubble", "alpine mountain + maypole") for number in range(30)
    ]
    changes.append(RequestChange(31, "mo", "layer fire5", ""))
    lines = SAY.changes(changes)
    assert 2 < len(lines) < 10
    assert all(len(line) <= MAX_REPLY and "…" not in line for line in lines)
    assert "viewer7 gets alpine mountain on top, maypole below instead of volcano on top, bubble below" in " ".join(lines)
    assert lines[-1].endswith("layer fire5 for mo is off, sorry")
    assert SAY.changes([]) == []


def test_every_placeholder_has_a_meaning_and_values() -> None:
    assert {name for wording in ALL_REPLIES.values() for name in wording.placeholders} <= set(MEANINGS)
