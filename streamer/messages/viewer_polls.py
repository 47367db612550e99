"""Polls between dreams, and votes of viewers, votes to skip among them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from streamer.messages.scenes import Target


@dataclass(frozen=True, slots=True)
class SkipVote:
    """The count of those who want to see something else."""

    votes: int
    needed: int
    skipped: bool
    """Whether this vote was the last one needed."""


LEAST_CHOICES, MOST_CHOICES = 2, 5
"""Choices of a poll; Twitch's own polls have as many."""


class PollState(StrEnum):
    """Where a poll stands."""

    OPEN = "open"
    DECIDED = "decided"
    """It ended, with a winner if anybody voted."""
    CANCELLED = "cancelled"
    """It ended and counts for nothing."""


@dataclass(frozen=True, slots=True)
class PollChoice:
    """One of the things that a poll is between."""

    number: int
    """What is typed for it, from 1."""
    title: str
    """The understood subjects, for example ``volcano + bubble``."""
    targets: tuple[Target, ...]
    names: tuple[str, ...]
    """What may be typed in place of the number: the title, and what whoever began the poll called it."""
    votes: int = 0


@dataclass(frozen=True, slots=True)
class Poll:
    """A poll of what is to be dreamt, at one moment."""

    id: str
    """Differs from all others, those of earlier runs too."""
    choices: tuple[PollChoice, ...]
    state: PollState
    left_s: float
    """Seconds until it ends by itself; 0 once it has ended."""
    length_s: float
    """Seconds that it is open."""
    user: str
    """Who began it; empty: it began by itself, as nobody asked for anything."""
    winner: int | None = None
    """Number of the choice that won; None while it is open, and when nobody voted."""
    tied: bool = False
    """Whether others had as many votes as the winner, which had them first."""
    outside: str = ""
    """Where votes are counted of which only the sums are told, for example ``twitch``; empty for nowhere."""

    @property
    def votes(self) -> int:
        """All votes."""
        return sum(choice.votes for choice in self.choices)


@dataclass(frozen=True, slots=True)
class PollVote:
    """A viewer's vote in a poll."""

    user: str
    """As it came."""
    choice: int
    """The choice's number."""
