"""Signs in YAML that are not what they look like, and what to write instead: odd spaces, tabs, curly quotes, ``#``. Pure."""

from __future__ import annotations

import re
import unicodedata

_ODD = "\t\u0085\u00a0\u00ad\u1680\u180e\u2000-\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
"""Spaces that are no space to YAML, and characters of no width; editors, web pages and messengers put them in."""
_ANY = re.compile(f"[{_ODD}]")
_MISPLACED = re.compile(rf"^ *[{_ODD}]|[{_ODD}](?= *$)|(?<=[:\-?,\[\]{{}}])[{_ODD}]|[{_ODD}](?=[:#])", re.MULTILINE)
"""Where such a character is no part of a text: before and behind it, and next to YAML's signs."""
_UNREAD = re.compile(rf"^ *[{_ODD}]|(?<=[:\-?])[{_ODD}]|[{_ODD}](?= *(?:#|$))", re.MULTILINE)
_LINE_END = re.compile("[\u0085\u2028\u2029]")
_COMMENT = re.compile(r" *(#(?:\S.*|\s*$))", re.MULTILINE)
_LOST_ENTRY = re.compile(r"\s*[,:]\s*(#\S)")
_LOST_FIRST = re.compile(r"\s*(#\S)")
_LOST = re.compile(r"(?<=[\[{,:\s])(#\S)")
_CURLY = re.compile(r"[“”„‟«»].*[“”„‟«»]|[‘’‚‛‹›].*[‘’‚‛‹›]", re.DOTALL)
_NO_SPACE = re.compile(r"([A-Za-z_][\w.]*) ?[:：](\S.*)", re.DOTALL)

HINTS = {
    "cannot start any token": "put the value in quotes",
    "sequence entries are not allowed here": "begin a list on a line of its own; a value with a - in front goes in quotes",
    "mapping values are not allowed here": "put a value that has ': ' in it in quotes, and indent keys alike",
    "expected alphabetic or numeric character": "put the value in quotes",
    "expected <block end>": "indent all keys of a block alike",
    "escape": "in double quotes a backslash is written twice; or use single quotes",
}
"""What helps against some of the parser's complaints, by words in them."""


def line_end(text: str) -> int | None:
    """Where a character stands that ends a line for YAML, even a comment, and not for an editor; None if nowhere."""
    found = _LINE_END.search(text)
    return None if found is None else found.start()


def misplaced(text: str, start: int, end: int, *, key: bool) -> int | None:
    """Where in a piece of text without quotes stands what only looks like a space, or like nothing; None if nowhere.

    Args:
        key: whether it is the name of a setting, which has no such character anywhere.
    """
    found = (_ANY if key else _MISPLACED).search(text[start:end])
    return None if found is None else start + found.end() - 1


def unread(text: str, start: int, end: int) -> int | None:
    """The same for a piece that could not be read, for there is something wrong with it."""
    found = _UNREAD.search(text[start:end])
    return None if found is None else start + found.end() - 1


def place(text: str, index: int) -> tuple[int, int]:
    """Line and column of a character, both from 1, as an editor counts them."""
    begin = text.rfind("\n", 0, index) + 1
    return text.count("\n", 0, index) + 1, index - begin + 1 - (begin == 0 and text.startswith("\ufeff"))


def complaint(text: str, index: int) -> str:
    """What is wrong with such a character, and what to do."""
    sign = text[index]
    line, column = place(text, index)
    begin = text.rfind("\n", 0, index) + 1
    if sign == "\t":
        cure = "indent with spaces" if not text[begin:index].strip() else "write a space in its place"
        return f"holds a tab in column {column}; {cure}"
    name = unicodedata.name(sign, "next line").lower()
    cure = "write a plain space in its place" if unicodedata.category(sign) in ("Zs", "Zl", "Zp", "Cc") else "delete it"
    others = sum(sign in other[: len(other) - len(other.lstrip())] for other in text.split("\n")[line:])
    more = f", and so in {others} more line{'s' * (others > 1)}" if others else ""
    return f"holds {'an' if name[0] in 'aeio' else 'a'} {name} (U+{ord(sign):04X}) in column {column}; {cure}{more}"


def comment(text: str, index: int) -> str:
    """What stands in a value's place and is read as a comment: ``#name``; empty for ``# words``, which is one, and for none."""
    found = _COMMENT.match(text, index)
    return found[1].strip() if found else ""


def lost(text: str, start: int, end: int) -> int | None:
    """Where in a list or block in brackets, which cannot be read, a comment begins that may be text; None if nowhere."""
    found = _LOST.search(text, start, end)
    return found.start(1) if found else None


def lost_entry(text: str, start: int, end: int, *, first: bool) -> int | None:
    """Where a comment begins that stands in the place of an entry of a list or block in brackets: ``[#name,``; None if nowhere.

    Args:
        first: whether the text begins behind the opening bracket, not behind an entry.
    """
    found = (_LOST_FIRST if first else _LOST_ENTRY).match(text, start, end)
    return found.start(1) if found else None


def curly(value: str) -> bool:
    """Whether a text without quotes stands in such quotes as are none to YAML."""
    return _CURLY.fullmatch(value) is not None


def unspaced(value: object) -> str:
    """A hint where a key and its value have no space between them; empty where it is not that."""
    found = _NO_SPACE.fullmatch(value) if isinstance(value, str) else None
    return f"; write '{found[1]}:' and a space behind it" if found and not found[2].startswith("//") else ""
