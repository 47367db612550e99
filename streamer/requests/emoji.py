"""Emoji in a line of text: where they are, and which belong together as one. Pure."""

from __future__ import annotations

import regex

ONE = (
    r"(?:\p{Regional_Indicator}{1,2}"  # a flag
    r"|[0-9#*]\ufe0f?\u20e3"  # a keycap
    r"|\p{Extended_Pictographic}[\p{Emoji_Modifier}\ufe0e\ufe0f\U000e0020-\U000e007f]*"
    r"(?:\u200d\p{Extended_Pictographic}[\p{Emoji_Modifier}\ufe0e\ufe0f]*)*"
    r"|[\p{So}\p{Emoji_Modifier}])"
)
"""A regular expression: one emoji, joined and coloured in whatever way, or another sign that is no letter."""

_COLOURED = regex.compile(r"[\p{Emoji_Modifier}\ufe0e\ufe0f]")


def plain(emoji: str) -> str:
    """An emoji without its skin tones and without whether it is to be drawn in colour: what emoji are looked up by."""
    return _COLOURED.sub("", emoji)
