"""What the streamer's API answers, as the bot reads it. Light to import: no HTTP."""

from __future__ import annotations

from dataclasses import dataclass


def labels_of(title: str) -> tuple[str, ...]:
    """The subjects of a title such as ``volcano + bubble``."""
    return tuple(part for part in title.split(" + ") if part)


class _Titled:
    """Has a title made of subjects."""

    __slots__ = ()
    title: str

    @property
    def labels(self) -> tuple[str, ...]:
        """The subjects of the title."""
        return labels_of(self.title)


@dataclass(frozen=True, slots=True)
class AcceptedRequest:
    """A request that the streamer has put into its queue."""

    id: int
    position: int
    eta_s: float | None
    """Seconds until it is on air; None when that is unknown."""
    labels: tuple[str, ...]
    """The subjects that were understood."""
    note: str = ""
    """What was guessed or left out; empty for nothing."""


@dataclass(frozen=True, slots=True)
class QueuedRequest(_Titled):
    """A request in the queue."""

    id: int
    user: str
    title: str
    position: int
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class CurrentDream(_Titled):
    """What is on air."""

    title: str
    user: str
    """Who asked for it; empty when nobody did."""
    left_s: float | None


@dataclass(frozen=True, slots=True)
class Programme:
    """What is on air, and the queue."""

    on_air: CurrentDream | None
    waiting: tuple[QueuedRequest, ...]
    paused: bool
    open: bool


@dataclass(frozen=True, slots=True)
class SkipVotes:
    """The votes to skip what is on air."""

    votes: int
    needed: int
    skipped: bool


@dataclass(frozen=True, slots=True)
class Clip(_Titled):
    """The last seconds of the dream, kept."""

    title: str
    path: str
    """Its page on the streamer's server."""
    url: str | None
    """Its address for viewers; None when the streamer does not know one of its own."""
    seconds: float
    """Its length; 0 for a picture, kept because no video was encoded."""


@dataclass(frozen=True, slots=True)
class RequestChange:
    """A queued request that will show something else than the viewer was told."""

    number: int
    """Rises with each change."""
    user: str
    asked: str
    """The title that the viewer was told."""
    title: str
    """What will be shown instead; empty for nothing."""


@dataclass(frozen=True, slots=True)
class TextMatch:
    """What a text would be understood as."""

    labels: tuple[str, ...]
    note: str = ""
    exact: bool = False
    """Whether the text consists of names and nothing else."""
