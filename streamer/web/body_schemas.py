"""Request bodies: JSON objects with a fixed schema and a limited size."""

from __future__ import annotations

import asyncio
import codecs
from typing import Annotated, Any, Literal, Self, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from shared.role import Role
from streamer.config import Rotation, ZoomSpeed
from streamer.messages.chat_status import ChatState
from streamer.messages.queue_rules import BlockKind
from streamer.messages.requests import Priority
from streamer.messages.viewer_polls import MOST_CHOICES
from streamer.web.errors import ApiError

MAX_BYTES = 16 * 1024
"""Longest body; a sensible request is well under 1 kB."""
BODY_S = 10.0
"""Seconds within which a body must arrive."""


class Body(BaseModel):
    """Base of every body: strict, unknown keys are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


Name = Annotated[str, Field(min_length=1, max_length=500)]
Source = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,20}$")]
MAX_AMOUNT = 1_000_000_000
"""Points or bits; Twitch takes at most 100,000 bits at once, and a reward costs less than this."""


class RequestBody(Body):
    """A request. Names and texts are cleaned and shortened later; the limits here only keep out nonsense."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["text"], "properties": {"text": {"type": "string"}}},
                {"required": ["random"], "properties": {"random": {"const": True}}},
            ]
        },
    )

    user: Name
    """The viewer's name, as it is shown."""
    text: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    """What to dream, for example `volcano + bubble`. Required unless `random` is true."""
    random: bool = False
    """Choose a random subject; `text` is ignored."""
    message_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Id of the chat message, so that a message delivered twice counts once. Takes the token."""
    role: Role = Role.EVERYONE
    """The viewer's role. Takes the token."""
    source: Source = "web"
    """Where the viewer asked, for example `twitch`. Takes the token."""
    priority: Priority = Priority.NONE
    """How the viewer paid for an earlier turn. Takes the token."""
    amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] = 0
    """Points or bits paid; ignored without a priority."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if self.text is None and not self.random:
            raise PydanticCustomError("missing", "text: Field required")
        return self


class OopsBody(Body):
    """The viewer whose latest request is withdrawn; without a source, wherever it was made."""

    user: Name
    source: Source | None = None


class VoteskipBody(Body):
    """The viewer who votes to skip."""

    user: Name
    source: Source = "web"


class PollBody(Body):
    """A poll to open."""

    text: Annotated[str, Field(min_length=1, max_length=4000)]
    """The choices on one line, for example `goldfish / pizza / lion`."""
    seconds: Annotated[float, Field(gt=0, le=1e6)] | None = None
    """How long it stays open; by default `poll_s` of the rules."""
    user: Name = "the operator"
    role: Role = Role.MODERATOR


PollId = Annotated[str, Field(min_length=1, max_length=40)]
MAX_VOTES = 1000
"""Votes in one call; a body has room for fewer unless names are short."""


class VoteBody(Body):
    """One viewer's vote."""

    user: Name
    choice: Annotated[int, Field(ge=1, le=MOST_CHOICES)]
    """Number of the choice, from 1."""
    poll: PollId | None = None
    """Id of the poll; by default the one that is open."""


class VotesBody(Body):
    """Votes of many viewers from one source: pairs of a name and the number of a choice."""

    votes: Annotated[list[tuple[Name, Annotated[int, Field(ge=1, le=MOST_CHOICES)]]], Field(max_length=MAX_VOTES)]
    source: Source
    poll: PollId


class CountsBody(Body):
    """Total votes of each choice in another poll, in the order of the choices."""

    counts: Annotated[list[Annotated[int, Field(ge=0, le=MAX_AMOUNT)]], Field(max_length=MOST_CHOICES)]
    """Votes, one number for each choice; they replace the source's earlier totals."""
    source: Source
    poll: PollId


class EndPollBody(Body):
    """How to end a poll."""

    cancel: bool = False
    """Drop the poll without a winner."""


class UserBody(Body):
    """A viewer."""

    user: Name


class MoveBody(Body):
    """A position in the queue; 1 is next."""

    position: Annotated[int, Field(ge=1, le=1_000_000)]


