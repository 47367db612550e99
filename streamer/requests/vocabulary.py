"""Viewers' words to classes: names, synonyms, plurals, slips of the fingers, near matches and kind refusals."""

from __future__ import annotations

import threading
from collections.abc import Collection
from random import Random

from streamer.messages import MAX_TARGETS, ClassEntry, Match, Reason, Refused, Target, Unlearnt
from streamer.requests.answer import Answer
from streamer.requests.blocks import family_unsafe
from streamer.requests.hearing import Heard, hear
from streamer.requests.knowledge import LARGER, knowledge
from streamer.requests.reading import SUGGESTIONS, Reader, Reading, one_of, unknown
from streamer.requests.shelf import Shelf
from streamer.requests.spelling import fold, key, variants
from viewer_text.clean import LINE_GRAPHEMES, TEXT_GRAPHEMES, clean, clean_text

PAIRS = 0.7
"""Share of pairs among the subjects that nobody asked for."""
LOADING_S = 10.0
"""Seconds after which to ask again while the network loads."""


class Vocabulary:
    """What can be asked for, given what the network has learnt. Thread-safe."""

    def __init__(
        self,
        shelf: Shelf,
        available: Collection[str] | None = None,
        blocked: Collection[str] = (),
        *,
        loading: bool = False,
    ) -> None:
        """Make the vocabulary of a network.

        Args:
            available: the wnids it has learnt; None for any network: anything passes then, and what nobody named is taken from
                what every network knows.
            blocked: those that are not to be dreamt nevertheless.
            loading: whether the network is still loading. Then only what every network knows can be asked for, and for the rest
                it is too early to say.

        Raises:
            ValueError: it has learnt none.
        """
        self._shelf = shelf
        everywhere = {entry.wnid for entry in shelf.entries if entry.tiny}
        if loading:
            available = everywhere
        wnids = shelf.index.keys() if available is None else shelf.index.keys() & set(available)
        if not wnids:
            raise ValueError("a vocabulary needs at least one class of ImageNet-1k")
        self._learnt = frozenset(shelf.index[wnid] for wnid in wnids)
        self._blocked = frozenset(shelf.index[wnid] for wnid in shelf.index.keys() & set(blocked))
        self._available = self._learnt - self._blocked
        self._settled, self._loading = available is not None and not loading, loading
        common = {index for index in self._available if shelf.entries[index].wnid in everywhere}
        free = (not self._settled and common) or self._available or self._learnt
        self._touchy = frozenset(shelf.index[wnid] for wnid in shelf.index.keys() & family_unsafe())
        """What is not suggested, though it may be asked for."""
        self._free = frozenset(free - self._touchy or free)
        """What to dream when nobody asks; where everything is blocked, something has to be dreamt all the same."""
        self._reader = Reader(shelf, self._available, self._touchy)
        self.knowledge = knowledge(shelf, self._learnt if self._settled else None, self._free)
        """What the network knows, with examples."""
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

    def while_loading(self) -> Vocabulary:
        """The same vocabulary while it is not known yet which network it will be: what is promised now, any of them keeps."""
        return Vocabulary(self._shelf, loading=True)

    @property
    def blocked(self) -> frozenset[str]:
        """The wnids that are not to be dreamt, whether the network has learnt them or not."""
        return frozenset(self._shelf.entries[index].wnid for index in self._blocked)

    def blocking(self, blocked: Collection[str]) -> Vocabulary:
        """The same vocabulary with these classes blocked (wnids), and no others."""
        learnt = {self._shelf.entries[index].wnid for index in self._learnt}
        return Vocabulary(self._shelf, learnt if self._settled else None, blocked, loading=self._loading)

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
        near = self._shelf.labels_of(self._shelf.alike(folded, SUGGESTIONS))
        raise Refused(Reason.UNKNOWN_WORD, f"there is no class '{word}'" + one_of(near), suggestions=near)

    @property
    def available(self) -> tuple[Target, ...]:
        """Everything the network can dream, in class order."""
        return tuple(map(self._target, sorted(self._available)))

    def match(self, text: str, *, peek: bool = False) -> Match:
        """Understand a viewer's words: ``volcano``, ``the big dogs``, ``a + b``, ``a and b``, ``a vs b``, ``a, b``, or emoji.

        A word that fits several classes gets another of those the network has each time it is asked for. What is passed over
        is named in the note, save for decoration and small words. Takes a few milliseconds at most, whatever the text.

        Args:
            peek: only look; the same words asked for next are understood alike.

        Raises:
            Refused: ``BAD_INPUT`` for no words; ``UNKNOWN_WORD`` for words not understood, ``UNLEARNT`` for a class that the
                network has not learnt, ``LOADING`` for one of which that is not known yet, all with ``suggestions`` that it
                has; ``BLOCKED`` for a class that is blocked.
        """
        text, whole = _bounded(text)
        answer = Answer()
        for heard in hear(text, self._reader):
            if len(answer.chosen) == MAX_TARGETS and (heard.reading is not None or not heard.optional):
                answer.notes.append(f"only the first {MAX_TARGETS} fit")
                break
            self._answer(heard, answer, peek)
        if not answer.chosen:
            raise answer.refusal or self._nothing(answer.ornament)
        if not whole:
            answer.notes.append(f"only the first {TEXT_GRAPHEMES} characters are read")
        return Match(tuple(map(self._target, answer.chosen)), answer.note, answer.exact and whole)

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
        """The target itself if the network has learnt it, or may have, else its nearest relative there; None for none, or one
        that is blocked."""
        index = self._shelf.index.get(target.wnid)
        if index is None or (index in self._blocked and self._available):
            return None
        if self._loading:
            return target
        return next(map(self._target, self._reader.best_of([index])), None)

    def _answer(self, heard: Heard, answer: Answer, peek: bool) -> None:
        """Add one thing that was said, or pass over it.

        Raises:
            Refused: it cannot be dreamt, and it is not to be passed over.
        """
        refused: Refused | None = None
        if heard.reading is not None:
            try:
                index, note = self._choose(heard.reading, answer.chosen, peek)
            except Refused as error:
                refused = error
                optional = heard.emoji or (heard.optional and error.reason is not Reason.BLOCKED)
            else:
                answer.add(index, note, heard.reading)
                answer.several = answer.several or any(map(self._reader.known, heard.reading.besides))
                return
        else:
            optional = heard.optional
            if heard.wanted and not heard.emoji and not (optional and (answer.chosen or answer.refusal)):
                refused = self._reader.refusal(heard.said)
        if refused is not None and not optional:
            raise refused
        answer.refusal = answer.refusal or refused
        answer.ornament = answer.ornament or (heard.said if heard.emoji else "")
        answer.left_out += [] if heard.silent else [heard.said]

    def _nothing(self, ornament: str) -> Refused:
        """Why a line that names nothing is refused."""
        if ornament:
            return unknown(ornament, self.knowledge.examples[:SUGGESTIONS])
        pair = self.knowledge.examples[:2]
        return Refused(Reason.BAD_INPUT, "say what to dream, for example: " + " + ".join(pair), suggestions=pair)

    def _choose(self, reading: Reading, taken: list[int], peek: bool) -> tuple[int, str]:
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
            return index, f"'{reading.said}' means {label} this time"
        return index, "" if names & entries[index].keys else f"took '{reading.said}' to mean {label}"

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

    def _unlearnt(self, reading: Reading) -> Refused:
        """Why a known class is refused, and what comes nearest."""
        suggestions = self._shelf.labels_of(self._reader.suggested(reading.classes))
        if not suggestions and self._available:
            suggestions = self.knowledge.examples[:SUGGESTIONS]
        names = set(variants(fold(reading.said)))
        index = reading.classes[0]
        plain = len(reading.classes) == 1 or names & self._shelf.entries[index].keys
        label = self._shelf.entries[index].label if plain else reading.said
        if self._loading:
            return Refused(
                Reason.LOADING,
                f"the network is still loading; whether it knows '{label}' shows in a moment" + one_of(suggestions),
                suggestions=suggestions,
                retry_s=LOADING_S,
            )
        return Refused(
            Reason.UNLEARNT,
            f"'{label}' is not among the {len(self._learnt)} things this network knows (a larger one does)"
            + one_of(suggestions),
            suggestions=suggestions,
            unlearnt=Unlearnt(reading.said, label, len(self._learnt), LARGER),
        )

    def _target(self, index: int) -> Target:
        entry = self._shelf.entries[index]
        return Target(entry.wnid, entry.label)

    def _entry(self, index: int) -> ClassEntry:
        entry = self._shelf.entries[index]
        available, blocked = index in self._available, index in self._blocked
        unlearnt = not (available or blocked or self._loading)
        return ClassEntry(
            entry.wnid, entry.label, entry.names, entry.link, available, unlearnt, family_safe=index not in self._touchy
        )


def _bounded(text: str) -> tuple[str, bool]:
    """A cleaned text, cut behind a word if it is too long, and whether all of it is there."""
    line = clean(text, LINE_GRAPHEMES)
    text = clean_text(line)
    rest = line[len(text) :]
    if rest and text[-1:].isalnum() and rest[0].isalnum():
        text = text.rpartition(" ")[0] or text
    return text, not rest
