"""Errors of talking to Twitch: which kind they are, and how to describe them without secrets."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

import aiohttp
from twitchio.exceptions import HTTPException, InvalidTokenException, TwitchioException, WebsocketConnectionException

from bot.errors import BotError

TWITCH_ERRORS = (TwitchioException, aiohttp.ClientError, OSError, TimeoutError)
"""What talking to Twitch raises."""
_TOKEN_PATH = "oauth2/token"


class ErrorKind(Enum):
    """What to do about an error."""

    TEMPORARY = auto()
    """Twitch cannot be reached, or has trouble of its own: try again soon."""
    LOGIN = auto()
    """The account has to log in again; trying again does not help."""
    REFUSED = auto()
    """Twitch says no to what is asked: tell the operator, and try again now and then."""


class NeedsLogin(BotError):
    """An account has to log in before the bot can go on."""

    def __init__(self, login: str, why: str) -> None:
        super().__init__(f"{login} needs a login: {why}")
        self.login, self.why = login, why


def classify(error: BaseException) -> ErrorKind:
    """The kind of an error from twitchio, aiohttp or the network."""
    if isinstance(error, NeedsLogin):
        return ErrorKind.LOGIN
    if not isinstance(error, HTTPException):
        return ErrorKind.TEMPORARY
    if error.status >= 500 or error.status in (408, 429):
        return ErrorKind.TEMPORARY
    refreshing = error.route is not None and error.route.path == _TOKEN_PATH
    if refreshing or isinstance(error, InvalidTokenException):
        # 400 'Invalid refresh token' is final. 400 'missing client secret' and 403 'invalid client secret' are mistakes in the
        # application's settings, which no login cures.
        return ErrorKind.REFUSED if "client" in _said(error).lower() else ErrorKind.LOGIN
    return ErrorKind.LOGIN if error.status == 401 else ErrorKind.REFUSED


def describe(error: BaseException) -> str:
    """An error in one line without secrets: never twitchio's own text, which has the client secret in its address."""
    if isinstance(error, NeedsLogin):
        return error.why
    if isinstance(error, HTTPException):
        return f"Twitch answered {error.status}{f' ({said})' if (said := _said(error)) else ''}"
    if isinstance(error, WebsocketConnectionException):
        cause = error.__cause__
        return describe(cause) if cause is not None else "Twitch did not send a welcome"
    if isinstance(error, TimeoutError):
        return "Twitch does not answer"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"Twitch cannot be reached ({error.os_error.strerror or type(error.os_error).__name__})"
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"Twitch answered {error.status}"
    if isinstance(error, aiohttp.ClientError | OSError):
        return f"the connection to Twitch broke ({type(error).__name__})"
    return f"something unexpected ({type(error).__name__})"


def first_of(group: BaseExceptionGroup[Any]) -> BaseException:
    """The first error of a group, however deep."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _said(error: HTTPException) -> str:
    message = error.extra.get("message", "") if isinstance(error.extra, dict) else ""
    return " ".join(str(message).split())[:120]
