"""Viewers' requests: their states, priorities, interpretation and positions in the queue."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.role import Role
from streamer.messages.scenes import Target


class RequestState(StrEnum):
    """State of a request.

    The possible transitions are queued → on_air → done, queued → removed, on_air → queued after a crash or when workers failed
    on it, and on_air → removed if it ends before any keyframe shows it.
    """

    QUEUED = "queued"
    ON_AIR = "on_air"
    DONE = "done"
    REMOVED = "removed"


class Priority(StrEnum):
    """What the viewer paid for an earlier position."""

    NONE = "none"
    POINTS = "points"
    """Channel points; refunded if the request is refused."""
    BITS = "bits"
    """Bits; not refunded."""

    @property
    def rank(self) -> int:
        """Rank in the queue, higher first: 0 for no payment, 2 for bits."""
        return list(Priority).index(self)


@dataclass(frozen=True, slots=True)
class Request:
    """A viewer's request, as the queue stores it."""

    id: int
    user: str
    """Display name, cleaned: no control, bidi or zero-width characters, at most 25 graphemes."""
    text: str
    """The request's text without the command word, cleaned in the same way, at most 100 graphemes."""
    targets: tuple[Target, ...]
    role: Role
    source: str
    """Where it came from: ``web``, ``say``, ``twitch``…"""
    created_s: float
    """Unix time, since it outlives the process."""
    state: RequestState = RequestState.QUEUED
    message_id: str | None = None
    """The chat message's id, to detect double delivery."""
    priority: Priority = Priority.NONE
    amount: int = 0
    """Points or bits paid."""
    votes: int = 0
    """Number of viewers who requested the same thing afterwards."""
    pinned_position: int | None = None
    """Position set by a moderator: lower comes first, and all of these come before the rest. None: the rules decide."""
    aired_s: float = 0.0
    """Seconds for which keyframes have shown it. A queued request has more than 0 if the program ended while it was on air."""

    @property
    def title(self) -> str:
        """The understood subjects, for example ``volcano + bubble``."""
        return " + ".join(target.label for target in self.targets)


@dataclass(frozen=True, slots=True)
class Match:
    """The interpretation of a viewer's words."""

    targets: tuple[Target, ...]
    """1 to ``MAX_TARGETS`` different targets, in the order named."""
    note: str = ""
    """A note for the viewer on what was guessed or chosen; empty if nothing was."""
    exact: bool = True
    """Whether the words were exact names and nothing else: no typing mistakes, no surrounding sentence."""

    @property
    def title(self) -> str:
        """The understood subjects, for example ``volcano + bubble``."""
        return " + ".join(target.label for target in self.targets)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to an accepted request."""

    id: int
    position: int
    """1 is next."""
    eta_s: float
    """Seconds until it is expected on air; 0 means immediately."""
    targets: tuple[Target, ...]
    note: str = ""
    """A note on what was guessed, for example ``read 'volcanoe' as volcano``; empty if nothing was."""

    @property
    def title(self) -> str:
        """The understood subjects, for example ``volcano + bubble``."""
        return " + ".join(target.label for target in self.targets)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request in the queue."""

    request: Request
    position: int
    """1 is next."""
    eta_s: float
    instead_of: str = ""
    """The requested subject, if the current network does not know it and similar classes are shown instead; else empty."""


@dataclass(frozen=True, slots=True)
class Substitution:
    """A request that shows something other than its answer announced, because the network has changed."""

    number: int
    """Number of the substitution within a run, from 1."""
    request_id: int
    user: str
    source: str
    """Where it came from, as in ``Request``."""
    asked: str
    """The subject that was announced last, for example ``volcano``."""
    title: str
    """The subject that is shown instead; empty if the request was left out."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A request and its position in the queue; requests that are not queued have no position."""

    request: Request
    position: int | None = None
    eta_s: float | None = None
