"""Emoji in text: a pattern that finds each one, joined ones included. Pure."""

from __future__ import annotations

import regex

ONE = (
    r"(?:\p{Regional_Indicator}{1,2}"  # a flag
    r"|[0-9#*]\ufe0f?\u20e3"  # a keycap
    r"|\p{Extended_Pictographic}[\p{Emoji_Modifier}\ufe0e\ufe0f\U000e0020-\U000e007f]*"
    r"(?:\u200d\p{Extended_Pictographic}[\p{Emoji_Modifier}\ufe0e\ufe0f]*)*"
    r"|[\p{So}\p{Emoji_Modifier}])"
)
"""A regular expression for one emoji, with its joined parts and modifiers, or another symbol."""

_COLOURED = regex.compile(r"[\p{Emoji_Modifier}\ufe0e\ufe0f]")


def plain(emoji: str) -> str:
    """Return an emoji without skin tones and variation selectors, the form in which emoji are looked up."""
    return _COLOURED.sub("", emoji)
