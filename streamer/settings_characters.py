"""Finds misleading characters in YAML, such as odd spaces, tabs, curly quotes and ``#``, and suggests fixes. Pure."""

from __future__ import annotations

import re
import unicodedata

_ODD = "\t\u0085\u00a0\u00ad\u1680\u180e\u2000-\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
"""Spaces that YAML does not treat as spaces, and zero-width characters; editors, web pages and messengers insert them."""
_ANY = re.compile(f"[{_ODD}]")
_MISPLACED = re.compile(rf"^ *[{_ODD}]|[{_ODD}](?= *$)|(?<=[:\-?,\[\]{{}}])[{_ODD}]|[{_ODD}](?=[:#])", re.MULTILINE)
"""Such characters where they cannot be part of a text: before and after it, and next to YAML's indicators."""
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
    "sequence entries are not allowed here": "start a list on a new line; put a value that starts with - in quotes",
    "mapping values are not allowed here": "put a value that has ': ' in it in quotes, and indent keys alike",
    "expected alphabetic or numeric character": "put the value in quotes",
    "expected <block end>": "indent all keys of a block alike",
    "escape": "write a backslash twice in double quotes; or use single quotes",
}
"""Hints for some of the parser's errors, by words in their messages."""


def line_end(text: str) -> int | None:
    """Return the index of a character that ends a line in YAML but not in an editor; None if there is none."""
    found = _LINE_END.search(text)
    return None if found is None else found.start()


def misplaced(text: str, start: int, end: int, *, key: bool) -> int | None:
    """Return the index of a misleading character in a piece of unquoted text; None if there is none.

    Args:
        key: whether the text is the name of a setting, which has no such character anywhere.
    """
    found = (_ANY if key else _MISPLACED).search(text[start:end])
    return None if found is None else start + found.end() - 1


def unread(text: str, start: int, end: int) -> int | None:
    """Do the same for a piece that could not be parsed."""
    found = _UNREAD.search(text[start:end])
    return None if found is None else start + found.end() - 1


def place(text: str, index: int) -> tuple[int, int]:
    """Return the line and column of a character, both from 1, as an editor counts them."""
    begin = text.rfind("\n", 0, index) + 1
    return text.count("\n", 0, index) + 1, index - begin + 1 - (begin == 0 and text.startswith("\ufeff"))


def complaint(text: str, index: int) -> str:
    """Return what is wrong with a misleading character, and what to do."""
    sign = text[index]
    line, column = place(text, index)
    begin = text.rfind("\n", 0, index) + 1
    if sign == "\t":
        cure = "indent with spaces" if not text[begin:index].strip() else "write a space instead"
        return f"holds a tab in column {column}; {cure}"
    name = unicodedata.name(sign, "next line").lower()
    cure = "write a plain space instead" if unicodedata.category(sign) in ("Zs", "Zl", "Zp", "Cc") else "delete it"
    others = sum(sign in other[: len(other) - len(other.lstrip())] for other in text.split("\n")[line:])
    more = f", also in {others} more line{'s' * (others > 1)}" if others else ""
    return f"holds {'an' if name[0] in 'aeio' else 'a'} {name} (U+{ord(sign):04X}) in column {column}; {cure}{more}"


def comment(text: str, index: int) -> str:
    """Return text in a value's place that is read as a comment, such as ``#name``; empty for ``# words``, a real comment."""
    found = _COMMENT.match(text, index)
    return found[1].strip() if found else ""


def lost(text: str, start: int, end: int) -> int | None:
    """Return where a comment that may be text starts in a bracketed list or block that cannot be parsed; None if nowhere."""
    found = _LOST.search(text, start, end)
    return found.start(1) if found else None


def lost_entry(text: str, start: int, end: int, *, first: bool) -> int | None:
    """Return where a comment starts in place of an entry of a bracketed list or block, as in ``[#name,``; None if nowhere.

    Args:
        first: whether the text starts after the opening bracket, not after an entry.
    """
    found = (_LOST_FIRST if first else _LOST_ENTRY).match(text, start, end)
    return found.start(1) if found else None


def curly(value: str) -> bool:
    """Return whether an unquoted text is in curly quotes, which are not quotes in YAML."""
    return _CURLY.fullmatch(value) is not None


def unspaced(value: object) -> str:
    """Return a hint if a space between a key and its value is missing; else an empty text."""
    found = _NO_SPACE.fullmatch(value) if isinstance(value, str) else None
    return f"; write a space after '{found[1]}:'" if found and not found[2].startswith("//") else ""
