"""Filler words around the things people ask for: 'can i see the volcano please, lol'. Pure; works on folded text."""

from __future__ import annotations

import re

_BEFORE = (
    "a", "an", "the", "some", "my", "your", "our", "his", "her", "one", "two", "three", "more", "another", "please", "pls",
    "plz", "i", "want", "would", "like", "wanna", "can i", "could i", "see", "show", "me", "us", "give", "gimme", "dream",
    "dreams", "dreaming", "of", "about", "let", "lets", "have", "need", "just", "maybe", "very", "big", "huge", "little",
    "small", "tiny", "giant", "cute", "beautiful", "many", "lots",
)  # fmt: skip
_BEHIND = ("please", "pls", "plz", "thanks", "thx", "lol", "now", "again")
_BESIDE = (
    "in", "on", "with", "at", "from", "under", "over", "near", "inside", "by", "for", "to", "and", "or", "is", "are", "was",
    "be", "it", "its", "im", "ive", "this", "that", "these", "those", "there", "here", "you", "u", "we", "they", "he", "she",
    "so", "too", "also", "really", "then", "than", "as", "if", "but", "no", "not", "yes", "yeah", "yep", "ok", "okay", "hey",
    "hi", "hello", "omg", "wow", "haha", "lmao", "can", "could", "do", "does", "did", "get", "go", "how", "what", "who", "all",
    "any", "make",
)  # fmt: skip

_OPENING = re.compile(rf"^(?:(?:{'|'.join(_BEFORE)}) )+(?=\S)")
_CLOSING = re.compile(rf"(?<=\S)(?: (?:{'|'.join(_BEHIND)}))+$")
PREPOSITION = re.compile(r" (?:in|on|with|at|from|under|over|near|inside|by|for|to|of) ")
"""Separates clauses: 'a dog in a hat' asks for the dog."""
_SMALL = frozenset(" ".join((*_BEFORE, *_BEHIND, *_BESIDE)).split())
"""Words that name nothing."""


def strip_filler(folded: str) -> str:
    """Return a phrase without the filler words around it; at least one word stays."""
    return _OPENING.sub("", _CLOSING.sub("", folded), count=1)


def is_filler(folded: str) -> bool:
    """Return whether a phrase has nothing but filler words: 'please', 'hello there'."""
    return all(word in _SMALL for word in folded.split())


def other_words(sentence: str, found: str) -> tuple[str, ...]:
    """Return the parts of a sentence around the words found in it, without filler words at their ends."""
    parts = re.split(rf"(?<!\S){re.escape(found)}(?!\S)", sentence)
    return tuple(filter(None, (" ".join(_trim_filler(part.split())) for part in parts)))


def _trim_filler(words: list[str]) -> list[str]:
    while words and words[0] in _SMALL:
        words = words[1:]
    while words and words[-1] in _SMALL:
        words = words[:-1]
    return words
