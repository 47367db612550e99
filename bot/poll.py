"""A poll as the bot knows it, and what a chat line means in it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from viewer_text.clean import clean_text

LONGEST = 120
"""Characters of a line beyond which it is no vote, whatever it says."""
_NUMBER = re.compile(r"[#!]?([1-9])[.!?)]*")
_ENDS = " \t.,:;!?#\"'()"
"""Forgiven around a name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the things that a poll is between."""

    number: int
    title: str
    names: tuple[str, ...]
    """What may be typed in place of the number."""
    votes: int


@dataclass(frozen=True, slots=True)
class Poll:
    """A poll at one moment."""

    id: str
    state: str
    """``open``, ``decided`` or ``cancelled``."""
    choices: tuple[Choice, ...]
    left_s: float
    user: str
    """Who began it; empty: it began by itself."""
    winner: int | None
    """Number of the choice that won."""
    tied: bool
    """Whether others had as many votes as the winner."""

    @property
    def open(self) -> bool:
        """Whether it takes votes."""
        return self.state == "open"

    @property
    def votes(self) -> int:
        """All votes."""
        return sum(choice.votes for choice in self.choices)

    def choice_of(self, text: str) -> int | None:
        """The number of the choice that a line names, by number or by name; None if it names none."""
        if len(text) > LONGEST:
            return None
        said = _comparable(text)
        if found := _NUMBER.fullmatch(said):
            number = int(found[1])
            return number if number <= len(self.choices) else None
        return next((choice.number for choice in self.choices if said and said in map(_comparable, choice.names)), None)


def _comparable(text: str) -> str:
    plain = clean_text(text).casefold()
    return plain if _NUMBER.fullmatch(plain) else plain.strip(_ENDS)


def poll_of(told: Mapping[str, Any]) -> Poll:
    """A poll as the streamer tells it.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    choices = tuple(
        Choice(int(each["number"]), str(each["title"]), tuple(str(name) for name in each["names"]), int(each["votes"]))
        for each in told["choices"]
    )
    winner = told["winner"]
    return Poll(
        str(told["id"]),
        str(told["state"]),
        choices,
        float(told["left_s"]),
        str(told["user"]),
        None if winner is None else int(winner),
        told["tied"] is True,
    )
