"""How a line splits into phrases; only a handful of names are known here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clean import clean_text
from streamer.requests.phrases import Separator, phrases

NAMES = {"volcano", "bubble", "pizza", "tank", "tank top", "bow", "arrow", "bow and arrow", "bow-tie", "black & gold spider"}
NAMES |= {"hen-of-the-woods", "R.V", "king of beasts", "golden retriever", "jack-o'-lantern", "St. Bernard"}
SLIPS = {"bow and arow", "bow and arrrow"}


class Known:
    def known(self, words):
        return words in NAMES

    def misspelt(self, words):
        return words in SLIPS


def apart(text):
    return [(phrase.words, phrase.joint) for phrase in phrases(clean_text(text), Known()) if not phrase.emoji]


def words(text):
    return [words for words, _ in apart(text)]


def emoji(text):
    return [phrase.words for phrase in phrases(clean_text(text), Known()) if phrase.emoji]


FIRM = ("volcano and bubble", "volcano plus bubble", "volcano PLUS bubble", "volcano vs bubble", "volcano vs. bubble")
FIRM += ("volcano versus bubble", "volcano as well as bubble", "volcano & bubble", "volcano&bubble", "volcano, bubble")
FIRM += (
    "volcano ,and bubble",
    "volcano; bubble",
    "volcano|bubble",
    "volcano، bubble",
    "volcano and, vs bubble",
    "volcano (and bubble)",
)
LOOSE = (
    "volcano with bubble",
    "volcano together with bubble",
    "volcano along with bubble",
    "volcano w/ bubble",
    "volcano w/bubble",
)
LOOSE += ("volcano - bubble", "volcano – bubble", "volcano—bubble", "volcano -bubble", "volcano- bubble", "volcano -- bubble")
LOOSE += ("volcano -> bubble", "volcano → bubble", "volcano/bubble", "volcano / bubble", "volcano\\bubble", "volcano x bubble")
LOOSE += ("volcano X bubble", "volcano × bubble", "volcano×bubble", "volcano v bubble", "volcano or bubble", "volcano n bubble")
LOOSE += ("volcano 'n' bubble", "volcano... bubble", "volcano…bubble", "volcano. bubble", "volcano! bubble!", "volcano: bubble")
LOOSE += ("volcano (bubble)", '"volcano" "bubble"', "volcano ~ bubble", "#volcano #bubble", "*volcano* *bubble*")
ORNAMENT = ("volcano Cheer100 bubble", "volcano cheer1 Kappa5000 bubble", "volcano 4head20 bubble", "volcano 😭 bubble")
ORNAMENT += (
    "volcano🌋🌋bubble",
    "volcano ➕ bubble",
    "volcano 🆚 bubble",
    "volcano <3 bubble",
    "volcano :) bubble",
    "volcano xD bubble",
)
WALL = (
    "volcano + bubble",
    "volcano+bubble",
    "volcano ＋ bubble",
    "volcano + + bubble",
    "volcano, + bubble",
    "volcano + 😭 bubble",
)


@pytest.mark.parametrize(
    ("text", "joint"),
    [
        (text, joint)
        for joint in (Separator.FIRM, Separator.LOOSE, Separator.ORNAMENT, Separator.WALL)
        for text in globals()[joint.name]
    ],
)
def test_what_parts_two_things(text, joint):
    assert apart(text) == [("volcano", Separator.FIRM), ("bubble", joint)]
    assert apart(f"{text} + pizza")[2:] == [("pizza", Separator.WALL)]


@pytest.mark.parametrize(
    "text",
    [
        "volcano without bubble",
        "volcano w/o bubble",
        "volcano minus bubble",
        "volcano but not bubble",
        "volcano, except bubble",
    ],
)
def test_unwanted_subjects_are_separated(text):
    assert apart(text) == [("volcano", Separator.FIRM), ("bubble", Separator.WITHOUT)]
    assert apart(f"{text} + pizza") == [("volcano", Separator.FIRM), ("bubble", Separator.WITHOUT), ("pizza", Separator.WALL)]


@pytest.mark.parametrize("name", sorted(NAMES | SLIPS))
def test_a_name_is_one_whatever_is_in_it(name):
    assert words(name) == [name]
    assert words(f"volcano vs {name} - pizza") == ["volcano", name, "pizza"]
    assert words(f"{name}, {name}") == [name, name]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("volcano-bubble", ["volcano", "bubble"]),
        ("bow-tie-pizza", ["bow-tie-pizza"]),
        ("volcano-pizza-tank", ["volcano", "pizza", "tank"]),
        ("half-track", ["half-track"]),
        ("bow + and + arrow", ["bow", "arrow"]),
        ("golden 🐕 retriever", ["golden retriever"]),
        ("golden Cheer100 retriever", ["golden retriever"]),
        ("xylophone vs plusher", ["xylophone", "plusher"]),
        ("sandy vsx withx orx", ["sandy vsx withx orx"]),
        ("party 10 cheers", ["party 10 cheers"]),
        ("uni50", []),
        ("and", ["and"]),
        ("x", ["x"]),
        ("with", ["with"]),
        ("and volcano", ["volcano"]),
        ("volcano and", ["volcano"]),
        ("+ , volcano - +", ["volcano"]),
        ("&,+ ...", []),
        ("", []),
    ],
)
def test_odd_lines(text, wanted):
    assert words(text) == wanted


def test_emoji_come_in_order_and_joined_ones_as_one():
    assert emoji("🌋 volcano 🐻‍❄️👍🏽 and 🇳🇴🇩🇪 1️⃣") == ["🌋", "🐻‍❄", "👍🏽", "🇳🇴", "🇩🇪", "1⃣"]
    said = [phrase.words for phrase in phrases("golden 🐕 retriever 🌋 pizza", Known())]
    assert said == ["golden retriever", "🐕", "🌋", "pizza"]


PARTS = st.sampled_from(
    [*NAMES, "and", "vs", "+", "-", "with", "without", "x", "😭", "Cheer100", ",", ":)", "qwxyz", "w/", "'"]
)


@given(st.lists(PARTS, max_size=12).map(" ".join) | st.text(max_size=100))
def test_every_word_that_parts_nothing_is_in_some_phrase(text):
    text = clean_text(text)
    said = " ".join(words(text))
    for name in ("volcano", "pizza", "qwxyz"):
        assert (name in said) == (name in text)
