"""What people type made fit to be read and to be said again: normalised, stripped of what is invisible or reorders text, cut.

Bounded: of a megabyte only the first few hundred characters are looked at.
"""

from __future__ import annotations

import unicodedata

import regex

NAME_GRAPHEMES = 25
TEXT_GRAPHEMES = 100
ECHO_GRAPHEMES = 40
"""Of a viewer's words, what the bot says again."""
MAX_MARKS = 3
"""Combining marks kept on one character; text piled up with them climbs over its neighbours."""

_RAW_PER_GRAPHEME = 4
"""Characters read for each one kept; few need more than two."""
_LEADING = 2000
"""Characters that are looked through for the first visible one; a chat message has 500."""

_INVISIBLE = regex.compile(
    r"[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\N{BRAILLE PATTERN BLANK}--\s]", regex.VERSION1
)
_LEADING_UNSEEN = regex.compile(
    r"[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\N{BRAILLE PATTERN BLANK}\s]*+", regex.VERSION1
)
_SPACES = regex.compile(r"\s+")
_LOOSE_MARKS = regex.compile(r"(?:^|(?<=\s))\p{M}+")
_PILED_MARKS = regex.compile(rf"(?<=\p{{M}}{{{MAX_MARKS}}})\p{{M}}+")
_GRAPHEME = regex.compile(r"\X")
_NOT_ECHOED = regex.compile(r"[^\p{L}\p{M}\p{N}\p{So}\p{Sk} +'&_-]+")
_LINKING = regex.compile(r"://|(?<=\S)\.(?=\S)|[\\/@#]")


def clean_name(name: str) -> str:
    """A name in at most 25 graphemes; may be empty."""
    return _clean(name, NAME_GRAPHEMES)


def clean_text(text: str) -> str:
    """A text on one line in at most 100 graphemes; may be empty."""
    return _clean(text, TEXT_GRAPHEMES)


def echo(text: str) -> str:
    """A viewer's words as the bot may say them: no address, mention or command comes out of its mouth; may be empty."""
    return _clean(_NOT_ECHOED.sub(" ", _clean(text, TEXT_GRAPHEMES)), ECHO_GRAPHEMES)


def quote(text: str) -> str:
    """A program's words about a viewer's: punctuation stays, addresses and mentions do not."""
    return _clean(_LINKING.sub(" ", _clean(text, 3 * TEXT_GRAPHEMES)), 3 * TEXT_GRAPHEMES)


def _clean(text: str, graphemes: int) -> str:
    enough = graphemes * _RAW_PER_GRAPHEME
    text = text[:_LEADING]
    leading = _LEADING_UNSEEN.match(text)
    text = text[leading.end() if leading else 0 :][:enough]
    if text.isascii() and text.isprintable():
        return _SPACES.sub(" ", text)[:graphemes].strip()
    # What is stripped may have kept characters apart that now combine, so repeat until nothing changes.
    for _ in range(4):
        before = text
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))[:enough]
        text = _LOOSE_MARKS.sub("", _SPACES.sub(" ", text).strip())
        text = _PILED_MARKS.sub("", text)
        if text == before:
            break
    shown = [found.group() for found, _ in zip(_GRAPHEME.finditer(text), range(graphemes), strict=False)]
    return "".join(shown).strip()
