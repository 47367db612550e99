"""What callers send: JSON objects of known shape and bounded size."""

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
"""Longest body; the longest sensible request is well under 1 kB."""


BODY_S = 10.0
"""Seconds in which a body must have come."""


class Body(BaseModel):
    """Base of every body: strict, unknown keys refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


Name = Annotated[str, Field(min_length=1, max_length=500)]
Source = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,20}$")]
MAX_AMOUNT = 1_000_000_000
"""Points or bits; Twitch takes at most 100,000 bits at once, and a reward costs less than this."""


class RequestBody(Body):
    """A request. The desk cleans and cuts names and texts; the caps here only keep nonsense from it."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "anyOf": [
                {"required": ["text"], "properties": {"text": {"type": "string"}}},
                {"required": ["random"], "properties": {"random": {"const": True}}},
            ]
        },
    )

    user: Name
    """Who asks, as it is to be shown."""
    text: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    """What to dream, for example `volcano + bubble`."""
    random: bool = False
    """Whether chance is to choose; a text is not looked at then."""
    message_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The chat's id of the message: it is taken once, however often it arrives. For callers with the token."""
    role: Role = Role.EVERYONE
    """Whose wish it is. For callers with the token."""
    source: Source = "web"
    """Where it was said. For callers with the token."""
    priority: Priority = Priority.NONE
    """What was paid for it to come sooner. For callers with the token."""
    amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] = 0
    """Points or bits that were paid."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if self.text is None and not self.random:
            raise PydanticCustomError("missing", "text: Field required")
        return self


class OopsBody(Body):
    """Whose latest request is taken back; without a source, wherever it was asked."""

    user: Name
    source: Source | None = None


class VoteskipBody(Body):
    """Who votes."""

    user: Name
    source: Source = "web"


class PollBody(Body):
    """A poll: its choices on one line, and for how long; without a time, as the rules say."""

    text: Annotated[str, Field(min_length=1, max_length=4000)]
    seconds: Annotated[float, Field(gt=0, le=1e6)] | None = None
    user: Name = "the operator"
    role: Role = Role.MODERATOR


PollId = Annotated[str, Field(min_length=1, max_length=40)]
MAX_VOTES = 1000
"""Votes in one call; a body has room for fewer unless names are short."""


class VoteBody(Body):
    """One viewer's vote."""

    user: Name
    choice: Annotated[int, Field(ge=1, le=MOST_CHOICES)]
    poll: PollId | None = None


class VotesBody(Body):
    """Votes of many viewers of one place: names and numbers."""

    votes: Annotated[list[tuple[Name, Annotated[int, Field(ge=1, le=MOST_CHOICES)]]], Field(max_length=MAX_VOTES)]
    source: Source
    poll: PollId


class CountsBody(Body):
    """How many votes each choice has elsewhere, in the order of the choices."""

    counts: Annotated[list[Annotated[int, Field(ge=0, le=MAX_AMOUNT)]], Field(max_length=MOST_CHOICES)]
    source: Source
    poll: PollId


class EndPollBody(Body):
    """How a poll is to end."""

    cancel: bool = False


class UserBody(Body):
    """A viewer."""

    user: Name


class MoveBody(Body):
    """A place in line; 1 is next."""

    position: Annotated[int, Field(ge=1, le=1_000_000)]


class RulesBody(RootModel[dict[str, Any]]):
    """Some settings of the queue, by name; the desk knows what each may be."""

    model_config = ConfigDict(strict=True, frozen=True)


class BlockBody(Body):
    """Something to keep out, or to let in again."""

    kind: BlockKind
    value: Name


class MotionBody(Body):
    """How the camera is to move; what is left out stays as it is."""

    speed: ZoomSpeed | None = None
    rotation: Rotation | None = None


FadeS = Annotated[float, Field(ge=0, le=60)]
PresetName = Annotated[str, Field(min_length=1, max_length=200)]


class ControlsBody(Body):
    """Settings, dotted, with their new values; the settings know what each may be."""

    settings: Annotated[dict[str, Any], Field(min_length=1, max_length=200)]
    fade_s: FadeS = 0.0


class ResetBody(Body):
    """Which settings to take back, dotted; all of them if not given."""

    settings: Annotated[list[str], Field(max_length=200)] | None = None


class GoOverBody(Body):
    """Which preset to go over to, and in how many seconds; as the settings say if not given."""

    name: PresetName
    fade_s: FadeS | None = None


class SavePresetBody(Body):
    """Under which name to save how it looks, and whether one of that name is written over."""

    name: PresetName
    replace: bool = False


class CompareBody(Body):
    """Which side of A/B to go to; the other one if not given."""

    side: Literal["a", "b"] | None = None


class OutputBody(RootModel[dict[str, Any]]):
    """A block of ``outputs:``; the settings know what each kind may hold."""

    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)


class EnableBody(Body):
    """Whether an output is to run."""

    enabled: bool


class ChatBody(Body):
    """What a chat bot tells of itself."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    state: ChatState
    detail: Annotated[str, Field(max_length=2000)] = ""
    account: Annotated[str, Field(max_length=500)] = ""
    channel: Annotated[str, Field(max_length=500)] = ""
    source: Source = "twitch"
    heard_s: Annotated[float, Field(ge=0, le=1e9)] | None = None
    """Seconds since the last message in the chat."""
    told: Annotated[int, Field(ge=0, le=10**15)] = 0
    """Number of the latest change of a request that viewers were told of."""


class ClipBody(Body):
    """Who asks for a clip."""

    user: Name
    source: Source = "web"


class PauseBody(Body):
    """Whether to hold what is on air."""

    paused: bool


class LoginBody(Body):
    """The moderators' token."""

    token: Annotated[str, Field(min_length=1, max_length=1000)]


class EmptyBody(Body):
    """Nothing, for calls that need no more than their name."""


B = TypeVar("B", bound=BaseModel)


async def read_body(request: web.Request, shape: type[B]) -> B:
    """Read a body as ``shape``; an absent one counts as ``{}`` if that has the shape.

    Raises:
        ApiError: 400 if it is not JSON or not of that shape, 408 if it does not come, 415 if it does not claim to be JSON.
    """
    try:
        async with asyncio.timeout(BODY_S):
            raw = (await request.read()).removeprefix(codecs.BOM_UTF8)
    except TimeoutError:
        raise ApiError(408, "too_slow", f"the body did not come within {BODY_S:.0f} s") from None
    except web.RequestPayloadError:
        raise ApiError(400, "malformed", "the body ends before its time, or is not as its headers say") from None
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
