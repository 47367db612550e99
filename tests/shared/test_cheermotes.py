import re

import pytest

from shared.cheermotes import CHEER, NAMES, strip_cheermotes


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Cheer100 !dream volcano", "!dream volcano"),
        ("  cheer1  4Head50 ninjaHype1000 !dream apollo11", "!dream apollo11"),
        ("!dream volcano Cheer100", "!dream volcano Cheer100"),
        ("Cheer100", ""),
        ("100 volcanoes", "100 volcanoes"),
        ("Cheer volcano", "Cheer volcano"),
        ("", ""),
    ],
)
def test_cheermotes_in_front_go(text, left):
    assert strip_cheermotes(text) == left


def test_a_cheermote_is_a_word_of_its_own():
    found = re.compile(CHEER, re.IGNORECASE)
    assert all(found.fullmatch(f"{name.swapcase()}{bits}") for name in NAMES for bits in (1, 100, 100_000))
    for other in ("cheer", "uni", "xcheer100", "cheer100x", "apollo11", "party 10"):
        assert not found.search(other), other
