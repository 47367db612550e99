"""What a chat line is, and what an adapter to a chat does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from bot.poll import Poll
from shared.role import Role

MAX_REPLY = 450
"""Characters of a reply; Twitch refuses more than 500."""


@dataclass(frozen=True, slots=True)
class ChatLine:
    """A message of a chat as it came: nothing in it is cleaned yet."""

    id: str
    """The platform's id of the message; one that is delivered twice is recognised by it."""
    user: str
    """Display name."""
    user_id: str
    """The platform's id of the viewer; it never changes, unlike the name."""
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


ConnectionState = Literal["connecting", "connected", "needs login", "read-only", "offline"]


@dataclass(frozen=True, slots=True)
class ChatConnection:
    """How an adapter is connected; shown on the control page."""

    state: ConnectionState
    detail: str = ""
    """One line: why, and what to do; empty while nothing is wrong."""
    account: str = ""
    """The account that speaks; empty when the bot only listens."""
    channel: str = ""


LineReceiver = Callable[[ChatLine], None]
"""Takes a line; never blocks and never raises."""


class Adapter(Protocol):
    """The connection to a chat: the bot listens to it, and speaks in it when it may."""

    name: str
    """As in ``ChatLine.source``."""

    async def run(self, receive: LineReceiver) -> None:
        """Listen until cancelled; reconnects by itself."""
        ...

    async def say(self, line: ChatLine | None, text: str) -> None:
        """Say ``text`` (at most ``MAX_REPLY`` characters) in reply to ``line``, or to all; never raises.

        Waits for its turn in the throttle.
        """
        ...

    def state(self) -> ChatConnection:
        """How it is connected now."""
        ...


@runtime_checkable
class SettlesRedemptions(Protocol):
    """An adapter that settles redemptions once it knows what became of them."""

    def settled(self, line: ChatLine, request_id: int | None) -> None:
        """A line with a ``redemption_id`` was answered.

        Args:
            request_id: the request that it became; None when it was refused, so that the points are refunded.
        """
        ...


class PlatformPolls(Protocol):
    """Polls of the chat's platform, such as Twitch's, in which viewers vote instead of typing."""

    name: str
    """As in ``ChatLine.source``."""

    async def begin(self, poll: Poll) -> bool:
        """Open a poll there, or find the open one; False when that is impossible. Never raises."""
        ...

    async def read_votes(self) -> tuple[tuple[int, ...] | None, bool]:
        """The votes of each choice, None when unknown, and whether the poll was ended there early. Never raises."""
        ...

    async def end(self, *, cancelled: bool) -> tuple[int, ...] | None:
        """End it; returns the votes of each choice, None when unknown. Never raises."""
        ...


@runtime_checkable
class HasPolls(Protocol):
    """An adapter to a chat whose platform has polls."""

    @property
    def polls(self) -> PlatformPolls | None:
        """Those polls; None when they are not used."""
        ...
