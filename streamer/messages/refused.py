"""The exception for refused requests and commands, and the reasons it gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why something was refused; the web package maps each reason to an HTTP status."""

    UNKNOWN_WORD = "unknown_word"
    UNLEARNT = "unlearnt"
    """The class exists, but the current network does not know it."""
    DUPLICATE = "duplicate"
    LIMIT = "limit"
    CLOSED = "closed"
    BLOCKED = "blocked"
    FORBIDDEN = "forbidden"
    """Others may do this, but not the sender."""
    NOT_FOUND = "not_found"
    LOADING = "loading"
    """The network is still loading, so it is not yet known whether the request can be fulfilled."""
    BAD_INPUT = "bad_input"
    BAD_OUTPUT = "bad_output"


@dataclass(frozen=True, slots=True)
class Vote:
    """The result of requesting something that is already in the queue: the request counts as a vote for it."""

    request_id: int
    counted: bool
    """False for the viewer's own request, and for a second vote."""
    votes: int
    """Its total number of votes."""
    title: str
    position: int | None
    """Its position in the queue; None if it has left the queue."""
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class Unlearnt:
    """A subject that only other networks know."""

    said: str
    """The text that was typed."""
    label: str
    """The name of the class; the typed text if that means several classes."""
    known: int
    """Number of classes that the current network knows."""
    remedy: str
    """How the operator gets a network that knows it, in one line."""


class Refused(Exception):
    """A request or command is refused; the message tells its sender why."""

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
        """With ``DUPLICATE``: the vote for the request that is already in the queue."""
        self.unlearnt = unlearnt
        """With ``UNLEARNT``: the subject that the network does not know."""
