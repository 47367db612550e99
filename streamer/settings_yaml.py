"""Parses plain YAML into nodes that know their positions.

Plain YAML has blocks, lists and values only. Aliases, tags and duplicate keys are refused, and values mean what they look like:
``yes`` and ``12:30`` are text, only ``true`` and ``false`` are booleans.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from streamer import settings_characters as signs

MAX_DEPTH = 16
"""Deepest nesting of blocks; the settings need five."""

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True, order=True)
class SourcePosition:
    """Where a value was written; sorts in the order in which problems are listed."""

    source: int
    """0 the file, 1 the environment, 2 the command line."""
    line: int
    """1-based line of the file; for the command line, number of the override."""
    label: str


@dataclass(slots=True)
class YamlNode:
    """A value and its position."""

    value: Any
    """bool, int, float, str or None; list[YamlNode]; dict[str, YamlNode]."""
    place: SourcePosition
    shown: str
    """The value as its author wrote it."""
    comment: str = ""
    """Comment in place of a missing value, such as ``#name``."""

    def plain(self) -> Any:
        """Return the value without positions, as JSON."""
        match self.value:
            case dict():
                return {key: node.plain() for key, node in self.value.items()}
            case list():
                return [node.plain() for node in self.value]
            case value:
                return value


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake."""

    place: SourcePosition
    message: str

    @property
    def text(self) -> str:
        """The line an operator reads, for example ``live.yaml:12: 'video.fps' is 0; must be 1 to 120``."""
        return f"{self.place.label}: {self.message}"


class Unreadable(Exception):
    """The YAML is broken, or has more than plain values."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        """1-based."""


class YamlReader:
    """Converts a YAML document to nodes, from parser events, so that nesting and aliases cannot exhaust memory."""

    def __init__(self, text: str, place: Callable[[int], SourcePosition], problems: list[Problem]) -> None:
        """Read ``text``, whose line n is at ``place(n)``; add duplicate keys to ``problems``."""
        self._text = text
        self._place = place
        self._problems = problems
        self._events: Iterator[yaml.Event] = iter(())
        self._read_to = 0
        """Number of characters read so far."""

    def read(self) -> YamlNode:
        """Return the document's root; its value is None if there are only comments.

        Raises:
            Unreadable: it is not YAML, or has features that a config does not need.
        """
        if (culprit := signs.line_end(self._text)) is not None:
            raise self._culprit(culprit)
        try:
            self._events = self._checked()
            next(self._events)  # the start of the stream
            if isinstance(next(self._events), yaml.StreamEndEvent):
                return YamlNode(None, self._place(1), "empty", signs.comment(self._text, 0))
            root = self._node(next(self._events))
            next(self._events)  # the document's end
            if not isinstance(event := next(self._events), yaml.StreamEndEvent):
                raise Unreadable(_line(event), "a second YAML document ('---'); a config is one document")
        except yaml.MarkedYAMLError as error:
            raise self._not_yaml(error) from None
        except yaml.reader.ReaderError as error:
            line = self._text.count("\n", 0, error.position) + 1
            raise Unreadable(line, f"holds the control character {chr(error.character)!r}; remove it") from None
        return root

    def _not_yaml(self, error: yaml.MarkedYAMLError) -> Unreadable:
        """Describe text that cannot be parsed: by the character at fault if it is known, else in the parser's words."""
        mark = error.problem_mark or error.context_mark
        if mark is None:
            return Unreadable(1, f"is not YAML: {error.problem or error.context}")
        if (culprit := signs.unread(self._text, self._read_to, mark.index + 1)) is not None:
            return self._culprit(culprit)
        said = str(error.problem or error.context)
        hint = next((hint for words, hint in signs.HINTS.items() if words in said), "")
        if (lost := signs.lost(self._text, self._read_to, mark.index)) is not None:
            hint = f"the # in line {signs.place(self._text, lost)[0]} starts a comment: put text that starts with # in quotes"
        return Unreadable(mark.line + 1, f"is not YAML: {said}{'; ' * bool(hint)}{hint}")

    def _look_for_lost(self, end: int, *, first: bool) -> None:
        """Refuse a comment in place of an entry in brackets, up to the character at ``end``."""
        if (lost := signs.lost_entry(self._text, self._read_to, end, first=first)) is not None:
            line, column = signs.place(self._text, lost)
            raise Unreadable(
                line,
                f"holds a # in column {column}, where an entry should be: put text that starts with # in quotes, or write a "
                "space after it if it is a comment",
            )

    def _culprit(self, index: int) -> Unreadable:
        return Unreadable(signs.place(self._text, index)[0], signs.complaint(self._text, index))

    def _checked(self) -> Iterator[yaml.Event]:
        """Yield parser events; raise at anything that a config does not need."""
        depth = brackets = 0
        opened = False
        for event in yaml.parse(self._text, Loader=yaml.SafeLoader):
            line = _line(event)
            assert event.start_mark is not None, "the parser marks all that it reads"
            if brackets:
                self._look_for_lost(event.start_mark.index, first=opened)
            opened = isinstance(event, yaml.CollectionStartEvent) and event.flow_style is True
            brackets += opened or -(brackets > 0 and isinstance(event, yaml.CollectionEndEvent))
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > MAX_DEPTH:
                raise Unreadable(line, f"is nested more than {MAX_DEPTH} deep; the settings need five levels")
            if isinstance(event, yaml.AliasEvent):
                raise Unreadable(line, f"has an alias '*{event.anchor}'; write the value out")
            if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
                raise Unreadable(line, f"has a tag '{event.tag}'; leave it out, in quotes a value is text")
            if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.anchor is not None:
                raise Unreadable(line, f"has an anchor '&{event.anchor}'; leave it out, in quotes a value is text")
            self._read_to = event.end_mark.index if event.end_mark else self._read_to
            yield event

    def _node(self, event: yaml.Event, *, key: bool = False) -> YamlNode:
        place = self._place(_line(event))
        if isinstance(event, yaml.SequenceStartEvent):
            nodes = []
            while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
                nodes.append(self._node(event))
            return YamlNode(nodes, place, "a list")
        if isinstance(event, yaml.MappingStartEvent):
            return self._block(place)
        assert isinstance(event, yaml.ScalarEvent)
        if any("\ud800" <= character <= "\udfff" for character in event.value):
            raise Unreadable(place.line, "holds half of a surrogate pair; write the character itself")
        if event.style is None:
            assert event.start_mark, "the parser marks all that it reads"
            assert event.end_mark, "the parser marks all that it reads"
            start, end = event.start_mark.index, event.end_mark.index
            if (culprit := signs.misplaced(self._text, start, end, key=key)) is not None:
                raise self._culprit(culprit)
            if signs.curly(event.value):
                self._problems.append(Problem(place, "holds curly quotes; write straight ones"))
                return YamlNode(event.value[1:-1], place, cut(event.value))
            comment = "" if event.value else signs.comment(self._text, end)
            return YamlNode(meaning(event.value), place, cut(event.value) or "empty", comment)
        return YamlNode(event.value, place, cut(json.dumps(event.value, ensure_ascii=False)))

    def _block(self, place: SourcePosition) -> YamlNode:
        entries: dict[str, YamlNode] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = _line(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise Unreadable(line, "has a list or block as a key; a key is a name")
            self._node(event, key=True)
            node = self._node(next(self._events))
            node.place = self._place(line)
            if event.value == "kind" and node.value is None and node.shown != "empty":
                node.value = node.shown  # 'null' is a kind of output
            if event.value in entries:
                first = entries[event.value].place.line
                self._problems.append(
                    Problem(node.place, f"'{cut(event.value)}' is given twice; it is in line {first} already")
                )
            entries[event.value] = node
        return YamlNode(entries, place, "a block")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def meaning(text: str) -> bool | int | float | str | None:
    """Return the value of unquoted text: YAML 1.2's core schema, without its octal, hex and infinite numbers."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 40:  # no setting has such numbers
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def cut(text: str, length: int = 60) -> str:
    """Return the text on one line, shortened to quote it in a message."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
