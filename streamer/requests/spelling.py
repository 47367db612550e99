"""Compares words: folded to plain letters, in singular or plural, with a few typing errors allowed. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

MAX_KEY = 40
"""Longest phrase, in letters, whose spelling is corrected; the longest class name has 34."""

_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "ı": "i", "&": " and "})
_APOSTROPHES = re.compile(r"['’`´]")
_NOT_WORD = re.compile(r"[\W_]+")

_IRREGULAR = {
    "geese": "goose",
    "mice": "mouse",
    "feet": "foot",
    "teeth": "tooth",
    "oxen": "ox",
    "men": "man",
    "women": "woman",
    "people": "person",
    "children": "child",
    "leaves": "leaf",
    "calves": "calf",
    "cacti": "cactus",
    "fungi": "fungus",
    "octopi": "octopus",
    "hippopotami": "hippopotamus",
}


def fold(text: str) -> str:
    """Reduce text to lower-case words of plain letters and digits: ``"Potter's-Wheel!"`` to ``potters wheel``."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    text = _APOSTROPHES.sub("", text.casefold().translate(_LETTERS))
    return _NOT_WORD.sub(" ", text).strip()


def key(folded: str) -> str:
    """Return the key of a folded phrase for look-ups: ``hot dog`` and ``hotdog`` have the same."""
    return folded.replace(" ", "")


@lru_cache(maxsize=4096)
def variants(folded: str) -> tuple[str, ...]:
    """Return the possible keys of a folded phrase, likeliest first: as it is, then with its last word in singular or plural."""
    head, _, last = folded.rpartition(" ")
    head = key(head)
    return tuple(dict.fromkeys(head + word for word in _numbers(last)))


def _numbers(word: str) -> Iterator[str]:
    yield word
    if word in _IRREGULAR:
        yield _IRREGULAR[word]
    if len(word) > 3 and word.endswith("s"):
        if word.endswith("ies"):
            yield word[:-3] + "y"
        if word.endswith("ves"):
            yield word[:-3] + "f"
            yield word[:-3] + "fe"
        if not word.endswith("ss"):
            yield word[:-1]
        if word.endswith("es"):
            yield word[:-2]
    elif len(word) > 2:
        yield word + "s"


def allowed_errors(length: int) -> int:
    """Return how many typing errors are allowed in a key of some length; short words turn into others too easily."""
    return 0 if length < 4 else 1 if length < 6 else 2 if length < 10 else 3
