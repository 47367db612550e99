"""Cleans viewers' names and texts for display: normalised, without invisible or reordering characters, and shortened.

Only the first two thousand characters are read, so the time is bounded.
"""

from __future__ import annotations

import unicodedata

import regex

NAME_GRAPHEMES = 25
TEXT_GRAPHEMES = 100
LINE_GRAPHEMES = 500
"""Length of a whole chat message; Twitch allows no longer ones."""
MAX_MARKS = 3
"""Combining marks kept on one character; piles of them would cover neighbouring lines."""
MAX_JOINTS = 3
"""Most joiners in an emoji; the longest that Unicode recommends, a family of four, has three."""

_CHARACTERS_READ = 2000
"""Characters of a text that are read: a chat message has 500, not counting invisible ones."""
_RAW_PER_GRAPHEME = 4
"""Characters kept per grapheme; few need more than two."""

ECHO_GRAPHEMES = 40
"""Length of a viewer's words that a program repeats."""

_JOINER = "\u200d"
"""Zero-width joiner: kept only where it joins emoji, as a bear and a snowflake to a polar bear."""
_INVISIBLE = regex.compile(
    r"[[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\N{BRAILLE PATTERN BLANK}]--[\s\u200d]]"
    r"|\u200d(?:(?!\p{Extended_Pictographic})|(?<!\p{Extended_Pictographic}[\p{Emoji_Modifier}\ufe0f]?\u200d))",
    regex.VERSION1,
)
_SPACES = regex.compile(r"\s+")
_LOOSE_MARKS = regex.compile(r"(?:^|(?<=\s))\p{M}+")
_PILED_MARKS = regex.compile(rf"(?<=\p{{M}}{{{MAX_MARKS}}})\p{{M}}+")
_PICTURE = r"\p{Extended_Pictographic}\p{Emoji_Modifier}?"
_CHAIN = regex.compile(rf"((?:{_PICTURE}\u200d){{{MAX_JOINTS}}}{_PICTURE})\u200d")
_NO_PICTURES = regex.compile(r"\P{Extended_Pictographic}+")
_GRAPHEME = regex.compile(r"\X")
_NOT_ECHOED = regex.compile(r"[^\p{L}\p{M}\p{N}\p{So}\p{Sk}\u200d +'&_-]+")
_LINKING = regex.compile(r"://|(?<=\S)\.(?=\S)|[\\/@#]")


def clean_name(name: str) -> str:
    """Return a viewer's name in at most 25 graphemes; may be empty."""
    return clean(name, NAME_GRAPHEMES)


def clean_text(text: str) -> str:
    """Return a viewer's text on one line in at most 100 graphemes; may be empty."""
    return clean(text, TEXT_GRAPHEMES)


def clean(text: str, graphemes: int) -> str:
    """Return a text on one line in at most so many graphemes, of at most four characters on average; may be empty.

    Cleaning twice changes nothing.
    """
    text = text.lstrip()[:_CHARACTERS_READ]
    if text.isascii() and text.isprintable():
        return _SPACES.sub(" ", text)[:graphemes].strip()
    enough = graphemes * _RAW_PER_GRAPHEME
    # Remove invisible characters before cutting, so that they cannot push the rest out.
    text = _shown(text)[:enough]
    # Characters may combine after others between them were removed, so repeat until nothing changes.
    for _ in range(4):
        before = text
        text = _shown(_NO_PICTURES.sub(_normalised, text))[:enough]
        if text == before:
            break
    kept = [found.group() for found, _ in zip(_GRAPHEME.finditer(text), range(graphemes), strict=False)]
    return "".join(kept).strip()


def echo(text: str) -> str:
    """Return a viewer's words for a program to repeat in chat, without addresses, mentions and commands; may be empty."""
    return clean(_NOT_ECHOED.sub(" ", clean_text(text)), ECHO_GRAPHEMES)


def quote(text: str) -> str:
    """Return a program's words about a viewer's for chat: with punctuation, without addresses and mentions."""
    return clean(_LINKING.sub(" ", clean(text, 3 * TEXT_GRAPHEMES)), 3 * TEXT_GRAPHEMES)


def _normalised(found: regex.Match[str]) -> str:
    """Text in NFKC; emoji are left out, since some would become letters."""
    return unicodedata.normalize("NFKC", found[0])


def _shown(text: str) -> str:
    """The text without invisible characters and excess marks."""
    text = _LOOSE_MARKS.sub("", _SPACES.sub(" ", _INVISIBLE.sub("", text)).strip())
    text = _PILED_MARKS.sub("", text)
    return _CHAIN.sub(r"\1", text) if _JOINER in text else text
