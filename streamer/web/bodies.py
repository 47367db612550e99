"""What callers send: JSON objects of known shape and bounded size."""

from __future__ import annotations

from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamer.messages import Role
from streamer.web.errors import ApiError

MAX_BYTES = 16 * 1024
"""Longest body; the longest sensible request is well under 1 kB."""


class Body(BaseModel):
    """Base of every body: strict, unknown keys refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class RequestBody(Body):
    """A request. The desk cleans and cuts names and texts; the caps here only keep nonsense from it."""

    user: Annotated[str, Field(min_length=1, max_length=500)]
    text: Annotated[str, Field(min_length=1, max_length=4000)]
    message_id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    role: Role = Role.EVERYONE
    source: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,20}$")] = "web"


class PauseBody(Body):
    """Whether to hold what is on air."""

    paused: bool


class LoginBody(Body):
    """The moderators' token."""

    token: Annotated[str, Field(min_length=1, max_length=1000)]


class EmptyBody(Body):
    """Nothing, for calls that need no more than their name."""


B = TypeVar("B", bound=Body)


async def read_body(request: web.Request, shape: type[B]) -> B:
    """Read a body as ``shape``; an absent one counts as ``{}`` if that has the shape.

    Raises:
        ApiError: 400 if it is not JSON or not of that shape, 415 if it does not claim to be JSON.
    """
    raw = await request.read()
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
