"""Status of the chat bot."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ChatState(StrEnum):
    """How the chat bot stands with the chat."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    NEEDS_LOGIN = "needs login"
    READ_ONLY = "read-only"
    OFFLINE = "offline"
    GONE = "gone"
    """It has not told of itself for a while; only concluded here, never told."""


@dataclass(frozen=True, slots=True)
class ChatReport:
    """What a chat bot tells of itself."""

    state: ChatState
    detail: str
    """More about the state, for the operator."""
    account: str
    """Who it speaks as; empty when it cannot speak."""
    channel: str
    source: str
    """Where it hears: ``twitch``, ``irc``, ``console``."""
    age_s: float = 0.0
    """Seconds since it told so."""
    heard_s: float | None = None
    """Seconds since the last message in the chat; None while none came."""
    since_s: float = 0.0
    """Seconds that it has been in this state; only concluded here, never told."""
