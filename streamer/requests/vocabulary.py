"""Translates viewers' words to classes: names, synonyms, plurals, typing errors, near matches, and helpful refusals."""

from __future__ import annotations

import threading
from collections.abc import Collection
from random import Random

from shared.clean import LINE_GRAPHEMES, TEXT_GRAPHEMES, clean, clean_text
from streamer.messages.network_contents import ClassEntry, ClassKind
from streamer.messages.refused import Reason, Refused, Unlearnt
from streamer.messages.requests import Match
from streamer.messages.scenes import MAX_TARGETS, Target
from streamer.requests.blocks import family_unsafe
from streamer.requests.class_index import ClassIndex, shipped_classes
from streamer.requests.interpretation import InterpretedPhrase, MatchBuilder, interpret_line
from streamer.requests.knowledge import LARGER, knowledge
from streamer.requests.phrase_meaning import SUGGESTIONS, PhraseMeaning, PhraseReader, one_of, unknown
from streamer.requests.spelling import fold, key, variants

PAIRS = 0.7
"""Share of pairs among random subjects."""
LOADING_S = 10.0
"""Seconds after which viewers should ask again while the network loads."""


class Vocabulary:
    """The classes that can be requested, given what the network has learnt. Thread-safe."""

    def __init__(
        self,
        class_index: ClassIndex,
        available: Collection[str] | None = None,
        blocked: Collection[str] = (),
        *,
        loading: bool = False,
    ) -> None:
        """Make the vocabulary of a network.

        Args:
            available: the wnids it has learnt; None for any network: all classes are accepted then, and random subjects come
                from those that every network knows.
            blocked: wnids that are blocked.
            loading: whether the network is still loading. Then only classes that every network knows can be requested, and the
                others are refused with ``LOADING``.

        Raises:
            ValueError: it has learnt none.
        """
        self._class_index = class_index
        everywhere = {entry.wnid for entry in class_index.entries if entry.tiny}
        if loading:
            available = everywhere
        wnids = class_index.index.keys() if available is None else class_index.index.keys() & set(available)
        if not wnids:
            raise ValueError("a vocabulary needs at least one class of ImageNet-1k")
        self._learnt = frozenset(class_index.index[wnid] for wnid in wnids)
        self._blocked = frozenset(class_index.index[wnid] for wnid in class_index.index.keys() & set(blocked))
        self._available = self._learnt - self._blocked
        self._settled, self._loading = available is not None and not loading, loading
        common = {index for index in self._available if class_index.entries[index].wnid in everywhere}
        free = (not self._settled and common) or self._available or self._learnt
        self._sensitive = frozenset(class_index.index[wnid] for wnid in class_index.index.keys() & family_unsafe())
        """Classes that are not suggested, although they may be requested."""
        self._free = frozenset(free - self._sensitive or free)
        """Classes for random subjects; not empty even if all are blocked, since the stream has to show something."""
        self._reader = PhraseReader(class_index, self._available, self._sensitive)
        self.knowledge = knowledge(class_index, self._learnt if self._settled else None, self._free)
        """What the network knows, with examples."""
        self._asked: dict[tuple[int, ...], int] = {}
        self._lock = threading.Lock()

    @classmethod
    def load(cls, available: Collection[str] | None = None) -> Vocabulary:
        """Read the shipped classes.

        Args:
            available: wnids that the network has learnt, unknown ones are ignored; None while the network is unknown.

        Raises:
            ValueError: none of them is a class of ImageNet-1k.
        """
        return cls(shipped_classes(), available)

    def for_network(self, available: Collection[str] | None) -> Vocabulary:
        """Return the vocabulary of another network, without blocks."""
        return Vocabulary(self._class_index, available)

    def while_loading(self) -> Vocabulary:
        """Return the vocabulary for the time until the network is known, with the classes that every network knows."""
        return Vocabulary(self._class_index, loading=True)

    @property
    def blocked(self) -> frozenset[str]:
        """The blocked wnids, whether the network has learnt them or not."""
        return frozenset(self._class_index.entries[index].wnid for index in self._blocked)

    def blocking(self, blocked: Collection[str]) -> Vocabulary:
        """Return the vocabulary with exactly these wnids blocked."""
        learnt = {self._class_index.entries[index].wnid for index in self._learnt}
        return Vocabulary(self._class_index, learnt if self._settled else None, blocked, loading=self._loading)

    def classes_of(self, word: str) -> tuple[Target, ...]:
        """Return all classes that a WordNet id or a word means, whether the network has learnt them or not.

        Raises:
            Refused: ``BAD_INPUT`` without a word, ``UNKNOWN_WORD`` if it means no class, with ``suggestions``.
        """
        word = clean_text(word)
        if (index := self._class_index.index.get(word)) is not None:
            return (self._target(index),)
        folded = fold(word)
        if not folded:
            raise Refused(Reason.BAD_INPUT, f"say which class, for example: {self.knowledge.examples[0]}")
        if found := self._class_index.meaning(folded):
            return tuple(map(self._target, found))
        near = self._class_index.labels_of(self._class_index.alike(folded, SUGGESTIONS))
        raise Refused(Reason.UNKNOWN_WORD, f"there is no class '{word}'" + one_of(near), suggestions=near)

    @property
    def kinds(self) -> tuple[ClassKind, ...]:
        """All kinds of classes, in display order."""
        return self._class_index.kinds

    @property
    def available(self) -> tuple[Target, ...]:
        """All classes that can be requested, in class order."""
        return tuple(map(self._target, sorted(self._available)))

    def match(self, text: str, *, peek: bool = False) -> Match:
        """Understand a viewer's words: ``volcano``, ``the big dogs``, ``a + b``, ``a and b``, ``a vs b``, ``a, b``, or emoji.

        A word for several classes gets them in turn, one each time it is requested. The note names what was left out, except
        decoration and filler words. Takes a few milliseconds at most, for any text.

        Args:
            peek: do not advance turns, so that the next call understands the same words alike.

        Raises:
            Refused: ``BAD_INPUT`` for no words; ``UNKNOWN_WORD`` for words not understood, ``UNLEARNT`` for a class that the
                network has not learnt, ``LOADING`` if that is not known yet, all with ``suggestions`` that it has; ``BLOCKED``
                for a blocked class.
        """
        text, whole = _bounded(text)
        match_builder = MatchBuilder()
        for interpreted in interpret_line(text, self._reader):
            if len(match_builder.chosen) == MAX_TARGETS and (
                interpreted.phrase_meaning is not None or not interpreted.optional
            ):
                match_builder.notes.append(f"only the first {MAX_TARGETS} fit")
                break
            self._add_phrase(interpreted, match_builder, peek)
        if not match_builder.chosen:
            raise match_builder.refusal or self._nothing(match_builder.ornament)
        if not whole:
            match_builder.notes.append(f"only the first {TEXT_GRAPHEMES} characters are read")
        return Match(tuple(map(self._target, match_builder.chosen)), match_builder.note, match_builder.exact and whole)

    def search(self, query: str, limit: int = 20) -> tuple[ClassEntry, ...]:
        """Find classes by part of a name or by meaning, best first; an empty query lists all, available ones first."""
        entries = self._class_index.entries
        wanted = fold(clean_text(query))
        if not wanted:
            if query.strip():
                return ()
            order = sorted(range(len(entries)), key=lambda i: (i not in self._available, entries[i].label.casefold()))
            return tuple(map(self._entry, order[:limit]))
        meant = self._class_index.meaning(wanted) or next(iter(self._class_index.slips(wanted)), ())
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
        found += [index for index in self._class_index.alike(wanted, 5) if index not in ranks]
        return tuple(map(self._entry, found[:limit]))

    def relatives(self, wnid: str) -> tuple[str, ...]:
        """Return the wnids of a class, if available, and its available relatives, best first."""
        found = self._reader.best_of([self._class_index.index[wnid]])
        return tuple(self._class_index.entries[index].wnid for index in found)

    def random(self, rng: Random) -> Target:
        """Return a random class of the network; while it is unknown, one that every network knows."""
        return self._target(rng.choice(sorted(self._free)))

    def idle_subjects(self, rng: Random, avoid: Collection[Target] = ()) -> tuple[Target, ...]:
        """Return one or, more often, two random subjects that look good together: they come from different themes.

        Args:
            rng: source of randomness.
            avoid: subjects that are chosen only if there are no others.
        """
        unwanted = {
            self._class_index.index[target.wnid] for target in avoid if target.wnid in self._class_index.index
        }  # layers have no class
        themes = [[index for index in theme if index in self._free - unwanted] for theme in self._class_index.themes]
        themes = [theme for theme in themes if theme] or [sorted(self._free - unwanted) or sorted(self._free)]
        count = 2 if len(themes) > 1 and rng.random() < PAIRS else 1
        return tuple(self._target(rng.choice(theme)) for theme in rng.sample(themes, count))

    def nearest_available(self, target: Target) -> Target | None:
        """Return the target if the network has learnt it, or may have, else its nearest relative that it has.

        None if there is none, or the class is blocked.
        """
        index = self._class_index.index.get(target.wnid)
        if index is None or (index in self._blocked and self._available):
            return None
        if self._loading:
            return target
        return next(map(self._target, self._reader.best_of([index])), None)

    def _add_phrase(self, interpreted: InterpretedPhrase, match_builder: MatchBuilder, peek: bool) -> None:
        """Add one phrase, or skip it.

        Raises:
            Refused: it cannot be dreamed, and it is not optional.
        """
        refused: Refused | None = None
        if interpreted.phrase_meaning is not None:
            try:
                index, note = self._choose(interpreted.phrase_meaning, match_builder.chosen, peek)
            except Refused as error:
                refused = error
                optional = interpreted.emoji or (interpreted.optional and error.reason is not Reason.BLOCKED)
            else:
                match_builder.add(index, note, interpreted.phrase_meaning)
                match_builder.several = match_builder.several or any(
                    map(self._reader.known, interpreted.phrase_meaning.besides)
                )
                return
        else:
            optional = interpreted.optional
            if (
                interpreted.wanted
                and not interpreted.emoji
                and not (optional and (match_builder.chosen or match_builder.refusal))
            ):
                refused = self._reader.refusal(interpreted.said)
        if refused is not None and not optional:
            raise refused
        match_builder.refusal = match_builder.refusal or refused
        match_builder.ornament = match_builder.ornament or (interpreted.said if interpreted.emoji else "")
        match_builder.left_out += [] if interpreted.silent else [interpreted.said]

    def _nothing(self, ornament: str) -> Refused:
        """Why a line that names nothing is refused."""
        if ornament:
            return unknown(ornament, self.knowledge.examples[:SUGGESTIONS])
        pair = self.knowledge.examples[:2]
        return Refused(Reason.BAD_INPUT, "say what to dream, for example: " + " + ".join(pair), suggestions=pair)

    def _choose(self, phrase_meaning: PhraseMeaning, taken: list[int], peek: bool) -> tuple[int, str]:
        """Choose a class from those meant.

        Raises:
            Refused: the network has learnt none of them, or all of them are blocked.
        """
        entries = self._class_index.entries
        names = set(variants(fold(phrase_meaning.said)))
        for index in taken:
            if index in phrase_meaning.classes and names & entries[index].keys:
                return index, ""
        able = tuple(index for index in phrase_meaning.classes if index in self._available)
        if not able:
            if self._blocked.intersection(phrase_meaning.classes):
                raise Refused(Reason.BLOCKED, "that is blocked here")
            raise self._unlearnt(phrase_meaning)
        index = self._next_of(tuple(i for i in able if i not in taken) or able, peek)
        label = entries[index].label
        if phrase_meaning.slip:
            return index, f"read '{phrase_meaning.said}' as {label}"
        if len(able) > 1:
            return index, f"'{phrase_meaning.said}' means {label} this time"
        return index, "" if names & entries[index].keys else f"took '{phrase_meaning.said}' to mean {label}"

    def _next_of(self, classes: tuple[int, ...], peek: bool) -> int:
        """The next of some classes, in an order that looks random and is the same in every run."""
        if len(classes) == 1:
            return classes[0]
        with self._lock:
            turn = self._asked.get(classes, 0)
            if (
                not peek and len(self._asked) < 10_000
            ):  # there are many combinations with other subjects of a line; beyond the limit, turns are not kept
                self._asked[classes] = turn + 1
        order = list(classes)
        Random(classes[0] * 1000 + len(classes)).shuffle(order)
        return order[turn % len(order)]

    def _unlearnt(self, phrase_meaning: PhraseMeaning) -> Refused:
        """The refusal of a known class, with suggestions."""
        suggestions = self._class_index.labels_of(self._reader.suggested(phrase_meaning.classes))
        if not suggestions and self._available:
            suggestions = self.knowledge.examples[:SUGGESTIONS]
        names = set(variants(fold(phrase_meaning.said)))
        index = phrase_meaning.classes[0]
        plain = len(phrase_meaning.classes) == 1 or names & self._class_index.entries[index].keys
        label = self._class_index.entries[index].label if plain else phrase_meaning.said
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
            unlearnt=Unlearnt(phrase_meaning.said, label, len(self._learnt), LARGER),
        )

    def _target(self, index: int) -> Target:
        entry = self._class_index.entries[index]
        return Target(entry.wnid, entry.label)

    def _entry(self, index: int) -> ClassEntry:
        entry = self._class_index.entries[index]
        available, blocked = index in self._available, index in self._blocked
        unlearnt = not (available or blocked or self._loading)
        return ClassEntry(
            entry.wnid, entry.label, entry.names, entry.link, available, unlearnt, entry.kind, index not in self._sensitive
        )


def _bounded(text: str) -> tuple[str, bool]:
    """A cleaned text, cut after a word if it is too long, and whether it is complete."""
    line = clean(text, LINE_GRAPHEMES)
    text = clean_text(line)
    rest = line[len(text) :]
    if rest and text[-1:].isalnum() and rest[0].isalnum():
        text = text.rpartition(" ")[0] or text
    return text, not rest
