"""What is kept out of the line: words, viewers and classes. Pure, but for the shipped list of touchy classes.

Words and names are compared as ``comparable`` leaves them, so that upper case, wide letters and ligatures hide nothing.
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
    """A cleaned text as it is compared: NFKC and case-folded, which together need a second turn to settle.

    Emoji that are joined to one are compared as several.
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
    """The words of a cleaned text as they are compared; of signs and emoji each is a word, spaces and ``_`` only part."""
    return tuple(_WORD.findall(comparable(text)))


def comparable_word(word: str) -> str:
    """A word or phrase to be blocked, as it is compared; empty when nothing readable is left of it."""
    word = comparable(clean_text(word))
    return word if words_of(word) else ""


def comparable_name(name: str) -> str:
    """A viewer's name as it is compared, without the ``@`` that chat puts before it; may be empty."""
    return comparable(clean_name(name.strip().removeprefix("@")))


@dataclass(frozen=True, slots=True)
class Blocks:
    """What is blocked now."""

    words: frozenset[str] = frozenset()
    """As ``comparable_word`` leaves them."""
    users: frozenset[str] = frozenset()
    """As ``comparable_name`` leaves them."""
    wnids: frozenset[str] = frozenset()

    def word_in(self, *texts: str) -> str | None:
        """A blocked word or phrase that stands in one of some cleaned texts, as whole words; None if there is none.

        Takes time by the length of the texts, not by the number of words.
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
        """Whether a cleaned name is blocked."""
        return bool(self.users) and comparable(user) in self.users

    def blocks(self, user: str, text: str, targets: Sequence[Target]) -> bool:
        """Whether anything about a request is blocked."""
        return (
            any(target.wnid in self.wnids for target in targets)
            or self.blocks_user(user)
            or self.word_in(text, user, *(target.label for target in targets)) is not None
        )


@lru_cache(maxsize=4)
def _phrases(words: frozenset[str]) -> tuple[frozenset[tuple[str, ...]], int]:
    """Blocked words as ``words_of`` parts them, and the length of the longest phrase."""
    phrases = frozenset(filter(None, map(words_of, words)))
    return phrases, max(map(len, phrases), default=0)


@dataclass(frozen=True, slots=True)
class SensitiveGroup:
    """Some classes that family-safe streams leave out, for one reason."""

    why: str
    targets: tuple[Target, ...]


@lru_cache(maxsize=1)
def sensitive_groups() -> tuple[SensitiveGroup, ...]:
    """The shipped family-safe list.

    Raises:
        FileNotFoundError: the installation lacks it.
    """
    groups: Iterable[Any] = yaml.safe_load(asset("family_safe.yaml").read_text(encoding="utf-8"))
    return tuple(
        SensitiveGroup(group["why"], tuple(Target(wnid, label) for wnid, label in group["classes"].items())) for group in groups
    )


def family_unsafe() -> frozenset[str]:
    """The wnids that ``queue.family_safe`` leaves out."""
    return frozenset(target.wnid for group in sensitive_groups() for target in group.targets)
