"""A line to what it asks for: its phrases read, emoji taken for decoration or for a thing, talk told from wishes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from streamer.requests import filler_words
from streamer.requests.emoji import plain
from streamer.requests.phrase_meaning import PhraseMeaning, PhraseReader
from streamer.requests.phrases import Phrase, Separator, phrases
from streamer.requests.spelling import fold


@dataclass(frozen=True, slots=True)
class InterpretedPhrase:
    """One thing that was said."""

    said: str
    """As typed."""
    phrase_meaning: PhraseMeaning | None
    """None for what is not understood, not wanted, or mere decoration."""
    optional: bool = False
    """Whether the others are dreamt without it if it cannot be."""
    silent: bool = False
    """Whether nobody misses it: decoration, 'please'."""
    emoji: bool = False
    wanted: bool = True
    """False for what is to be left out."""


def interpret_line(text: str, reader: PhraseReader) -> list[InterpretedPhrase]:
    """What a cleaned line says, in order. Emoji that say again what something else does are left out."""
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
    """What hangs together loosely: beside something that can be dreamt, the rest may be talk."""
    able = any(each.phrase_meaning is not None and not each.emoji and reader.able(each.phrase_meaning) for each in group)
    return [replace(each, optional=True) if able else each for each in group]


def _merge_emoji(interpreted: Sequence[InterpretedPhrase], reader: PhraseReader) -> list[InterpretedPhrase]:
    """Without emoji whose things something else names already: 'frog 🐸' is one frog, and 'dog 🐩' a poodle."""
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
