"""Viewers' names and texts made fit to be shown: normalised, stripped of what is invisible or reorders text, and cut."""

from __future__ import annotations

import unicodedata

import regex

NAME_GRAPHEMES = 25
TEXT_GRAPHEMES = 100
MAX_MARKS = 3
"""Combining marks kept on one character; text piled up with them climbs over its neighbours."""

_RAW_PER_GRAPHEME = 4
"""Characters read for each one shown: the rest of a megabyte is not looked at, and few characters need more than two."""

_INVISIBLE = regex.compile(
    r"[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}\N{BRAILLE PATTERN BLANK}--\s]", regex.VERSION1
)
_SPACES = regex.compile(r"\s+")
_LOOSE_MARKS = regex.compile(r"(?:^|(?<=\s))\p{M}+")
_PILED_MARKS = regex.compile(rf"(?<=\p{{M}}{{{MAX_MARKS}}})\p{{M}}+")
_GRAPHEME = regex.compile(r"\X")


def clean_name(name: str) -> str:
    """A viewer's name in at most 25 graphemes; may be empty."""
    return _clean(name, NAME_GRAPHEMES)


def clean_text(text: str) -> str:
    """A viewer's text on one line in at most 100 graphemes; may be empty."""
    return _clean(text, TEXT_GRAPHEMES)


def _clean(text: str, graphemes: int) -> str:
    enough = graphemes * _RAW_PER_GRAPHEME
    text = text.lstrip()[:enough]
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
