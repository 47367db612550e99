"""A poll as the streamer reports it, and which choice a chat line names. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.clean import clean_text

LONGEST = 120
"""A line with more characters is no vote."""
_NUMBER = re.compile(r"[#!]?([1-9])[.!?)]*")
_ENDS = " \t.,:;!?#\"'()"
"""Ignored around a name."""


@dataclass(frozen=True, slots=True)
class PollChoice:
    """One of the choices."""

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
    choices: tuple[PollChoice, ...]
    left_s: float
    user: str
    """Who opened it; empty when it opened by itself."""
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


def poll_of(answer: Mapping[str, Any]) -> Poll:
    """Read a poll from the streamer's JSON.

    Raises:
        KeyError, TypeError, ValueError: it is no poll.
    """
    choices = tuple(
        PollChoice(int(each["number"]), str(each["title"]), tuple(str(name) for name in each["names"]), int(each["votes"]))
        for each in answer["choices"]
    )
    winner = answer["winner"]
    return Poll(
        str(answer["id"]),
        str(answer["state"]),
        choices,
        float(answer["left_s"]),
        str(answer["user"]),
        None if winner is None else int(winner),
        answer["tied"] is True,
    )
