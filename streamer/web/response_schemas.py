"""What the JSON API answers: ``serializers`` builds these, the table of routes names them, the API's document is made of them.

Optional keys are marked; all others are required. More are in ``response_schemas_classes``, ``response_schemas_moderation`` and
``response_schemas_status``.
"""

from __future__ import annotations

from typing import NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12 on

from streamer.messages.requests import RequestState
from streamer.messages.viewer_polls import PollState

exact_schema = with_config(ConfigDict(extra="forbid", use_attribute_docstrings=True))
"""Marks an answer: it has no other keys, and what is written under a key is what the API's document says of it."""


@exact_schema
class ErrorDetail(TypedDict):
    """Why a call was refused."""

    code: str
    """For programs, for example `unknown_word`."""
    message: str
    """For people, in one line."""
    suggestions: NotRequired[list[str]]
    """Subjects that would be understood, nearest first."""
    retry_s: NotRequired[float]
    """Seconds after which another try may succeed; also in the header Retry-After."""
    mistakes: NotRequired[list[str]]
    """All mistakes of the settings."""
    voted: NotRequired[bool]
    """With `duplicate`: whether the call counts as a vote for the request that waits already."""
    votes: NotRequired[int]
    """With `duplicate`: all votes for that request."""
    id: NotRequired[int]
    """With `duplicate`: that request."""
    title: NotRequired[str]
    """With `duplicate`: what that request asks for."""
    position: NotRequired[int]
    """With `duplicate`: its place in line, 1 being next."""
    eta_s: NotRequired[float]
    """With `duplicate`: seconds until it is expected on air."""
    said: NotRequired[str]
    """With `unlearnt`: the subject as it was typed."""
    label: NotRequired[str]
    """With `unlearnt`: what the subject is called."""
    known: NotRequired[int]
    """With `unlearnt`: how many classes the network at work has learnt."""
    remedy: NotRequired[str]
    """With `unlearnt`: how the operator gets a network that knows it."""


@exact_schema
class Error(TypedDict):
    """A call was refused."""

    error: ErrorDetail


@exact_schema
class Target(TypedDict):
    """One thing to dream."""

    kind: str
    """`class`, `layer`, `guide`, or the name of another objective."""
    wnid: str
    """WordNet id of the class; empty for the other kinds."""
    label: str
    link: str
    """A page about it; empty where there is none."""


@exact_schema
class Receipt(TypedDict):
    """A request was taken."""

    id: int
    position: int
    """Place in line; 1 is next."""
    eta_s: float
    """Seconds until it is expected on air."""
    title: str
    """What was understood, for example `volcano + bubble`."""
    targets: list[Target]
    note: str
    """What was guessed; empty when nothing was."""


@exact_schema
class Standing(TypedDict):
    """Where a request stands."""

    id: int
    state: RequestState
    user: str
    title: str
    position: NotRequired[int]
    """Place in line, while it waits."""
    eta_s: NotRequired[float | None]
    """Seconds until it is expected on air, while it waits."""


@exact_schema
class Match(TypedDict):
    """What some words are understood as."""

    title: str
    targets: list[Target]
    note: str
    """What was guessed; empty when nothing was."""
    exact: bool
    """Whether the words were names and nothing else."""


@exact_schema
class TakenBack(TypedDict):
    """A request left the line at its viewer's wish."""

    removed: int
    """The request's id."""
    title: str


@exact_schema
class SkipVote(TypedDict):
    """The votes to end what is on air."""

    votes: int
    needed: int
    skipped: bool


@exact_schema
class Change(TypedDict):
    """A request that is dreamt as something else than was answered."""

    number: int
    """Rises with each change."""
    id: int
    """The request."""
    user: str
    asked: str
    """The title that was answered."""
    title: str
    """What is dreamt instead; empty where it was left out."""


@exact_schema
class ChatHeard(TypedDict):
    """A chat bot's report was heard."""

    ok: bool
    changes: list[Change]


@exact_schema
class Session(TypedDict):
    """What a visitor may do."""

    moderator: bool
    writer: bool
    """Whether the visitor may ask for a dream."""
    login: bool
    """Whether there is a token to log in with."""


@exact_schema
class LoggedIn(TypedDict):
    """Whether the browser is a moderator's from now on."""

    moderator: bool


@exact_schema
class PollChoice(TypedDict):
    """One of the things that a poll is between."""

    number: int
    """What is typed for it, from 1."""
    title: str
    names: list[str]
    """What may be typed in place of the number."""
    votes: int
    targets: list[Target]
    picture: str
    """Address of a small picture on this server, if there is one yet; empty where there never is."""


@exact_schema
class Poll(TypedDict):
    """A poll as it stands."""

    id: str
    state: PollState
    left_s: float
    """Seconds until it ends by itself; 0 once it has ended."""
    length_s: float
    user: str
    """Who began it; empty: it began by itself."""
    votes: int
    winner: int | None
    """Number of the choice that won."""
    tied: bool
    """Whether others had as many votes as the winner."""
    outside: str
    """Where votes are counted of which only the sums are told, for example `twitch`; empty for nowhere."""
    choices: list[PollChoice]


@exact_schema
class PollNow(TypedDict):
    """The poll that is open, or ended a few seconds ago."""

    poll: Poll | None


@exact_schema
class PollChanged(TypedDict):
    """The poll, after the call."""

    poll: Poll


@exact_schema
class Voted(TypedDict):
    """A viewer voted."""

    poll: Poll
    counted: bool


@exact_schema
class VotesCounted(TypedDict):
    """Votes of many viewers were counted."""

    poll: Poll
    counted: int
    """How many of them count."""
