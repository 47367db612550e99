"""A line to what it asks for: its phrases read, emoji taken for decoration or for a thing, talk told from wishes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from streamer.requests import talk
from streamer.requests.emoji import plain
from streamer.requests.phrases import Joint, Phrase, phrases
from streamer.requests.reading import Reader, Reading
from streamer.requests.spelling import fold


@dataclass(frozen=True, slots=True)
class Heard:
    """One thing that was said."""

    said: str
    """As typed."""
    reading: Reading | None
    """None for what is not understood, not wanted, or mere decoration."""
    optional: bool = False
    """Whether the others are dreamt without it if it cannot be."""
    silent: bool = False
    """Whether nobody misses it: decoration, 'please'."""
    emoji: bool = False
    wanted: bool = True
    """False for what is to be left out."""


def hear(text: str, reader: Reader) -> list[Heard]:
    """What a cleaned line says, in order. Emoji that say again what something else does are left out."""
    groups: list[list[Heard]] = []
    for phrase in phrases(text, reader):
        if not groups or phrase.joint >= Joint.FIRM:
            groups.append([])
        groups[-1].append(_heard(phrase, reader))
    return _merged([each for group in groups for each in _beside(group, reader)], reader)


def _heard(phrase: Phrase, reader: Reader) -> Heard:
    if phrase.joint is Joint.WITHOUT:
        return Heard(phrase.words, None, optional=True, silent=phrase.emoji, emoji=phrase.emoji, wanted=False)
    if phrase.emoji:
        reading = reader.emoji(plain(phrase.words))
        return Heard(phrase.words, reading, optional=True, silent=reading is None, emoji=True)
    reading = reader.read(phrase.words)
    small = reading is None and talk.small(fold(phrase.words))
    return Heard(phrase.words, reading, optional=small, silent=small)


def _beside(group: Sequence[Heard], reader: Reader) -> list[Heard]:
    """What hangs together loosely: beside something that can be dreamt, the rest may be talk."""
    able = any(each.reading is not None and not each.emoji and reader.able(each.reading) for each in group)
    return [replace(each, optional=True) if able else each for each in group]


def _merged(heard: Sequence[Heard], reader: Reader) -> list[Heard]:
    """Without emoji whose things something else names already: 'frog 🐸' is one frog, and 'dog 🐩' a poodle."""
    readings = {place: each.reading for place, each in enumerate(heard) if each.reading is not None}
    for place in [place for place in readings if heard[place].emoji]:
        emoji = set(readings[place].classes)
        other = next((other for other in readings if other != place and emoji.intersection(readings[other].classes)), None)
        if other is None:
            continue
        both = tuple(index for index in readings[other].classes if index in emoji)
        if reader.able(narrowed := replace(readings[other], classes=both)):
            readings[other] = narrowed
        del readings[place]
    said = [(place, each) for place, each in enumerate(heard) if each.reading is None or place in readings]
    return [replace(each, reading=readings.get(place)) for place, each in said]
