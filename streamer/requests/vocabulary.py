"""Viewers' words to classes: names, synonyms, plurals, slips of the fingers, near matches and kind refusals."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from random import Random

from streamer.messages import MAX_TARGETS, ClassEntry, Match, Reason, Refused, Target, Unlearnt
from streamer.requests.clean import clean_text
from streamer.requests.knowledge import LARGER, knowledge
from streamer.requests.shelf import Shelf
from streamer.requests.spelling import fold, key, variants

SUGGESTIONS = 5
"""Subjects offered in place of one that cannot be dreamt."""
LONGEST_SENTENCE = 8
"""Words of a phrase in which known words are still looked for: beyond that it is talk, not a wish."""
PAIRS = 0.7
"""Share of pairs among the subjects that nobody asked for."""
SURE_SLIP = 6
"""Letters from which a misspelt word is looked for inside a phrase; among shorter ones 'pink' would pass for 'mink'."""

_SOFT = re.compile(r"(\s*[,;/|&]\s*|\s+and\s+)", re.IGNORECASE)
"""What stands between subjects, or inside a name: 'black and gold garden spider'."""
_PREPOSITION = re.compile(r" (?:in|on|with|at|from|under|over|near|inside|by|for|to|of) ")
_OPENING = re.compile(
    r"^(?:(?:a|an|the|some|my|your|our|his|her|one|two|three|more|another|please|pls|plz|i|want|would|like|wanna|can i|could i|"
    r"see|show|me|us|give|gimme|dream|dreams|dreaming|of|about|let|lets|have|need|just|maybe|very|big|huge|little|small|tiny|giant|"
    r"cute|beautiful|many|lots) )+(?=\S)"
)
_CLOSING = re.compile(r"(?<=\S)(?: (?:please|pls|plz|thanks|thx|lol|now|again))+$")
"""What people say around the thing itself: 'can i see the volcano please'."""
_EMOJI_MARK = "\x01"  # cleaned text has no control characters, so this one is free to mean 'may be left out'
_EMOJI_WORDS = re.compile(r"\b(?:face|with|smiling|slice of|cooked|symbol|building|emoji|sign)\b")


@dataclass(frozen=True, slots=True)
class _Reading:
    """One subject, understood but not yet chosen from."""

    said: str
    """The words that were understood, as typed."""
    classes: tuple[int, ...]
    slip: bool = False
    within: bool = False
    """Whether more was said around it."""


class Vocabulary:
    """What can be asked for, given what the network has learnt. Thread-safe."""

    def __init__(self, shelf: Shelf, available: Collection[str] | None = None, blocked: Collection[str] = ()) -> None:
        """Make the vocabulary of a network.

        Args:
            available: the wnids it has learnt; None while it is not known which network it will be: anything passes then,
                and what nobody named is taken from what every network knows.
            blocked: those that are not to be dreamt nevertheless.

        Raises:
            ValueError: it has learnt none.
        """
        self._shelf = shelf
        wnids = shelf.index.keys() if available is None else shelf.index.keys() & set(available)
        if not wnids:
            raise ValueError("a vocabulary needs at least one class of ImageNet-1k")
        self._learnt = frozenset(shelf.index[wnid] for wnid in wnids)
        self._blocked = frozenset(shelf.index[wnid] for wnid in shelf.index.keys() & set(blocked))
        self._available = self._learnt - self._blocked
        self._settled = available is not None
        everywhere = {index for index in self._available if shelf.entries[index].tiny}
        self._free = frozenset((not self._settled and everywhere) or self._available or self._learnt)
        """What to dream when nobody asks; where everything is blocked, something has to be dreamt all the same."""
        self.knowledge = knowledge(shelf, self._learnt if self._settled else None, self._free)
        """What the network knows, with examples."""
        self._labels = {shelf.entries[index].wnid: shelf.entries[index].label for index in range(len(shelf.entries))}
        self._asked: dict[tuple[int, ...], int] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(cls, available: Collection[str] | None = None) -> Vocabulary:
        """Read the shipped classes.

        Args:
            available: wnids the network has learnt, unknown ones are ignored; None while that is not known.

        Raises:
            ValueError: none of them is a class of ImageNet-1k.
        """
        return cls(Shelf(), available)

    def narrowed(self, available: Collection[str] | None) -> Vocabulary:
        """The same vocabulary for another network, nothing blocked."""
        return Vocabulary(self._shelf, available)

    @property
    def blocked(self) -> frozenset[str]:
        """The wnids that are not to be dreamt, whether the network has learnt them or not."""
        return frozenset(self._shelf.entries[index].wnid for index in self._blocked)

    def blocking(self, blocked: Collection[str]) -> Vocabulary:
        """The same vocabulary with these classes blocked (wnids), and no others."""
        learnt = {self._shelf.entries[index].wnid for index in self._learnt}
        return Vocabulary(self._shelf, learnt if self._settled else None, blocked)

    def classes_of(self, word: str) -> tuple[Target, ...]:
        """All classes that a WordNet id or a word means, whether the network has learnt them or not.

        Raises:
            Refused: ``BAD_INPUT`` for no word, ``UNKNOWN_WORD`` for one that means none, with ``suggestions``.
        """
        word = clean_text(word)
        if (index := self._shelf.index.get(word)) is not None:
            return (self._target(index),)
        folded = fold(word)
        if not folded:
            raise Refused(Reason.BAD_INPUT, f"say which class, for example: {self.knowledge.examples[0]}")
        if found := self._shelf.meaning(folded):
            return tuple(map(self._target, found))
        near = self._labels_of(self._shelf.alike(folded, SUGGESTIONS))
        raise Refused(Reason.UNKNOWN_WORD, f"there is no class '{word}'" + one_of(near), suggestions=near)

    @property
    def available(self) -> tuple[Target, ...]:
        """Everything the network can dream, in class order."""
        return tuple(map(self._target, sorted(self._available)))

    def match(self, text: str, *, peek: bool = False) -> Match:
        """Understand a viewer's words: ``volcano``, ``the big dogs``, ``a + b``, ``a & b``, ``a and b``, ``a, b``, or emoji.

        A word that fits several classes gets another of those the network has each time it is asked for. Takes well under a
        millisecond, whatever the text.

        Args:
            peek: only look; the same words asked for next are understood alike.

        Raises:
            Refused: ``BAD_INPUT`` for no words; ``UNKNOWN_WORD`` for words not understood, ``UNLEARNT`` for a class that the
                network has not learnt, both with ``suggestions`` that it has; ``BLOCKED`` for a class that is blocked.
        """
        text = clean_text(text)
        chosen: list[int] = []
        notes: list[str] = []
        refusal: Refused | None = None
        exact = True
        for said, optional in self._subjects(text):
            if len(chosen) == MAX_TARGETS:
                notes.append(f"only the first {MAX_TARGETS} fit")
                break
            try:
                reading = self._read(said)
                index, note = self._choose(reading, chosen, peek)
            except Refused as refused:
                if not optional:
                    raise
                refusal = refusal or refused
                continue
            exact = exact and not (reading.slip or reading.within)
            if index not in chosen:
                chosen.append(index)
                notes.extend([note] if note else [])
        if not chosen:
            pair = self.knowledge.examples[:2]
            raise refusal or Refused(Reason.BAD_INPUT, "say what to dream, for example: " + " + ".join(pair), suggestions=pair)
        return Match(tuple(map(self._target, chosen)), "; ".join(notes), exact)

    def search(self, query: str, limit: int = 20) -> tuple[ClassEntry, ...]:
        """Find classes by part of a name or by what a word means, best first; '' lists all, available first, by label."""
        entries = self._shelf.entries
        wanted = fold(clean_text(query))
        if not wanted:
            if query.strip():
                return ()
            order = sorted(range(len(entries)), key=lambda i: (i not in self._available, entries[i].label.casefold()))
            return tuple(map(self._entry, order[:limit]))
        meant = self._shelf.meaning(wanted) or next(iter(self._shelf.slips(wanted)), ())
        ranks: dict[int, tuple[int, bool, str]] = {}
        for index, entry in enumerate(entries):
            names = entry.folded
            if wanted in names or key(wanted) in entry.keys:
                rank = 0
            elif index in meant:
                rank = 1
            elif any(name.startswith(wanted) for name in names):
                rank = 2
            elif any(f" {wanted}" in name for name in names):
                rank = 3
            elif len(wanted) > 2 and any(wanted in name for name in names):
                rank = 4
            else:
                continue
            ranks[index] = (rank, index not in self._available, entry.label.casefold())
        found = sorted(ranks, key=lambda index: ranks[index])
        found += [index for index in self._shelf.alike(wanted, 5) if index not in ranks]
        return tuple(map(self._entry, found[:limit]))

    def random(self, rng: Random) -> Target:
        """Any class the network can dream; any that every network can, while it is not known which it will be."""
        return self._target(rng.choice(sorted(self._free)))

    def wander(self, rng: Random, avoid: Collection[Target] = ()) -> tuple[Target, ...]:
        """One or, more often, two showy available subjects that go well together: they come from different themes.

        Args:
            rng: decides.
            avoid: what not to choose, as far as there is anything else.
        """
        unwanted = {self._shelf.index[target.wnid] for target in avoid}
        themes = [[index for index in theme if index in self._free - unwanted] for theme in self._shelf.themes]
        themes = [theme for theme in themes if theme] or [sorted(self._free - unwanted) or sorted(self._free)]
        count = 2 if len(themes) > 1 and rng.random() < PAIRS else 1
        return tuple(self._target(rng.choice(theme)) for theme in rng.sample(themes, count))

    def stand_in(self, target: Target) -> Target | None:
        """The target itself if the network has learnt it, else its nearest relative there; None for none, or one blocked."""
        index = self._shelf.index.get(target.wnid)
        if index is None or (index in self._blocked and self._available):
            return None
        return next(map(self._target, self._best_of([index])), None)

    def _subjects(self, text: str) -> Iterator[tuple[str, bool]]:
        """The subjects named in a line, and whether each may be left out (emoji, which are often mere decoration)."""
        if not text.isascii():
            text = "".join(_spell_emoji(char) for char in text)
        for part in text.split("+"):
            optional = part.startswith(_EMOJI_MARK)
            pieces = _SOFT.split(part.removeprefix(_EMOJI_MARK))
            start = 0
            while start < len(pieces):
                # The longest run of pieces that is a name: pieces at even places, what separates them at odd ones.
                last = min(len(pieces), start + 7)
                ends = range(last - (last - start + 1) % 2, start + 1, -2)
                end = next((end for end in ends if self._shelf.meaning(fold("".join(pieces[start:end])))), start + 1)
                if fold(said := "".join(pieces[start:end]).strip()):
                    yield said, optional
                start = end + 1

    def _read(self, said: str) -> _Reading:
        """Understand one subject.

        Raises:
            Refused: it cannot be understood.
        """
        folded = fold(said)
        if found := self._shelf.meaning(folded):
            return _Reading(said, found)
        bare = _OPENING.sub("", _CLOSING.sub("", folded), count=1) if not _OPENING.fullmatch(folded + " ") else folded
        if bare != folded and (found := self._shelf.meaning(bare)):
            return _Reading(bare, found)
        words = bare.split()
        odd = self._shelf.nearby(bare) is None and (len(words) == 1 or not all(map(self._shelf.ordinary, words)))
        if odd and (slips := self._shelf.slips(bare)):
            return _Reading(said, self._likeliest(slips), slip=True)
        if 1 < len(words) <= LONGEST_SENTENCE and (reading := self._read_within(bare)):
            return reading
        raise self._unknown(said, bare)

    def _read_within(self, sentence: str) -> _Reading | None:
        """The longest known words in a phrase; of equals the last one before a preposition: English names the thing last."""
        for clause in _PREPOSITION.split(sentence):
            words = clause.split()
            for length in range(len(words), 0, -1):
                for start in range(len(words) - length, -1, -1):
                    run = " ".join(words[start : start + length])
                    if len(run) > 2 and (found := self._shelf.meaning(run)):
                        return _Reading(run, found, within=True)
        for word in [word for word in reversed(sentence.split()) if len(word) >= SURE_SLIP][:3]:
            if not self._shelf.ordinary(word) and (slips := self._shelf.slips(word)):
                return _Reading(word, self._likeliest(slips), slip=True, within=True)
        return None

    def _likeliest(self, meanings: list[tuple[int, ...]]) -> tuple[int, ...]:
        """The first meaning that the network can dream, or just the first."""
        return next((found for found in meanings if self._available.intersection(found)), meanings[0])

    def _choose(self, reading: _Reading, taken: list[int], peek: bool) -> tuple[int, str]:
        """Pick a class of those meant.

        Raises:
            Refused: the network has learnt none of them, or all of them are blocked.
        """
        entries = self._shelf.entries
        names = set(variants(fold(reading.said)))
        for index in taken:
            if index in reading.classes and names & entries[index].keys:
                return index, ""
        able = tuple(index for index in reading.classes if index in self._available)
        if not able:
            if self._blocked.intersection(reading.classes):
                raise Refused(Reason.BLOCKED, "that is not dreamt here")
            raise self._unlearnt(reading)
        index = self._next_of(tuple(i for i in able if i not in taken) or able, peek)
        label = entries[index].label
        if reading.slip:
            return index, f"read '{reading.said}' as {label}"
        if len(able) > 1:
            return index, f"'{reading.said}' is {label} this time"
        return index, "" if names & entries[index].keys else f"took '{reading.said}' as {label}"

    def _next_of(self, classes: tuple[int, ...], peek: bool) -> int:
        """Each of some classes in turn, in an order that looks random and is the same in every run."""
        if len(classes) == 1:
            return classes[0]
        with self._lock:
            turn = self._asked.get(classes, 0)
            if (
                not peek and len(self._asked) < 10_000
            ):  # combinations with other subjects of the same line are many; beyond this, the first
                self._asked[classes] = turn + 1
        order = list(classes)
        Random(classes[0] * 1000 + len(classes)).shuffle(order)
        return order[turn % len(order)]

    def _unlearnt(self, reading: _Reading) -> Refused:
        """Why a known class is refused, and what comes nearest."""
        suggestions = self._labels_of(self._best_of(reading.classes))
        if not suggestions and self._available:
            suggestions = self.knowledge.examples[:SUGGESTIONS]
        names = set(variants(fold(reading.said)))
        index = reading.classes[0]
        plain = len(reading.classes) == 1 or names & self._shelf.entries[index].keys
        label = self._shelf.entries[index].label if plain else reading.said
        return Refused(
            Reason.UNLEARNT,
            f"'{label}' is not among the {len(self._learnt)} things this network knows (a larger one does)"
            + one_of(suggestions),
            suggestions=suggestions,
            unlearnt=Unlearnt(reading.said, label, len(self._learnt), LARGER),
        )

    def _unknown(self, said: str, bare: str) -> Refused:
        near = self._shelf.nearby(bare)
        found = [*(near or ()), *self._shelf.containing(bare.rpartition(" ")[2])[:3]]
        if near is None:
            found += self._shelf.alike(bare, SUGGESTIONS)
        suggestions = self._labels_of(self._best_of(found))
        return Refused(
            Reason.UNKNOWN_WORD, f"I don't know how to dream '{said}'" + one_of(suggestions), suggestions=suggestions
        )

    def _best_of(self, classes: Iterable[int]) -> list[int]:
        """The classes the network has learnt, then the relatives of the others, best first."""
        classes = list(classes)
        ranked = [index for index in classes if index in self._available]
        strangers = [self._shelf.entries[index].relatives for index in classes if index not in self._available]
        for place in range(max(map(len, strangers), default=0)):
            ranked += [kin[place] for kin in strangers if len(kin) > place and kin[place] in self._available]
        return list(dict.fromkeys(ranked))

    def _labels_of(self, classes: list[int]) -> tuple[str, ...]:
        return tuple(self._shelf.entries[index].label for index in classes[:SUGGESTIONS])

    def _target(self, index: int) -> Target:
        entry = self._shelf.entries[index]
        return Target(entry.wnid, entry.label)

    def _entry(self, index: int) -> ClassEntry:
        entry = self._shelf.entries[index]
        available, blocked = index in self._available, index in self._blocked
        return ClassEntry(entry.wnid, entry.label, entry.names, entry.link, available, not (available or blocked))


def _spell_emoji(char: str) -> str:
    """A pictogram as a subject of its own that may be left out; anything else as it is."""
    if unicodedata.category(char) != "So":
        return char if unicodedata.category(char) != "Sk" else ""  # Sk: skin tones
    name = _EMOJI_WORDS.sub("", unicodedata.name(char, "").lower().replace("-", " "))
    return f"+{_EMOJI_MARK}{name.strip()}+"


def one_of(suggestions: tuple[str, ...]) -> str:
    """The end of a refusal: up to three of the subjects that would be understood."""
    if not suggestions:
        return ""
    *others, last = suggestions[:3]
    return f"; try {', '.join(others)} or {last}" if others else f"; try {last}"
