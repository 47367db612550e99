"""One phrase to the classes that it may mean: names, what is said around them, slips of the fingers, near matches."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from streamer.messages.refused import Reason, Refused
from streamer.requests import filler_words
from streamer.requests.class_index import ClassIndex
from streamer.requests.spelling import fold

SUGGESTIONS = 5
"""Subjects offered in place of one that cannot be dreamt."""
LONGEST_SENTENCE = 8
"""Words of a phrase in which known words are still looked for: beyond that it is talk, not a wish."""
SURE_SLIP = 6
"""Letters from which a misspelt word is looked for inside a phrase; among shorter ones 'pink' would pass for 'mink'."""


@dataclass(frozen=True, slots=True)
class PhraseMeaning:
    """One subject, understood but not yet chosen from."""

    said: str
    """The words that were understood, as typed."""
    classes: tuple[int, ...]
    slip: bool = False
    within: bool = False
    """Whether more was said around it."""
    besides: tuple[str, ...] = ()
    """What was said around it, folded, save for small words."""


class PhraseReader:
    """Reads phrases, for a network that knows some of the classes. Immutable."""

    def __init__(self, class_index: ClassIndex, available: Collection[int], sensitive: Collection[int] = ()) -> None:
        """``available`` are the classes that can be dreamt, by index; ``sensitive`` those of them that are not suggested."""
        self._class_index, self._available, self._sensitive = class_index, frozenset(available), frozenset(sensitive)

    def known(self, words: str) -> bool:
        """Whether some words, as typed, are a name and nothing else but small words."""
        folded = fold(words)
        return bool(self._class_index.meaning(folded) or self._class_index.meaning(filler_words.strip_filler(folded)))

    def misspelt(self, words: str) -> bool:
        """Whether they are a name but for slips of the fingers."""
        bare = filler_words.strip_filler(fold(words))
        return self._odd(bare) and bool(self._class_index.slips(bare))

    def emoji(self, emoji: str) -> PhraseMeaning | None:
        """What an emoji asks for; None for one that is mere decoration. As ``emoji.plain`` leaves it."""
        word = self._class_index.emoji.get(emoji)
        return None if word is None else PhraseMeaning(word, self._class_index.meaning(fold(word)))

    def read(self, said: str) -> PhraseMeaning | None:
        """What some words ask for; None if they cannot be understood."""
        folded = fold(said)
        if found := self._class_index.meaning(folded):
            return PhraseMeaning(said, found)
        bare = filler_words.strip_filler(folded)
        if bare != folded and (found := self._class_index.meaning(bare)):
            return PhraseMeaning(bare, found)
        if self._odd(bare) and (slips := self._class_index.slips(bare)):
            return PhraseMeaning(said, self._likeliest(slips), slip=True)
        return self._read_within(bare) if 1 < len(bare.split()) <= LONGEST_SENTENCE else None

    def refusal(self, said: str) -> Refused:
        """Why words that cannot be understood are refused: ``UNKNOWN_WORD``, with ``suggestions``."""
        bare = filler_words.strip_filler(fold(said))
        near = self._class_index.nearby(bare)
        found = [*(near or ()), *self._class_index.containing(bare.rpartition(" ")[2])[:3]]
        if near is None:
            found += self._class_index.alike(bare, SUGGESTIONS)
        return unknown(said, self._class_index.labels_of(self.suggested(found)))

    def suggested(self, classes: Iterable[int]) -> list[int]:
        """Of ``best_of`` some classes what may be suggested to anybody."""
        return [index for index in self.best_of(classes) if index not in self._sensitive][:SUGGESTIONS]

    def able(self, phrase_meaning: PhraseMeaning) -> bool:
        """Whether any of what was meant can be dreamt."""
        return not self._available.isdisjoint(phrase_meaning.classes)

    def best_of(self, classes: Iterable[int]) -> list[int]:
        """Of some classes those that can be dreamt, then the relatives of the others, best first."""
        classes = list(classes)
        ranked = [index for index in classes if index in self._available]
        strangers = [self._class_index.entries[index].relatives for index in classes if index not in self._available]
        for place in range(max(map(len, strangers), default=0)):
            ranked += [kin[place] for kin in strangers if len(kin) > place and kin[place] in self._available]
        return list(dict.fromkeys(ranked))

    def _odd(self, bare: str) -> bool:
        """Whether a phrase may have slips in it: real words have none."""
        words = bare.split()
        return self._class_index.nearby(bare) is None and (len(words) == 1 or not all(map(self._class_index.ordinary, words)))

    def _read_within(self, sentence: str) -> PhraseMeaning | None:
        """The longest known words in a phrase; of equals the last one before a preposition: English names the thing last."""
        for clause in filler_words.PREPOSITION.split(sentence):
            words = clause.split()
            for length in range(len(words), 0, -1):
                for start in range(len(words) - length, -1, -1):
                    run = " ".join(words[start : start + length])
                    if len(run) > 2 and (found := self._class_index.meaning(run)):
                        return PhraseMeaning(run, found, within=True, besides=filler_words.other_words(sentence, run))
        for word in [word for word in reversed(sentence.split()) if len(word) >= SURE_SLIP][:3]:
            if not self._class_index.ordinary(word) and (slips := self._class_index.slips(word)):
                besides = filler_words.other_words(sentence, word)
                return PhraseMeaning(word, self._likeliest(slips), slip=True, within=True, besides=besides)
        return None

    def _likeliest(self, meanings: list[tuple[int, ...]]) -> tuple[int, ...]:
        """The first meaning that the network can dream, or just the first."""
        return next((found for found in meanings if self._available.intersection(found)), meanings[0])


def unknown(said: str, suggestions: tuple[str, ...]) -> Refused:
    """The refusal of what is not understood."""
    return Refused(Reason.UNKNOWN_WORD, f"I don't know how to dream '{said}'" + one_of(suggestions), suggestions=suggestions)


def one_of(suggestions: tuple[str, ...]) -> str:
    """The end of a refusal: up to three of the subjects that would be understood."""
    if not suggestions:
        return ""
    *others, last = suggestions[:3]
    return f"; try {', '.join(others)} or {last}" if others else f"; try {last}"
