"""Interprets a line: looks up its phrases, decides which emoji and words are decoration, and collects the result. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from streamer.messages.refused import Refused
from streamer.requests import filler_words
from streamer.requests.emoji import plain
from streamer.requests.phrase_meaning import PhraseMeaning, PhraseReader
from streamer.requests.phrases import Phrase, Separator, phrases
from streamer.requests.spelling import fold


@dataclass(frozen=True, slots=True)
class InterpretedPhrase:
    """One phrase of a line with its meaning."""

    said: str
    """As typed."""
    phrase_meaning: PhraseMeaning | None
    """None if it is not understood, excluded, or only decoration."""
    optional: bool = False
    """Whether the rest is dreamed without it if it cannot be dreamed."""
    silent: bool = False
    """Whether it is left out without a note: decoration, 'please'."""
    emoji: bool = False
    wanted: bool = True
    """False if the viewer excludes it, as after 'without'."""


@dataclass(slots=True)
class MatchBuilder:
    """The result of a line while it is built: the classes, and the notes for the viewer."""

    chosen: list[int] = field(default_factory=list)
    """Classes without duplicates, in the order named."""
    notes: list[str] = field(default_factory=list)
    """What was guessed or chosen."""
    left_out: list[str] = field(default_factory=list)
    """Other words of the line, as typed."""
    several: bool = False
    """Whether the words left out contain subjects that ``+`` would have added."""
    sure: bool = True
    """Whether every chosen class was named without errors or other words."""
    refusal: Refused | None = None
    """Why the first skipped phrase cannot be dreamed."""
    ornament: str = ""
    """The first emoji that is only decoration."""

    def add(self, index: int, note: str, phrase_meaning: PhraseMeaning) -> None:
        """Add a class for a phrase."""
        self.sure = self.sure and not (phrase_meaning.slip or phrase_meaning.within)
        self.left_out.extend(phrase_meaning.besides)
        if index not in self.chosen:
            self.chosen.append(index)
            self.notes.extend([note] if note else [])

    @property
    def exact(self) -> bool:
        """Whether the line has names and nothing else."""
        return self.sure and not self.left_out

    @property
    def note(self) -> str:
        """The note for the viewer: what was guessed, and what was left out; may be empty."""
        return "; ".join([*self.notes, *self._left_out()])

    def _left_out(self) -> list[str]:
        if not self.left_out:
            return []
        *firsts, last = [f"'{words}'" for words in dict.fromkeys(self.left_out)]
        named = f"left out {', '.join(firsts)}{' and ' if firsts else ''}{last}"
        return [named, "join things with +"] if self.several else [named]


def interpret_line(text: str, reader: PhraseReader) -> list[InterpretedPhrase]:
    """Return the phrases of a cleaned line with their meanings, in order, without emoji that repeat another phrase."""
    groups: list[list[InterpretedPhrase]] = []
    for phrase in phrases(text, reader):
        if not groups or phrase.joint >= Separator.FIRM:
            groups.append([])
        groups[-1].append(_interpret(phrase, reader))
    return _merge_emoji([each for group in groups for each in _excuse_small_talk(group, reader)], reader)


def _interpret(phrase: Phrase, reader: PhraseReader) -> InterpretedPhrase:
    if phrase.joint is Separator.WITHOUT:
        return InterpretedPhrase(phrase.words, None, optional=True, silent=phrase.emoji, emoji=phrase.emoji, wanted=False)
    if phrase.emoji:
        phrase_meaning = reader.emoji(plain(phrase.words))
        return InterpretedPhrase(phrase.words, phrase_meaning, optional=True, silent=phrase_meaning is None, emoji=True)
    phrase_meaning = reader.read(phrase.words)
    small = phrase_meaning is None and filler_words.is_filler(fold(phrase.words))
    return InterpretedPhrase(phrase.words, phrase_meaning, optional=small, silent=small)


def _excuse_small_talk(group: Sequence[InterpretedPhrase], reader: PhraseReader) -> list[InterpretedPhrase]:
    """Make all phrases of a loosely joined group optional if one can be dreamed: the others may be chat."""
    able = any(each.phrase_meaning is not None and not each.emoji and reader.able(each.phrase_meaning) for each in group)
    return [replace(each, optional=True) if able else each for each in group]


def _merge_emoji(interpreted: Sequence[InterpretedPhrase], reader: PhraseReader) -> list[InterpretedPhrase]:
    """Drop emoji that another phrase names already: 'frog 🐸' is one frog, and 'dog 🐩' is a poodle."""
    readings = {place: each.phrase_meaning for place, each in enumerate(interpreted) if each.phrase_meaning is not None}
    for place in [place for place in readings if interpreted[place].emoji]:
        emoji = set(readings[place].classes)
        other = next((other for other in readings if other != place and emoji.intersection(readings[other].classes)), None)
        if other is None:
            continue
        both = tuple(index for index in readings[other].classes if index in emoji)
        if reader.able(narrowed := replace(readings[other], classes=both)):
            readings[other] = narrowed
        del readings[place]
    said = [(place, each) for place, each in enumerate(interpreted) if each.phrase_meaning is None or place in readings]
    return [replace(each, phrase_meaning=readings.get(place)) for place, each in said]
