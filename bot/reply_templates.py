"""What a reply of the bot is made of: several templates with placeholders, so that nothing is said twice in a row."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from bot.adapter import MAX_REPLY

COMMON = ("user", "prefix")
"""Placeholders of every reply: who is answered, and what commands start with."""

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "user": "who is answered",
        "prefix": "what commands start with",
        "what": "what was understood, for example 'tabby cat on top, pizza below'",
        "place": "the position in words, for example 'third'",
        "wait": "the wait in words, for example 'in about 2 minutes'",
        "votes": "how many want it",
        "heard": "what was typed, or asked for",
        "near": "what would be understood, for example 'lion, candle or umbrella'",
        "example": "something that the network at work knows",
        "pair": "two such things, for example 'lion + candle'",
        "message": "the streamer's own words",
        "note": "what was guessed or left out, for example \"read 'vulcano' as volcano\"",
        "list": "the next few in the queue, some layers, some changes, or a poll's choices",
        "count": "how many",
        "by": "who asked for it",
        "commands": "the commands that the viewer may use",
        "more": "how many votes are missing",
        "needed": "how many votes it takes",
        "name": "the viewer or thing that it is about",
        "id": "the request's number",
        "seconds": "how many seconds",
        "speed": "the zoom factor per second",
        "link": "the address of what was kept",
        "path": "the last part of that address",
        "first": "what fills the first place",
        "second": "what fills the second",
        "things": "all but the last, with commas",
        "last": "the last one",
        "n": "the number",
    }
)
"""What each placeholder stands for."""
_PLACEHOLDER = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class ReplyTemplates:
    """The templates of one reply."""

    about: str
    """When it is said."""
    placeholders: tuple[str, ...]
    """Besides ``COMMON``."""
    templates: tuple[str, ...]


def reply(about: str, placeholders: str, *templates: str) -> ReplyTemplates:
    """A reply; ``placeholders`` are words with spaces between them."""
    return ReplyTemplates(about, tuple(placeholders.split()), templates)


def wrong_template(known: ReplyTemplates, text: str) -> str:
    """What is wrong with a text for that reply, as it follows the key in a message; empty when nothing is."""
    names = (*known.placeholders, *COMMON)
    may = f"it may have {', '.join(f'{{{name}}}' for name in names)}"
    if not text.strip() or "\n" in text or len(text) > MAX_REPLY:
        return f"must be one line of 1 to {MAX_REPLY} characters"
    try:
        fields = [(name, spec, how) for _, name, spec, how in string.Formatter().parse(text) if name is not None]
    except ValueError:
        return f"has a brace without its partner; write {{{{ for a brace itself; {may}"
    for name, spec, how in fields:
        if spec or how or not _PLACEHOLDER.fullmatch(name):
            return (
                f"has '{{{name}{'!' + how if how else ''}{':' + spec if spec else ''}}}'; a placeholder is a plain word; {may}"
            )
        if name not in names:
            near = get_close_matches(name, names, 1)
            return f"has the unknown placeholder {{{name}}}; {f'did you mean {{{near[0]}}}? ' if near else ''}{may}"
    often = [name for name, count in Counter(name for name, _, _ in fields).items() if count > 3]
    return f"has {{{often[0]}}} more than three times" if often else ""
