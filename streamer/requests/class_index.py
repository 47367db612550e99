"""The shipped classes and words, read once and indexed. Immutable; independent of networks and requests."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from streamer.assets import asset
from streamer.messages.network_contents import ClassKind
from streamer.requests.emoji import plain
from streamer.requests.spelling import MAX_KEY, allowed_errors, fold, key, variants


@dataclass(frozen=True, slots=True)
class Entry:
    """A shipped class."""

    wnid: str
    label: str
    names: tuple[str, ...]
    folded: tuple[str, ...]
    """The folded names."""
    keys: frozenset[str]
    """The keys of the names."""
    link: str
    """Address of a page about it."""
    tiny: bool
    """Whether it is one of Tiny ImageNet's 200 classes."""
    relatives: tuple[int, ...]
    """The most similar classes of Tiny ImageNet, best first."""
    kind: str
    """Name of its ``ClassKind``."""


class ClassIndex:
    """All classes, by index, and the words that lead to them."""

    def __init__(self, path: Path | None = None) -> None:
        """Read the data files.

        Raises:
            FileNotFoundError: the installation lacks them.
        """
        data = json.loads((path or asset("classes.json")).read_text(encoding="utf-8"))
        kinds = json.loads(asset("kinds.json").read_text(encoding="utf-8"))["kinds"]
        self.kinds = tuple(ClassKind(kind["name"], kind["title"]) for kind in kinds)
        """All kinds of classes, in display order."""
        kind_of = {wnid: kind["name"] for kind in kinds for wnid in kind["classes"]}
        self.entries: tuple[Entry, ...] = tuple(
            Entry(
                wnid=row["wnid"],
                label=row["label"],
                names=tuple(row["names"]),
                folded=tuple(map(fold, row["names"])),
                keys=frozenset(key(fold(name)) for name in row["names"]),
                link=row["link"],
                tiny=row["tiny"],
                relatives=tuple(row["relatives"]),
                kind=kind_of[row["wnid"]],
            )
            for row in data["classes"]
        )
        self.index = {entry.wnid: index for index, entry in enumerate(self.entries)}
        meanings: dict[str, tuple[int, ...]] = {}
        for index, entry in enumerate(self.entries):
            for known in entry.keys:
                meanings[known] = (*meanings.get(known, ()), index)
        # A label that viewers see has to lead back to its own class.
        meanings.update((key(fold(entry.label)), (index,)) for index, entry in enumerate(self.entries))
        # These words were chosen by hand, so they override names.
        meanings.update((word, tuple(found)) for word, found in data["words"].items())
        correctable = sorted(meanings)
        meanings.update((word, tuple(found)) for word, found in data["kinds"].items())
        self._meanings = meanings
        self.themes: tuple[tuple[int, ...], ...] = tuple(map(tuple, data["themes"]))
        """Classes that look good, by theme, for times without requests."""
        self.emoji: dict[str, str] = {
            plain(emoji): word
            for word, several in yaml.safe_load(asset("emoji.yaml").read_text(encoding="utf-8")).items()
            for emoji in several.split()
        }
        """The word for each plain emoji (``emoji.plain``); others are decoration."""
        self._nearby = {word: tuple(found) for found, words in data["nearby"] for word in words.split()}
        self._holders: dict[str, list[int]] = {}
        by_length = sorted(range(len(self.entries)), key=lambda index: len(self.entries[index].label))
        for index in by_length:
            for word in {word for name in self.entries[index].folded for word in name.split()}:
                self._holders.setdefault(word, []).append(index)
        self._labels = {index: fold(entry.label) for index, entry in enumerate(self.entries)}
        self._shortened: dict[str, list[str]] = {}
        for known in correctable:
            if 4 <= len(known) <= MAX_KEY:
                for short in _shortened(known):
                    self._shortened.setdefault(short, []).append(known)
        self._keys_by_letter = _by_letter(correctable)
        self._nearby_by_letter = _by_letter(self._nearby)

    def labels_of(self, classes: Iterable[int]) -> tuple[str, ...]:
        """Return the labels of classes."""
        return tuple(self.entries[index].label for index in classes)

    def meaning(self, folded: str) -> tuple[int, ...]:
        """Return the classes that a folded phrase may mean, in singular or plural; empty if it is unknown."""
        for variant in variants(folded):
            if found := self._meanings.get(variant):
                return found
        return ()

    def nearby(self, folded: str) -> tuple[int, ...] | None:
        """Return the classes nearest to a real word outside the vocabulary; None for an unknown word."""
        for variant in variants(folded):
            if (found := self._nearby.get(variant)) is not None:
                return found
        return None

    def ordinary(self, word: str) -> bool:
        """Return whether a single word is a real word and not a typing error."""
        return bool(self.meaning(word)) or self.nearby(word) is not None or any(v in self._holders for v in variants(word))

    def slips(self, folded: str) -> list[tuple[int, ...]]:
        """Return what a misspelt phrase may mean, likeliest first: the meanings of known phrases with few enough errors."""
        for variant in variants(folded)[: 2 if folded.endswith("s") else 1]:
            errors = allowed_errors(len(variant)) if len(variant) <= MAX_KEY else 0
            if not errors:
                continue
            near = self._one_error_from(variant) or self._some_errors_from(variant, errors)
            if near:
                # With equally many errors, the phrase with the most letters in place is the likeliest.
                near.sort(key=lambda known: (-fuzz.ratio(variant, known), known))
                return [self._meanings[known] for known in near]
        return []

    def _one_error_from(self, typed: str) -> list[str]:
        """Return the known keys with one error: without a letter, both are equal (or one equals the other)."""
        near = {known for short in _shortened(typed) for known in self._shortened.get(short, ())}
        # Short words turn into others too easily, so at least their first letter has to be right.
        return [
            known
            for known in near
            if OSA.distance(typed, known, score_cutoff=1) <= 1 and (len(typed) > 5 or typed[0] == known[0])
        ]

    def _some_errors_from(self, typed: str, errors: int) -> list[str]:
        """Return the known keys with the fewest errors, two or more, and the same first letter, which people get right."""
        found = process.extract(
            typed, self._keys_by_letter.get(typed[0], ()), scorer=OSA.distance, score_cutoff=errors, limit=None
        )
        least = min((distance for _, distance, _ in found), default=0)
        if least < 2 or process.extractOne(
            typed, self._nearby_by_letter.get(typed[0], ()), scorer=OSA.distance, score_cutoff=least - 1
        ):
            return []  # nearer to a word outside the vocabulary: 'girafe' is not 'grille'
        return [known for known, distance, _ in found if distance == least]

    def alike(self, folded: str, limit: int) -> list[int]:
        """Return classes whose label is similar to a phrase, best first."""
        ranked = process.extract(folded[:MAX_KEY], self._labels, scorer=fuzz.ratio, score_cutoff=70, limit=limit)
        return [index for _, _, index in ranked]

    def containing(self, word: str) -> list[int]:
        """Return classes with a word in one of their names, shortest label first."""
        return self._holders.get(word, [])


@cache
def shipped_classes() -> ClassIndex:
    """Read the shipped classes, which nothing changes, once per process."""
    return ClassIndex()


def _shortened(known: str) -> set[str]:
    """A key, and the key without each one of its letters."""
    return {known, *(known[:place] + known[place + 1 :] for place in range(len(known)))}


def _by_letter(phrases: Iterable[str]) -> dict[str, list[str]]:
    """Keys that may have errors, by their first letter."""
    by_letter: dict[str, list[str]] = {}
    for phrase in phrases:
        if 4 <= len(phrase) <= MAX_KEY:
            by_letter.setdefault(phrase[0], []).append(phrase)
    return by_letter
