"""Polls for the next dream, and viewers' votes, including votes to skip."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from streamer.messages.scenes import Target


@dataclass(frozen=True, slots=True)
class SkipVote:
    """The number of viewers who vote to skip the scene on air."""

    votes: int
    needed: int
    skipped: bool
    """Whether this vote was the last one needed."""


LEAST_CHOICES, MOST_CHOICES = 2, 5
"""Range of the number of choices in a poll; the same as for Twitch's own polls."""


class PollState(StrEnum):
    """State of a poll."""

    OPEN = "open"
    DECIDED = "decided"
    """It ended, with a winner if anyone voted."""
    CANCELLED = "cancelled"
    """It ended without effect."""


@dataclass(frozen=True, slots=True)
class PollChoice:
    """One choice of a poll."""

    number: int
    """The number that viewers type for it, from 1."""
    title: str
    """The understood subjects, for example ``volcano + bubble``."""
    targets: tuple[Target, ...]
    names: tuple[str, ...]
    """What viewers can type instead of the number: the title, and the text that the poll was started with."""
    votes: int = 0


@dataclass(frozen=True, slots=True)
class Poll:
    """A poll for the next dream, at one moment."""

    id: str
    """Unique, also across runs."""
    choices: tuple[PollChoice, ...]
    state: PollState
    left_s: float
    """Seconds until it ends by itself; 0 once it has ended."""
    length_s: float
    """Seconds for which it is open in total."""
    user: str
    """The user who started it; empty if it started by itself because there were no requests."""
    winner: int | None = None
    """Number of the winning choice; None while it is open, and if nobody voted."""
    tied: bool = False
    """Whether other choices have as many votes as the winner, which reached that number first."""
    outside: str = ""
    """Service that counts votes of its own and reports only their sums, for example ``twitch``; empty if there is none."""

    @property
    def votes(self) -> int:
        """Total number of votes."""
        return sum(choice.votes for choice in self.choices)


@dataclass(frozen=True, slots=True)
class PollVote:
    """A viewer's vote in a poll."""

    user: str
    """The name as received."""
    choice: int
    """Number of the choice."""
