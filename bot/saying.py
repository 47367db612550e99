"""What others typed made fit for the bot to say again: no address, mention or command comes out of its mouth."""

from __future__ import annotations

import regex

from viewer_text.clean import TEXT_GRAPHEMES, clean, clean_text

ECHO_GRAPHEMES = 40
"""Of a viewer's words, what the bot says again."""

_NOT_ECHOED = regex.compile(r"[^\p{L}\p{M}\p{N}\p{So}\p{Sk}\u200d +'&_-]+")
_LINKING = regex.compile(r"://|(?<=\S)\.(?=\S)|[\\/@#]")


def echo(text: str) -> str:
    """A viewer's words as the bot may say them; may be empty."""
    return clean(_NOT_ECHOED.sub(" ", clean_text(text)), ECHO_GRAPHEMES)


def quote(text: str) -> str:
    """A program's words about a viewer's: punctuation stays, addresses and mentions do not."""
    return clean(_LINKING.sub(" ", clean(text, 3 * TEXT_GRAPHEMES)), 3 * TEXT_GRAPHEMES)