class RulesBody(RootModel[dict[str, Any]]):
    """Settings of `queue` by name, with their new values; `GET /api/rules` lists them."""

    model_config = ConfigDict(strict=True, frozen=True)


class BlockBody(Body):
    """Something to block or unblock."""

    kind: BlockKind
    value: Name
    """The word, the viewer's name, or the class by name or wnid."""


class MotionBody(Body):
    """The camera's new motion; what is left out stays as it is."""

    speed: ZoomSpeed | None = None
    """Zoom factor per second; 1 stands still."""
    rotation: Rotation | None = None
    """Degrees per second, counter-clockwise."""


FadeS = Annotated[float, Field(ge=0, le=60)]
PresetName = Annotated[str, Field(min_length=1, max_length=200)]


class ControlsBody(Body):
    """Settings to change on air."""

    settings: Annotated[dict[str, Any], Field(min_length=1, max_length=200)]
    """New values by dotted name, for example `{"dream.step": 4}`; `GET /api/controls` lists the names."""
    fade_s: FadeS = 0.0
    """Seconds in which numbers change to their new values."""


class ResetBody(Body):
    """Dotted names of the settings to reset; all if left out."""

    settings: Annotated[list[str], Field(max_length=200)] | None = None


class GoOverBody(Body):
    """The preset to apply."""

    name: PresetName
    fade_s: FadeS | None = None
    """Seconds in which numbers change; `controls.crossfade_s` if left out."""


class SavePresetBody(Body):
    """The preset to save."""

    name: PresetName
    replace: bool = False
    """Overwrite a preset of that name."""


class CompareBody(Body):
    """The side of A/B to switch to; the other one if left out."""

    side: Literal["a", "b"] | None = None


class OutputBody(RootModel[dict[str, Any]]):
    """An output, with the keys of a block under `outputs` in the config."""

    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)


class EnableBody(Body):
    """Whether the output should run."""

    enabled: bool


class ChatBody(Body):
    """A chat bot's report of its state."""

    state: ChatState
    detail: Annotated[str, Field(max_length=2000)] = ""
    account: Annotated[str, Field(max_length=500)] = ""
    channel: Annotated[str, Field(max_length=500)] = ""
    source: Source = "twitch"
    heard_s: Annotated[float, Field(ge=0, le=1e9)] | None = None
    """Seconds since the last message in the chat."""
    told: Annotated[int, Field(ge=0, le=10**15)] = 0
    """Number of the latest change of a request that the bot has announced to viewers."""


class ClipBody(Body):
    """The viewer who wants a clip."""

    user: Name
    source: Source = "web"


class PauseBody(Body):
    """Whether to hold the scene on air."""

    paused: bool


class LoginBody(Body):
    """The moderators' token."""

    token: Annotated[str, Field(min_length=1, max_length=1000)]


class EmptyBody(Body):
    """An empty object; the body may be left out."""


B = TypeVar("B", bound=BaseModel)


async def read_body(request: web.Request, shape: type[B]) -> B:
    """Read a body and validate it as ``shape``; only an ``EmptyBody`` may be missing.

    Raises:
        ApiError: 400 if it is not JSON or does not match the schema, 408 if it does not arrive in time, 415 if its content type
            is not JSON.
    """
    try:
        async with asyncio.timeout(BODY_S):
            raw = (await request.read()).removeprefix(codecs.BOM_UTF8)
    except TimeoutError:
        raise ApiError(408, "too_slow", f"the body did not arrive within {BODY_S:.0f} s") from None
    except web.RequestPayloadError:
        raise ApiError(400, "malformed", "the body ends early, or does not match its headers") from None
    if not raw and shape is EmptyBody:
        return shape()
    if request.content_type != "application/json":
        raise ApiError(415, "not_json", "send JSON, with Content-Type: application/json")
    try:
        return shape.model_validate_json(raw)
    except ValidationError as error:
        raise ApiError(400, "bad_input", "; ".join(_line(part["loc"], part["msg"]) for part in error.errors()[:5])) from None


def _line(loc: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in loc)[:60]
    return f"{where}: {message}" if where else message
