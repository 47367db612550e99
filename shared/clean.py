"""Viewers' names and texts made fit to be shown: normalised, stripped of what is invisible or reorders text, and cut.

Bounded: of a megabyte only the first two thousand characters are looked at.
"""

from __future__ import annotations

import unicodedata

import regex

NAME_GRAPHEMES = 25
TEXT_GRAPHEMES = 100
LINE_GRAPHEMES = 500
"""Of a whole chat message; Twitch sends no longer ones."""
MAX_MARKS = 3
"""Combining marks kept on one character; text piled up with them climbs over its neighbours."""
MAX_JOINTS = 3
"""Emoji joined to one; the longest that Unicode recommends, a family of four, has three joints."""

_LOOKED_AT = 2000
"""Characters of a text that are looked at: a chat message has 500, and what is invisible of them does not count."""
_RAW_PER_GRAPHEME = 4
"""Characters kept for each one shown; few need more than two."""

ECHO_GRAPHEMES = 40
"""Of a viewer's words that a program repeats."""

_JOINER = "\u200d"
"""Invisible, but where it makes one emoji of several: a polar bear of a bear and a snowflake."""
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
    """A viewer's name in at most 25 graphemes; may be empty."""
    return clean(name, NAME_GRAPHEMES)


def clean_text(text: str) -> str:
    """A viewer's text on one line in at most 100 graphemes; may be empty."""
    return clean(text, TEXT_GRAPHEMES)


def clean(text: str, graphemes: int) -> str:
    """A text on one line in at most so many graphemes, each of four characters on average or fewer; may be empty.

    Cleaning twice changes nothing.
    """
    text = text.lstrip()[:_LOOKED_AT]
    if text.isascii() and text.isprintable():
        return _SPACES.sub(" ", text)[:graphemes].strip()
    enough = graphemes * _RAW_PER_GRAPHEME
    # What is not shown goes before anything is cut, so that no amount of it hides the rest.
    text = _shown(text)[:enough]
    # What is stripped may have kept characters apart that now combine, so repeat until nothing changes.
    for _ in range(4):
        before = text
        text = _shown(_NO_PICTURES.sub(_normalised, text))[:enough]
        if text == before:
            break
    kept = [found.group() for found, _ in zip(_GRAPHEME.finditer(text), range(graphemes), strict=False)]
    return "".join(kept).strip()


def echo(text: str) -> str:
    """A viewer's words as a program may repeat them in chat: no address, mention or command; may be empty."""
    return clean(_NOT_ECHOED.sub(" ", clean_text(text)), ECHO_GRAPHEMES)


def quote(text: str) -> str:
    """A program's words about a viewer's, as they may be said in chat: punctuation stays, addresses and mentions do not."""
    return clean(_LINKING.sub(" ", clean(text, 3 * TEXT_GRAPHEMES)), 3 * TEXT_GRAPHEMES)


def _normalised(found: regex.Match[str]) -> str:
    """Text in its plain form; emoji are not, for that of some is a letter."""
    return unicodedata.normalize("NFKC", found[0])


def _shown(text: str) -> str:
    """The text without what is not shown."""
    text = _LOOSE_MARKS.sub("", _SPACES.sub(" ", _INVISIBLE.sub("", text)).strip())
    text = _PILED_MARKS.sub("", text)
    return _CHAIN.sub(r"\1", text) if _JOINER in text else text
