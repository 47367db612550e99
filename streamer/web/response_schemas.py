"""Types of the JSON API's responses: built by ``serializers``, named in the table of routes, described in the OpenAPI document.

Optional keys are marked; all others are required. More types are in ``response_schemas_classes``,
``response_schemas_moderation`` and ``response_schemas_status``.
"""

from __future__ import annotations

from typing import NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict  # pydantic reads typing's own only from Python 3.12 on

from streamer.messages.requests import RequestState
from streamer.messages.viewer_polls import PollState

exact_schema = with_config(ConfigDict(extra="forbid", use_attribute_docstrings=True))
"""Marks a response type: it has no other keys, and the docstring of a key is its description in the OpenAPI document."""


@exact_schema
class ErrorDetail(TypedDict):
    """Why a call was refused."""

    code: str
    """Machine-readable code, for example `unknown_word`."""
    message: str
    """One line for people."""
    suggestions: NotRequired[list[str]]
    """Subjects that the stream understands instead, nearest first."""
    retry_s: NotRequired[float]
    """Seconds after which another try may succeed; also in the header Retry-After."""
    mistakes: NotRequired[list[str]]
    """All mistakes in the settings."""
    voted: NotRequired[bool]
    """With `duplicate`: whether the call counts as a vote for the request that is already waiting."""
    votes: NotRequired[int]
    """With `duplicate`: votes for that request."""
    id: NotRequired[int]
    """With `duplicate`: id of that request."""
    title: NotRequired[str]
    """With `duplicate`: title of that request."""
    position: NotRequired[int]
    """With `duplicate`: its position in the queue; 1 is next."""
    eta_s: NotRequired[float]
    """With `duplicate`: seconds until it is expected on air."""
    said: NotRequired[str]
    """With `unlearnt`: the subject as typed."""
    label: NotRequired[str]
    """With `unlearnt`: the usual name of the subject."""
    known: NotRequired[int]
    """With `unlearnt`: how many classes the network in use has learnt."""
    remedy: NotRequired[str]
    """With `unlearnt`: how the operator gets a network that knows it."""


@exact_schema
class Error(TypedDict):
    """The call was refused."""

    error: ErrorDetail


@exact_schema
class Target(TypedDict):
    """One subject of a request or scene."""

    kind: str
    """`class`, `layer`, `guide`, or the name of another objective."""
    wnid: str
    """WordNet id of the class; empty for other kinds."""
    label: str
    """Its name, as it is shown."""
    link: str
    """Address of a page about it; empty if there is none."""


@exact_schema
class Receipt(TypedDict):
    """The request is in the queue."""

    id: int
    """Id of the request."""
    position: int
    """Position in the queue; 1 is next."""
    eta_s: float
    """Seconds until it is expected on air."""
    title: str
    """What was understood, for example `volcano + bubble`."""
    targets: list[Target]
    """The subjects."""
    note: str
    """What was guessed or left out; empty for nothing."""


@exact_schema
class Standing(TypedDict):
    """The state of a request."""

    id: int
    state: RequestState
    user: str
    """Who made it."""
    title: str
    position: NotRequired[int]
    """Position in the queue, while it waits; 1 is next."""
    eta_s: NotRequired[float | None]
    """Seconds until it is expected on air, while it waits."""


@exact_schema
class Match(TypedDict):
    """How a text is understood."""

    title: str
    """The subjects, for example `volcano + bubble`."""
    targets: list[Target]
    note: str
    """What was guessed or left out; empty for nothing."""
    exact: bool
    """Whether the text is names of subjects and nothing else."""


@exact_schema
class TakenBack(TypedDict):
    """The viewer's request is withdrawn."""

    removed: int
    """Id of the request."""
    title: str


@exact_schema
class SkipVote(TypedDict):
    """The votes to skip the scene on air."""

    votes: int
    """Votes so far."""
    needed: int
    """Votes that are needed."""
    skipped: bool
    """Whether this vote has ended the scene."""


@exact_schema
class Change(TypedDict):
    """A request that shows something else than the viewer was told."""

    number: int
    """Number of the change; it rises with each."""
    id: int
    """Id of the request."""
    user: str
    asked: str
    """The title that the viewer was told."""
    title: str
    """The title now; empty if the request was left out."""


@exact_schema
class ChatHeard(TypedDict):
    """The report has arrived."""

    ok: bool
    changes: list[Change]
    """Changed requests from the bot's source, after the change `told`."""


@exact_schema
class Session(TypedDict):
    """What the caller may do."""

    moderator: bool
    """Whether the caller is a moderator."""
    writer: bool
    """Whether the caller may make requests."""
    login: bool
    """Whether a token is configured to log in with."""


@exact_schema
class LoggedIn(TypedDict):
    """Whether the browser is logged in as a moderator now."""

    moderator: bool


@exact_schema
class PollChoice(TypedDict):
    """One choice of a poll."""

    number: int
    """Its number, from 1."""
    title: str
    names: list[str]
    """What viewers may type instead of the number."""
    votes: int
    targets: list[Target]
    picture: str
    """Path of a thumbnail, which may not exist yet; empty if there is never one."""


@exact_schema
class Poll(TypedDict):
    """A poll."""

    id: str
    state: PollState
    left_s: float
    """Seconds until it ends; 0 once it has ended."""
    length_s: float
    """How long it is open, in seconds."""
    user: str
    """Who opened it; empty if the stream did."""
    votes: int
    """Votes of all choices together."""
    winner: int | None
    """Number of the choice that won; null for none."""
    tied: bool
    """Whether others had as many votes as the winner."""
    outside: str
    """Source whose votes come as totals only, for example `twitch`; empty for none."""
    choices: list[PollChoice]
    """The choices, in order of their numbers."""


@exact_schema
class PollNow(TypedDict):
    """The poll that is open or ended a few seconds ago, if any."""

    poll: Poll | None


@exact_schema
class PollChanged(TypedDict):
    """The poll after the call."""

    poll: Poll


@exact_schema
class Voted(TypedDict):
    """The poll after a vote."""

    poll: Poll
    counted: bool
    """Whether the vote counts."""


@exact_schema
class VotesCounted(TypedDict):
    """The poll after votes of many viewers."""

    poll: Poll
    counted: int
    """How many of the votes count."""
