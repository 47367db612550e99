"""Finds the classes that a phrase may mean: names, filler words around them, typing errors, near matches."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from streamer.messages.refused import Reason, Refused
from streamer.requests import filler_words
from streamer.requests.class_index import ClassIndex
from streamer.requests.spelling import fold

SUGGESTIONS = 5
"""Subjects suggested instead of one that cannot be dreamed."""
LONGEST_SENTENCE = 8
"""Longest phrase, in words, that is searched for known words: a longer one is chat, not a request."""
SURE_SLIP = 6
"""Shortest word, in letters, that is corrected inside a phrase; with shorter ones 'pink' would become 'mink'."""


@dataclass(frozen=True, slots=True)
class PhraseMeaning:
    """The classes that one phrase may mean; one of them is chosen later."""

    said: str
    """The words that were understood, as typed."""
    classes: tuple[int, ...]
    slip: bool = False
    """Whether a typing error was corrected."""
    within: bool = False
    """Whether the phrase has other words, too."""
    besides: tuple[str, ...] = ()
    """The other words, folded, without filler words."""


class PhraseReader:
    """Reads phrases for a network that knows some of the classes. Immutable."""

    def __init__(self, class_index: ClassIndex, available: Collection[int], sensitive: Collection[int] = ()) -> None:
        """Set up for the ``available`` classes, by index; the ``sensitive`` ones among them are not suggested."""
        self._class_index, self._available, self._sensitive = class_index, frozenset(available), frozenset(sensitive)

    def known(self, words: str) -> bool:
        """Return whether words, as typed, are a name, apart from filler words."""
        folded = fold(words)
        return bool(self._class_index.meaning(folded) or self._class_index.meaning(filler_words.strip_filler(folded)))

    def misspelt(self, words: str) -> bool:
        """Return whether words, as typed, are a name with typing errors."""
        bare = filler_words.strip_filler(fold(words))
        return self._odd(bare) and bool(self._class_index.slips(bare))

    def emoji(self, emoji: str) -> PhraseMeaning | None:
        """Return what an emoji (plain, see ``emoji.plain``) means; None if it is only decoration."""
        word = self._class_index.emoji.get(emoji)
        return None if word is None else PhraseMeaning(word, self._class_index.meaning(fold(word)))

    def read(self, said: str) -> PhraseMeaning | None:
        """Return what words mean; None if they cannot be understood."""
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
        """Return the refusal of words that cannot be understood: ``UNKNOWN_WORD``, with ``suggestions``."""
        bare = filler_words.strip_filler(fold(said))
        near = self._class_index.nearby(bare)
        found = [*(near or ()), *self._class_index.containing(bare.rpartition(" ")[2])[:3]]
        if near is None:
            found += self._class_index.alike(bare, SUGGESTIONS)
        return unknown(said, self._class_index.labels_of(self.suggested(found)))

    def suggested(self, classes: Iterable[int]) -> list[int]:
        """Return those of ``best_of`` that may be suggested to everybody."""
        return [index for index in self.best_of(classes) if index not in self._sensitive][:SUGGESTIONS]

    def able(self, phrase_meaning: PhraseMeaning) -> bool:
        """Return whether the network knows any of the classes."""
        return not self._available.isdisjoint(phrase_meaning.classes)

    def best_of(self, classes: Iterable[int]) -> list[int]:
        """Return those of the classes that the network knows, then relatives of the others, best first."""
        classes = list(classes)
        ranked = [index for index in classes if index in self._available]
        strangers = [self._class_index.entries[index].relatives for index in classes if index not in self._available]
        for place in range(max(map(len, strangers), default=0)):
            ranked += [kin[place] for kin in strangers if len(kin) > place and kin[place] in self._available]
        return list(dict.fromkeys(ranked))

    def _odd(self, bare: str) -> bool:
        """Whether a phrase may have typing errors: real words have none."""
        words = bare.split()
        return self._class_index.nearby(bare) is None and (len(words) == 1 or not all(map(self._class_index.ordinary, words)))

    def _read_within(self, sentence: str) -> PhraseMeaning | None:
        """The longest known words in a phrase; of several, the last before a preposition, where English names the thing."""
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
    """Return the refusal of words that are not understood."""
    return Refused(Reason.UNKNOWN_WORD, f"I don't know how to dream '{said}'" + one_of(suggestions), suggestions=suggestions)


def one_of(suggestions: tuple[str, ...]) -> str:
    """Return the end of a refusal's message, with up to three suggestions."""
    if not suggestions:
        return ""
    *others, last = suggestions[:3]
    return f"; try {', '.join(others)} or {last}" if others else f"; try {last}"
