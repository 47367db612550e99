import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from shared.clean import MAX_MARKS, clean_name, clean_text

ANY_TEXT = st.text(st.characters(categories=None), max_size=300)
NASTY = st.text(
    "aé\u0301\u0323\u034f\u200b\u202e\u2066\ufe0f\u00a8ﷺ \t\r\n\u2028\u3164"
    "\ud800\U000e0041\U0001f30b\u200d\U0001f3fb\u2744가\u1100\u1161",
    max_size=300,
)


@pytest.mark.parametrize(
    ("given_text", "cleaned"),
    [
        ("  volcano\t+\r\n bubble ", "volcano + bubble"),
        ("ｖｏｌｃａｎｏ", "volcano"),
        ("a\u202eb\u200bc\ufeff", "abc"),
        ("a\x00b\x1b[31m", "ab[31m"),
        ("\ud800volcano", "volcano"),
        ("\u0301\u0301abc", "abc"),
        ("\u2800\u3164", ""),
        ("e\u0301", "é"),
        ("🌋🍕", "🌋🍕"),
        ("🐻‍❄️", "🐻‍❄"),
        ("ｗｉｄｅ 🈵™️㊙️ ﬁt", "wide 🈵™㊙ fit"),
        ("👩🏽‍❤️‍💋‍👨🏿", "👩🏽‍❤‍💋‍👨🏿"),
        ("a\u200db 🐻\u200d ❄ \u200d❄", "ab 🐻 ❄ ❄"),
        ("🐻\u200b\u200d❄", "🐻❄"),
        ("👩\u200d" * 9 + "👩", "👩\u200d👩\u200d👩\u200d👩" * 2 + "👩\u200d👩"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("", ""),
    ],
)
def test_what_becomes_of(given_text, cleaned):
    assert clean_text(given_text) == cleaned


def test_cuts_at_graphemes_not_characters():
    assert clean_name("🇳🇴" * 40) == "🇳🇴" * 25
    assert clean_text("x" * 1000) == "x" * 100


UNSEEN = ("\u200b", "\u2060", "\ufeff", "\u202e", "\u200d", "\ufe0f", "\u00ad", "\u3164", "\ud800", "\x07")


@pytest.mark.parametrize("unseen", UNSEEN, ids=ascii)
def test_nothing_invisible_hides_what_follows(unseen):
    """No number of invisible characters before or between words hides text; a chat message has at most 500 characters."""
    assert clean_text(unseen * 900 + "volcano") == "volcano"
    assert clean_text("pizza " + unseen * 900 + "volcano") == "pizza volcano"
    assert clean_name(unseen * 900 + "Ann" + unseen * 900) == "Ann"


@pytest.mark.parametrize("filler", [" ", "\u00a0", "\t", "\u0301", "\u20e3", " \u200b"], ids=ascii)
def test_no_heap_of_spaces_or_marks_hides_what_follows(filler):
    assert clean_text(filler * 900 + "volcano") == "volcano"
    assert clean_text("pizzä" + filler * 900 + " volcano").endswith(" volcano")


def test_reads_no_more_of_a_megabyte_than_it_needs():
    assert clean_text("v" * 1_000_000) == "v" * 100
    assert clean_text("\u200b" * 1_000_000) == ""


def test_marks_do_not_pile_up():
    piled = "a" + "\u0300\u0316\u0334\u0301" * 30
    assert len(clean_name(piled)) <= 1 + MAX_MARKS


@given(ANY_TEXT | NASTY)
@example("\u1100\u200b\u1161")
@example("a\u034f\u0323\u0307")
def test_the_result_is_fit_to_be_shown(text):
    cleaned = clean_text(text)
    assert cleaned == cleaned.strip()
    assert len(regex.findall(r"\X", cleaned)) <= 100
    unjoined = regex.sub(r"(?<=\p{Extended_Pictographic}\p{Emoji_Modifier}?)\u200d(?=\p{Extended_Pictographic})", "", cleaned)
    assert not regex.search(r"[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Default_Ignorable_Code_Point}]", unjoined)
    assert all(len(found.group()) <= 14 for found in regex.finditer(r"\X", cleaned) if "\u200d" in found.group())
    assert not regex.search(r"\s\s|[^\S ]", cleaned)
    assert not regex.search(rf"(^|\s)\p{{M}}|\p{{M}}{{{MAX_MARKS + 1}}}", cleaned)
    cleaned.encode("utf-8")


@given(ANY_TEXT | NASTY)
def test_cleaning_twice_changes_nothing(text):
    assert clean_text(clean_text(text)) == clean_text(text)
    assert clean_name(clean_name(text)) == clean_name(text)
