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

from streamer.assets import asset
from streamer.messages import Target
from streamer.requests.clean import clean_name, clean_text


def comparable(text: str) -> str:
    """A cleaned text as it is compared: NFKC and case-folded, which together need a second turn to settle."""
    for _ in range(3):
        before, text = text, unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        if text == before:
            break
    return text


def comparable_word(word: str) -> str:
    """A word or phrase to be blocked, as it is compared; empty when nothing readable is left of it."""
    return comparable(clean_text(word))


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
        """A blocked word that stands as a whole word in one of some cleaned texts; underscores part words too."""
        if not self.words:
            return None
        pattern = _any_of(self.words)
        for text in texts:
            if found := pattern.search(comparable(text)):
                return str(found.group())
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
def _any_of(words: frozenset[str]) -> regex.Pattern[str]:
    """One pattern for all words, the longest first."""
    return regex.compile("|".join(map(_whole, sorted(words, key=lambda word: (-len(word), word)))))


def _whole(word: str) -> str:
    """A word as a pattern: spaces of any number, no letter beside its letters; beside an emoji may stand anything."""
    pattern = r"[\s_]+".join(regex.escape(part) for part in word.split())
    before = r"(?<![^\W_])" if word[0].isalnum() else ""
    after = r"(?![^\W_])" if word[-1].isalnum() else ""
    return f"{before}{pattern}{after}"


@dataclass(frozen=True, slots=True)
class TouchyGroup:
    """Some classes that family-safe streams leave out, for one reason."""

    why: str
    targets: tuple[Target, ...]


@lru_cache(maxsize=1)
def touchy() -> tuple[TouchyGroup, ...]:
    """The shipped family-safe list.

    Raises:
        FileNotFoundError: the installation lacks it.
    """
    groups: Iterable[Any] = yaml.safe_load(asset("family_safe.yaml").read_text(encoding="utf-8"))
    return tuple(
        TouchyGroup(group["why"], tuple(Target(wnid, label) for wnid, label in group["classes"].items())) for group in groups
    )


def family_unsafe() -> frozenset[str]:
    """The wnids that ``queue.family_safe`` leaves out."""
    return frozenset(target.wnid for group in touchy() for target in group.targets)
