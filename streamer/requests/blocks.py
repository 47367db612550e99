"""Blocked words, viewers and classes. Pure, except for reading the shipped family-safe list.

Words and names are compared in the form that ``comparable`` returns, so upper case, wide letters and ligatures hide nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import regex
import yaml

from shared.clean import clean_name, clean_text
from streamer.assets import asset
from streamer.messages.scenes import Target

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+|[^\p{L}\p{M}\p{N}\s_]")


def comparable(text: str) -> str:
    """Return the form in which a cleaned text is compared: NFKC and case-folded, repeated until it no longer changes.

    Joined emoji are compared as separate ones.
    """
    if text.isascii():
        return text.casefold()
    text = text.replace("\u200d", "")
    for _ in range(3):
        before, text = text, unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        if text == before:
            break
    return text


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a cleaned text in comparable form; each sign or emoji is a word, spaces and ``_`` separate."""
    return tuple(_WORD.findall(comparable(text)))


def comparable_word(word: str) -> str:
    """Return the comparable form of a word or phrase to block; empty if nothing readable is left."""
    word = comparable(clean_text(word))
    return word if words_of(word) else ""


def comparable_name(name: str) -> str:
    """Return the comparable form of a viewer's name, without the ``@`` of a mention; may be empty."""
    return comparable(clean_name(name.strip().removeprefix("@")))


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks in force."""

    words: frozenset[str] = frozenset()
    """In the form of ``comparable_word``."""
    users: frozenset[str] = frozenset()
    """In the form of ``comparable_name``."""
    wnids: frozenset[str] = frozenset()

    def word_in(self, *texts: str) -> str | None:
        """Return a blocked word or phrase that occurs, as whole words, in one of the cleaned texts; None if there is none.

        The time depends on the length of the texts, not on the number of blocked words.
        """
        if not self.words:
            return None
        phrases, longest = _phrases(self.words)
        for text in texts:
            parts = words_of(text)
            for length in range(1, min(longest, len(parts)) + 1):
                for start in range(len(parts) - length + 1):
                    if (phrase := parts[start : start + length]) in phrases:
                        return " ".join(phrase)
        return None

    def blocks_user(self, user: str) -> bool:
        """Return whether a cleaned name is blocked."""
        return bool(self.users) and comparable(user) in self.users

    def blocks(self, user: str, text: str, targets: Sequence[Target]) -> bool:
        """Return whether anything about a request is blocked."""
        return (
            any(target.wnid in self.wnids for target in targets)
            or self.blocks_user(user)
            or self.word_in(text, user, *(target.label for target in targets)) is not None
        )


@lru_cache(maxsize=4)
def _phrases(words: frozenset[str]) -> tuple[frozenset[tuple[str, ...]], int]:
    """Blocked words split by ``words_of``, and the length of the longest phrase."""
    phrases = frozenset(filter(None, map(words_of, words)))
    return phrases, max(map(len, phrases), default=0)


@dataclass(frozen=True, slots=True)
class SensitiveGroup:
    """Classes that family-safe streams leave out for the same reason."""

    why: str
    targets: tuple[Target, ...]


@lru_cache(maxsize=1)
def sensitive_groups() -> tuple[SensitiveGroup, ...]:
    """Return the shipped family-safe list.

    Raises:
        FileNotFoundError: the installation lacks it.
    """
    groups: Iterable[Any] = yaml.safe_load(asset("family_safe.yaml").read_text(encoding="utf-8"))
    return tuple(
        SensitiveGroup(group["why"], tuple(Target(wnid, label) for wnid, label in group["classes"].items())) for group in groups
    )


def family_unsafe() -> frozenset[str]:
    """Return the wnids that ``queue.family_safe`` leaves out."""
    return frozenset(target.wnid for group in sensitive_groups() for target in group.targets)
