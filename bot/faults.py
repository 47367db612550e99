"""What an error in talking to Twitch means: whether to try again, to ask for a login, or to tell the operator."""

from __future__ import annotations

from enum import Enum, auto

import aiohttp
from twitchio.exceptions import HTTPException, InvalidTokenException, WebsocketConnectionException

from bot.errors import BotError

_TOKEN_PATH = "oauth2/token"


class Fault(Enum):
    """What to do about it."""

    PASSING = auto()
    """Twitch cannot be reached, or has trouble of its own: try again soon."""
    LOGIN = auto()
    """The account has to be logged in again: trying is of no use."""
    REFUSED = auto()
    """Twitch says no to what is asked: tell the operator, and try again now and then."""


class NeedsLogin(BotError):
    """An account has to be logged in before the bot can go on."""

    def __init__(self, login: str, why: str) -> None:
        super().__init__(f"{login} needs a login: {why}")
        self.login, self.why = login, why


def judge(error: BaseException) -> Fault:
    """What an error from twitchio, aiohttp or the network calls for."""
    if isinstance(error, NeedsLogin):
        return Fault.LOGIN
    if not isinstance(error, HTTPException):
        return Fault.PASSING
    if error.status >= 500 or error.status in (408, 429):
        return Fault.PASSING
    refreshing = error.route is not None and error.route.path == _TOKEN_PATH
    if refreshing or isinstance(error, InvalidTokenException):
        # 400 'Invalid refresh token' is over for good. 400 'missing client secret' and 403 'invalid client secret' are the
        # application's fault, which no login cures.
        return Fault.REFUSED if "client" in _said(error).lower() else Fault.LOGIN
    return Fault.LOGIN if error.status == 401 else Fault.REFUSED


def explain(error: BaseException) -> str:
    """An error in one line without secrets: never twitchio's own text, whose address holds the client secret."""
    if isinstance(error, NeedsLogin):
        return error.why
    if isinstance(error, HTTPException):
        return f"Twitch answered {error.status}{f' ({said})' if (said := _said(error)) else ''}"
    if isinstance(error, WebsocketConnectionException):
        cause = error.__cause__
        return explain(cause) if cause is not None else "Twitch did not say welcome"
    if isinstance(error, TimeoutError):
        return "Twitch does not answer"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"Twitch cannot be reached ({error.os_error.strerror or type(error.os_error).__name__})"
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return f"Twitch answered {error.status}"
    if isinstance(error, aiohttp.ClientError | OSError):
        return f"the connection to Twitch broke ({type(error).__name__})"
    return f"something unexpected ({type(error).__name__})"


def _said(error: HTTPException) -> str:
    message = error.extra.get("message", "") if isinstance(error.extra, dict) else ""
    return " ".join(str(message).split())[:120]
