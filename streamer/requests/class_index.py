"""The shipped classes and words, read once and laid out for looking up. Immutable; knows nothing of networks or requests."""

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
    """A class as it is shipped."""

    wnid: str
    label: str
    names: tuple[str, ...]
    folded: tuple[str, ...]
    """The names as ``fold`` leaves them."""
    keys: frozenset[str]
    """The names' keys."""
    link: str
    tiny: bool
    """Whether it is among Tiny ImageNet's 200."""
    relatives: tuple[int, ...]
    """Tiny ImageNet's classes most like it, best first."""
    kind: str
    """Name of its ``ClassKind``."""


class ClassIndex:
    """All classes, by index, and what leads to them."""

    def __init__(self, path: Path | None = None) -> None:
        """Read the data files.

        Raises:
            FileNotFoundError: the installation lacks it.
        """
        data = json.loads((path or asset("classes.json")).read_text(encoding="utf-8"))
        kinds = json.loads(asset("kinds.json").read_text(encoding="utf-8"))["kinds"]
        self.kinds = tuple(ClassKind(kind["name"], kind["title"]) for kind in kinds)
        """What kinds of things there are, in the order in which they are shown."""
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
        # What is shown to viewers must lead back to the class it was shown for.
        meanings.update((key(fold(entry.label)), (index,)) for index, entry in enumerate(self.entries))
        # A word that is also a name was written by hand, to mean something else first.
        meanings.update((word, tuple(found)) for word, found in data["words"].items())
        slippery = sorted(meanings)
        meanings.update((word, tuple(found)) for word, found in data["kinds"].items())
        self._meanings = meanings
        self.themes: tuple[tuple[int, ...], ...] = tuple(map(tuple, data["themes"]))
        """Showy classes by theme, for when nobody asks."""
        self.emoji: dict[str, str] = {
            plain(emoji): word
            for word, several in yaml.safe_load(asset("emoji.yaml").read_text(encoding="utf-8")).items()
            for emoji in several.split()
        }
        """The word that each emoji stands for, by the emoji as ``emoji.plain`` leaves it; others are decoration."""
        self._nearby = {word: tuple(found) for found, words in data["nearby"] for word in words.split()}
        self._holders: dict[str, list[int]] = {}
        by_length = sorted(range(len(self.entries)), key=lambda index: len(self.entries[index].label))
        for index in by_length:
            for word in {word for name in self.entries[index].folded for word in name.split()}:
                self._holders.setdefault(word, []).append(index)
        self._labels = {index: fold(entry.label) for index, entry in enumerate(self.entries)}
        self._shortened: dict[str, list[str]] = {}
        for known in slippery:
            if 4 <= len(known) <= MAX_KEY:
                for short in _shortened(known):
                    self._shortened.setdefault(short, []).append(known)
        self._keys_by_letter = _by_letter(slippery)
        self._nearby_by_letter = _by_letter(self._nearby)

    def labels_of(self, classes: Iterable[int]) -> tuple[str, ...]:
        """The labels of some classes."""
        return tuple(self.entries[index].label for index in classes)

    def meaning(self, folded: str) -> tuple[int, ...]:
        """The classes that a folded phrase may mean; none if it is not known. Plurals are forgiven."""
        for variant in variants(folded):
            if found := self._meanings.get(variant):
                return found
        return ()

    def nearby(self, folded: str) -> tuple[int, ...] | None:
        """The classes nearest to a real word outside the vocabulary; None when the word is strange."""
        for variant in variants(folded):
            if (found := self._nearby.get(variant)) is not None:
                return found
        return None

    def ordinary(self, word: str) -> bool:
        """Whether a single word is no slip of the fingers."""
        return bool(self.meaning(word)) or self.nearby(word) is not None or any(v in self._holders for v in variants(word))

    def slips(self, folded: str) -> list[tuple[int, ...]]:
        """What a misspelt phrase may mean, likeliest first: the meanings of known phrases few enough errors away."""
        for variant in variants(folded)[: 2 if folded.endswith("s") else 1]:
            errors = allowed_errors(len(variant)) if len(variant) <= MAX_KEY else 0
            if not errors:
                continue
            near = self._one_error_from(variant) or self._some_errors_from(variant, errors)
            if near:
                # Of equally many errors, those that leave the most letters in place are the likeliest.
                near.sort(key=lambda known: (-fuzz.ratio(variant, known), known))
                return [self._meanings[known] for known in near]
        return []

    def _one_error_from(self, typed: str) -> list[str]:
        """The known keys one error away: with a letter less, both are the same (or one is the other with a letter less)."""
        near = {known for short in _shortened(typed) for known in self._shortened.get(short, ())}
        # Short words become other words too easily: there at least the first letter has to be right.
        return [
            known
            for known in near
            if OSA.distance(typed, known, score_cutoff=1) <= 1 and (len(typed) > 5 or typed[0] == known[0])
        ]

    def _some_errors_from(self, typed: str, errors: int) -> list[str]:
        """The known keys at the fewest errors, two or more; people get the first letter right, so it must agree."""
        found = process.extract(
            typed, self._keys_by_letter.get(typed[0], ()), scorer=OSA.distance, score_cutoff=errors, limit=None
        )
        least = min((distance for _, distance, _ in found), default=0)
        if least < 2 or process.extractOne(
            typed, self._nearby_by_letter.get(typed[0], ()), scorer=OSA.distance, score_cutoff=least - 1
        ):
            return []  # nearer to a word outside the vocabulary: 'girafe' is no 'grille'
        return [known for known, distance, _ in found if distance == least]

    def alike(self, folded: str, limit: int) -> list[int]:
        """Classes whose label looks or sounds like a phrase, best first."""
        ranked = process.extract(folded[:MAX_KEY], self._labels, scorer=fuzz.ratio, score_cutoff=70, limit=limit)
        return [index for _, _, index in ranked]

    def containing(self, word: str) -> list[int]:
        """Classes that have a single word in one of their names, shortest label first."""
        return self._holders.get(word, [])


@cache
def shipped_classes() -> ClassIndex:
    """Read the shipped classes, which nothing changes, once per process."""
    return ClassIndex()


def _shortened(known: str) -> set[str]:
    """A key and what is left of it without any one of its letters."""
    return {known, *(known[:place] + known[place + 1 :] for place in range(len(known)))}


def _by_letter(phrases: Iterable[str]) -> dict[str, list[str]]:
    """Keys long enough to forgive two errors in, by their first letter."""
    by_letter: dict[str, list[str]] = {}
    for phrase in phrases:
        if 4 <= len(phrase) <= MAX_KEY:
            by_letter.setdefault(phrase[0], []).append(phrase)
    return by_letter
