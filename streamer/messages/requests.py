"""Viewers' requests: their states, roles and payments, how they are understood, and where they stand in the queue."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.role import Role
from streamer.messages.scenes import Target


class RequestState(StrEnum):
    """Where a request stands.

    Only these moves happen: queued → on_air → done, queued → removed, on_air → queued after a crash or when workers ended
    over it, and on_air → removed for what was ended before anything of it was dreamt.
    """

    QUEUED = "queued"
    ON_AIR = "on_air"
    DONE = "done"
    REMOVED = "removed"


class Priority(StrEnum):
    """What was paid for a request to come sooner."""

    NONE = "none"
    POINTS = "points"
    """Channel points; given back when it is refused."""
    BITS = "bits"
    """Bits; they are spent whatever comes of it."""

    @property
    def rank(self) -> int:
        """How far in front it stands: 0 for nothing paid, 2 for bits."""
        return list(Priority).index(self)


@dataclass(frozen=True, slots=True)
class Request:
    """A viewer's wish, as the queue keeps it."""

    id: int
    user: str
    """Display name, cleaned: no control, bidi or zero-width characters, at most 25 graphemes."""
    text: str
    """What was asked for, cleaned likewise, at most 100 graphemes; without the command word."""
    targets: tuple[Target, ...]
    role: Role
    source: str
    """Where it came from: ``web``, ``say``, ``twitch``…"""
    created_s: float
    """Unix time: it outlives the process."""
    state: RequestState = RequestState.QUEUED
    message_id: str | None = None
    """The chat message's id, against double delivery."""
    priority: Priority = Priority.NONE
    amount: int = 0
    """Points or bits paid."""
    votes: int = 0
    """Viewers who asked for the same since."""
    settled: int | None = None
    """Where a moderator has put it: lower stands in front, and all of these before the rest. None: the rules decide."""
    aired_s: float = 0.0
    """Seconds that the dream was seen to dream it, as far as is known: more than 0 in line if the program ended meanwhile."""

    @property
    def title(self) -> str:
        """The understood subjects, for example ``volcano + bubble``."""
        return " + ".join(target.label for target in self.targets)


@dataclass(frozen=True, slots=True)
class Match:
    """What a viewer's words were understood as."""

    targets: tuple[Target, ...]
    """1 to ``MAX_TARGETS`` different ones, in the order named."""
    note: str = ""
    """What was guessed or chosen, for the viewer; empty when nothing was."""
    exact: bool = True
    """Whether the words were names and nothing else: no slip of the pen, not found within a sentence."""

    @property
    def title(self) -> str:
        """The understood subjects, for example ``volcano + bubble``."""
        return " + ".join(target.label for target in self.targets)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a viewer is told when a request is taken."""

    id: int
    position: int
    """1 is next."""
    eta_s: float
    """Seconds until it is expected on air; 0 when at once."""
    targets: tuple[Target, ...]
    note: str = ""
    """What was guessed, for example ``read 'volcanoe' as volcano``; empty when nothing was."""

    @property
    def title(self) -> str:
        """The understood subjects, for example ``volcano + bubble``."""
        return " + ".join(target.label for target in self.targets)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request in line."""

    request: Request
    position: int
    """1 is next."""
    eta_s: float
    instead_of: str = ""
    """What was asked for, where the network at work has not learnt it and its nearest relatives are dreamt; else empty."""


@dataclass(frozen=True, slots=True)
class Substitution:
    """A request that is dreamt as something else than was answered when it came, because the network is another."""

    number: int
    """Counts the changes of a run from 1."""
    request_id: int
    user: str
    source: str
    """Where it came from, as in ``Request``."""
    asked: str
    """What was answered last, for example ``volcano``."""
    title: str
    """What is dreamt in place of it; empty for nothing: it was left out."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a request stands; one that does not wait has no position."""

    request: Request
    position: int | None = None
    eta_s: float | None = None
