"""Splits a line into phrases, each of which names one thing. Pure.

Separators are signs (``+``, ``&``, commas, dashes) and words (``and``, ``plus``, ``vs``, ``with``), unless both sides together
are a name: ``bow and arrow``, ``black-and-tan coonhound``. Emoji and cheermotes also separate.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import regex

from shared.cheermotes import CHEER
from streamer.requests import emoji

MOST_PIECES = 4
"""Most pieces of a line that may form one name."""


class Separator(IntEnum):
    """What separates a phrase from the one before, weakest first."""

    ORNAMENT = 1
    """An emoji, a cheermote or an emoticon."""
    LOOSE = 2
    """``with``, ``x``, ``or``, a dash, a full stop: what follows may be a subject or chat."""
    FIRM = 3
    """``and``, ``plus``, ``vs``, a comma: another subject follows. Also the start of the line."""
    WALL = 4
    """``+``: both sides are never one name."""
    WITHOUT = 5
    """``without``, ``minus``: what follows is excluded."""


JOINING_WORDS = r"(?:and|plus|vs\.?|versus|with)"
"""Words that separate subjects of every kind."""

_JOINT = regex.compile(
    rf"""
      (?P<ornament> {CHEER}
        | (?<!\S)(?: </?3+ | [:;=8x]['^o-]?[)(\]\[dpo3/\\|*]+ | :'\( | \^[_.]?\^ | [o0]_[o0] | t_t | xd+ | \\o/ | o7 )(?!\S) )
    | (?P<emoji> {emoji.ONE} )
    | (?P<wall> \+ )
    | (?P<without> (?<!\S)(?: (?:(?:but|and)\s+)?(?:without|w/o|minus|except(?:\s+for)?) | (?:but|and)\s+(?:no|not) )(?!\S) )
    | (?P<firm> [,;|&、،؛] | (?<![\w'.-])(?: and | plus | vs\.? | versus | as\s+well\s+as )(?![\w'-]) )
    | (?P<loose> (?<![\w'.-])(?: (?:(?:together|along)\s+)?with | or )(?![\w'-]) | (?<!\S)(?: x | v | '?n'? )(?!\S)
        | (?<!\S)w/ | [/\\×→–—] | (?<!\S)-+>? | -+>?(?!\S) | \.{{2,}} | \.(?!\S) | [!?:()\[\]{{}}<>=~*"“”„«»•·#]+ )
    """,
    regex.VERBOSE | regex.IGNORECASE,
)
_KINDS = {
    "ornament": Separator.ORNAMENT,
    "emoji": Separator.ORNAMENT,
    "wall": Separator.WALL,
    "without": Separator.WITHOUT,
    "firm": Separator.FIRM,
    "loose": Separator.LOOSE,
}
_BETWEEN_DASHES = re.compile(r"[^-]+")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that may name one thing."""

    words: str
    """As typed; for an emoji, the emoji."""
    joint: Separator = Separator.FIRM
    emoji: bool = False


class Names(Protocol):
    """Knows which words are names."""

    def known(self, words: str) -> bool:
        """Return whether words, as typed, are a name."""
        ...

    def misspelt(self, words: str) -> bool:
        """Return whether words, as typed, are a name with typing errors."""
        ...


@dataclass(frozen=True, slots=True)
class _WordRun:
    """Words between two separators."""

    words: str
    joint: Separator
    start: int
    """Index of its first character in the line."""
    end: int


class _Line:
    """A line, split at every separator."""

    def __init__(self, text: str) -> None:
        self.pieces: list[_WordRun | Phrase] = []
        """Words and emoji, in order."""
        shown = text
        place, joint = 0, Separator.FIRM
        for found in _JOINT.finditer(text):
            joint = self._take(text, place, found.start(), joint)
            place = found.end()
            assert found.lastgroup is not None, "each alternative has a name"
            kind = _KINDS[found.lastgroup]
            joint = max(joint, kind)
            if kind is Separator.ORNAMENT:
                shown = shown[: found.start()] + " " * len(found[0]) + shown[found.end() :]
            if found.lastgroup == "emoji":
                self.pieces.append(Phrase(found[0], joint, emoji=True))
                joint = Separator.ORNAMENT if joint is Separator.WITHOUT else joint
        self._take(text, place, len(text), joint)
        self.shown = shown
        """The line with spaces instead of ornaments."""

    def _take(self, text: str, start: int, end: int, joint: Separator) -> Separator:
        words = text[start:end]
        if not any(map(str.isalnum, words)):
            return joint
        start += len(words) - len(words.lstrip())
        words = words.strip()
        self.pieces.append(_WordRun(words, joint, start, start + len(words)))
        return Separator.ORNAMENT

    def joined(self, run: Sequence[_WordRun]) -> str:
        """Pieces with the text between them, without ornaments."""
        return " ".join(self.shown[run[0].start : run[-1].end].split())

    def run(self, first: int) -> list[int]:
        """Indices of a piece and of those after it that may belong to the same name."""
        run = [first]
        for place in range(first + 1, len(self.pieces)):
            piece = self.pieces[place]
            if isinstance(piece, Phrase):
                continue
            if piece.joint >= Separator.WALL or len(run) == MOST_PIECES:
                break
            run.append(place)
        return run

    def longest_name(self, run: Sequence[_WordRun], names: Names) -> int:
        """How many pieces form one name; at least 1."""
        counts = range(len(run), 1, -1)
        if found := next((count for count in counts if names.known(self.joined(run[:count]))), 0):
            return found
        apart = [names.known(piece.words) for piece in run]
        spelt = (count for count in counts if not all(apart[:count]) and names.misspelt(self.joined(run[:count])))
        return next(spelt, 1)

    def dashed(self, piece: _WordRun, names: Names) -> Iterator[Phrase]:
        """Split a piece at its dashes if all parts are names and the whole is not."""
        parts = list(_BETWEEN_DASHES.finditer(piece.words))
        if len(parts) == 1 or names.known(piece.words) or not all(names.known(part[0]) for part in parts):
            yield Phrase(piece.words, piece.joint)
            return
        at = piece.start
        run = [_WordRun(part[0], Separator.FIRM, at + part.start(), at + part.end()) for part in parts]
        joint = piece.joint
        while run:
            count = self.longest_name(run[:MOST_PIECES], names)
            yield Phrase(self.joined(run[:count]), joint)
            run, joint = run[count:], Separator.LOOSE


def phrases(text: str, names: Names) -> Iterator[Phrase]:
    """Yield the phrases of a cleaned line, in order; none if it has neither words nor emoji."""
    line = _Line(text)
    if not line.pieces and any(map(str.isalnum, line.shown)):  # nothing but a separator word
        yield Phrase(line.shown.strip())
    start = 0
    while start < len(line.pieces):
        if isinstance(piece := line.pieces[start], Phrase):
            yield piece
            start += 1
            continue
        places = line.run(start)
        run = [each for place in places if isinstance(each := line.pieces[place], _WordRun)]
        count = line.longest_name(run, names)
        if count > 1:
            yield Phrase(line.joined(run[:count]), piece.joint)
        else:
            yield from line.dashed(piece, names)
        last = places[count - 1]
        yield from (between for between in line.pieces[start:last] if isinstance(between, Phrase))
        start = last + 1
