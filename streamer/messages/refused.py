"""Why requests and commands are refused, and the exception that says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why something was refused; the web maps each to a status code."""

    UNKNOWN_WORD = "unknown_word"
    UNLEARNT = "unlearnt"
    """There is such a class, but the network at work has not learnt it."""
    DUPLICATE = "duplicate"
    LIMIT = "limit"
    CLOSED = "closed"
    BLOCKED = "blocked"
    FORBIDDEN = "forbidden"
    """Others may, the one who asks may not."""
    NOT_FOUND = "not_found"
    LOADING = "loading"
    """The network is still loading: whether it can be dreamt is known in a moment."""
    BAD_INPUT = "bad_input"
    BAD_OUTPUT = "bad_output"


@dataclass(frozen=True, slots=True)
class Vote:
    """What became of a request for something that waits already: it counts as a vote for that one."""

    request_id: int
    counted: bool
    """False for one's own request, and for a second vote."""
    votes: int
    """All votes for it now."""
    title: str
    position: int | None
    """Where it stands now; None when it has left the line."""
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class Unlearnt:
    """A subject that only other networks know."""

    said: str
    """As it was typed."""
    label: str
    """What it is called; what was typed, where that means several classes."""
    known: int
    """Classes that the network at work has learnt."""
    remedy: str
    """How the operator gets a network that knows it, in one line."""


class Refused(Exception):
    """A request or command that cannot be granted, for a reason its sender can understand."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        suggestions: tuple[str, ...] = (),
        retry_s: float | None = None,
        vote: Vote | None = None,
        unlearnt: Unlearnt | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.suggestions = suggestions
        """Subjects that would be understood, nearest first."""
        self.retry_s = retry_s
        """Seconds after which another try may succeed."""
        self.vote = vote
        """With ``DUPLICATE``: the request that waits already."""
        self.unlearnt = unlearnt
        """With ``UNLEARNT``: what the network has not learnt."""
