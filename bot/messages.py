"""What a chat line is, who says it, and what an adapter to a chat does; shared by all of the bot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from viewer_text.role import Role

MAX_REPLY = 450
"""Characters of a reply; Twitch refuses more than 500."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a chat, as it came: nothing in it is cleaned yet."""

    id: str
    """The platform's id of the message, against double delivery."""
    user: str
    """Display name."""
    user_id: str
    """The platform's id of who speaks; never changes, unlike the name."""
    text: str
    role: Role
    source: str
    """Where it came from: ``twitch``, ``irc``, ``console``; 1 to 20 of ``a-z0-9_-``."""
    bits: int = 0
    """Bits cheered with it."""
    reward_id: str | None = None
    """The channel-point reward that it redeems."""
    redemption_id: str | None = None
    """That redemption, to fulfil or to refund it."""


State = Literal["connecting", "connected", "needs login", "read-only", "offline"]


@dataclass(frozen=True, slots=True)
class ChatState:
    """How an adapter is connected; shown on the control page."""

    state: State
    detail: str = ""
    """One line: why, and what to do; empty while there is nothing to say."""
    account: str = ""
    """The account that speaks; empty where none does."""
    channel: str = ""


Hear = Callable[[Line], None]
"""Takes a line; never blocks and never raises."""


class Adapter(Protocol):
    """A chat that the bot listens to, and speaks in if it may."""

    name: str
    """As in ``Line.source``."""

    async def run(self, hear: Hear) -> None:
        """Listen until cancelled; reconnects by itself."""
        ...

    async def say(self, line: Line | None, text: str) -> None:
        """Say ``text`` (at most ``MAX_REPLY`` characters) in reply to ``line``, or to all; never raises.

        Waits for its turn in the throttle.
        """
        ...

    def state(self) -> ChatState:
        """How it is connected now."""
        ...


@runtime_checkable
class Settles(Protocol):
    """An adapter that wants to know what became of its redemptions, to fulfil or to refund them."""

    def settled(self, line: Line, request_id: int | None) -> None:
        """A line with a ``redemption_id`` was answered.

        Args:
            request_id: the request that it became; None when it was refused, so that the points go back.
        """
        ...
