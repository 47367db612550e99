import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from streamer.requests.clean import MAX_MARKS, clean_name, clean_text

ANY_TEXT = st.text(st.characters(categories=None), max_size=300)
NASTY = st.text(
    "aé\u0301\u0323\u034f\u200b\u202e\u2066\ufe0f\u00a8ﷺ \t\r\n\u2028\u3164\ud800\U000e0041\U0001f30b가\u1100\u1161",
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
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("", ""),
    ],
)
def test_what_becomes_of(given_text, cleaned):
    assert clean_text(given_text) == cleaned


def test_cuts_at_graphemes_not_characters():
    assert clean_name("🇳🇴" * 40) == "🇳🇴" * 25
    assert clean_text("x" * 1000) == "x" * 100


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
    assert not regex.search(r"[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Default_Ignorable_Code_Point}]", cleaned)
    assert not regex.search(r"\s\s|[^\S ]", cleaned)
    assert not regex.search(rf"(^|\s)\p{{M}}|\p{{M}}{{{MAX_MARKS + 1}}}", cleaned)
    cleaned.encode("utf-8")


@given(ANY_TEXT | NASTY)
def test_cleaning_twice_changes_nothing(text):
    assert clean_text(clean_text(text)) == clean_text(text)
    assert clean_name(clean_name(text)) == clean_name(text)
