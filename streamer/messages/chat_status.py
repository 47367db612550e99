"""Status of the chat bot."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ChatState(StrEnum):
    """State of the chat bot's connection."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    NEEDS_LOGIN = "needs login"
    READ_ONLY = "read-only"
    OFFLINE = "offline"
    GONE = "gone"
    """The bot has not reported for a while. The streamer sets this state; the bot never reports it."""


@dataclass(frozen=True, slots=True)
class ChatReport:
    """The chat bot's report on itself."""

    state: ChatState
    detail: str
    """Details about the state, for the operator."""
    account: str
    """The account it speaks as; empty when it cannot speak."""
    channel: str
    source: str
    """What it listens to: ``twitch``, ``irc`` or ``console``."""
    age_s: float = 0.0
    """Seconds since the report."""
    heard_s: float | None = None
    """Seconds since the last chat message; None before the first."""
    since_s: float = 0.0
    """Seconds it has been in this state. The streamer measures this; the bot does not report it."""
