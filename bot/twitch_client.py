"""twitchio's client as the adapter uses it, and its messages as the bot takes them."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Protocol

import twitchio

from bot.faults import explain
from bot.messages import Line
from bot.renewal import Renewal
from viewer_text.role import Role

if TYPE_CHECKING:
    from twitchio.authentication import RefreshTokenPayload

log = logging.getLogger(__name__)

SOURCE = "twitch"
"""As in ``Line.source``."""
SETTLE_S = 1.0
"""For an exchange of tokens to finish when the bot ends."""
ROLES = {
    "broadcaster": Role.BROADCASTER,
    "moderator": Role.MODERATOR,
    "lead_moderator": Role.MODERATOR,
    "vip": Role.VIP,
    "subscriber": Role.SUBSCRIBER,
    "founder": Role.SUBSCRIBER,
}
"""Twitch's badges that stand for a role."""


class Hearer(Protocol):
    """Who is told what happens."""

    def heard(self, message: twitchio.ChatMessage) -> None:
        """A message of the chat."""

    def redeemed(self, reward_id: str, redemption_id: str, user_id: str, user: str, text: str) -> None:
        """Channel points were redeemed."""

    def look(self) -> None:
        """A socket closed."""


class Keeper(Protocol):
    """Who is told of new tokens."""

    def keep(self, user_id: str, access: str, refresh: str, scopes: Collection[str] = ()) -> None:
        """An account has new tokens."""

    def renewed(self, old: str, payload: RefreshTokenPayload) -> None:
        """A refresh token was exchanged."""


class TwitchClient(twitchio.Client):
    """twitchio's client, telling what happens. Not its Bot, which ignores its own account and parses commands."""

    def __init__(self, hearer: Hearer, keeper: Keeper, client_id: str, client_secret: str | None) -> None:
        super().__init__(client_id=client_id, client_secret=client_secret, fetch_client_user=False)
        self._to, self._keeper = hearer, keeper
        self._renewal = Renewal(client_id, client_secret, keeper.renewed)
        # twitchio has no way to be given another one, and calls it for every exchange.
        assert hasattr(self._http, "_ManagedHTTPClient__isolated"), "another twitchio than the one that this was written for"
        self._http._ManagedHTTPClient__isolated = self._renewal

    async def event_message(self, payload: twitchio.ChatMessage) -> None:
        """A message of the chat."""
        self._to.heard(payload)

    async def event_custom_redemption_add(self, payload: twitchio.ChannelPointsRedemptionAdd) -> None:
        """Channel points were redeemed."""
        user = payload.user
        self._to.redeemed(payload.reward.id, payload.id, user.id, user.display_name or user.name or "", payload.user_input)

    async def event_websocket_closed(self, payload: Any) -> None:
        """A socket closed."""
        self._to.look()

    async def event_token_refreshed(self, payload: twitchio.TokenRefreshedPayload) -> None:
        """A token was exchanged for a new one."""
        self._keeper.keep(payload.user_id, payload.token, payload.refresh_token, payload.scopes.selected)

    async def event_oauth_authorized(self, payload: Any) -> None:
        """Nobody gets in this way: logins go through ``bot.login``, which knows who may."""

    async def event_error(self, payload: twitchio.EventErrorPayload) -> None:
        """Something here failed at an event; the bot goes on."""
        log.error("an event could not be handled: %s", explain(payload.error), exc_info=payload.error)

    async def close(self, **options: Any) -> None:
        """Close, after exchanges of tokens that are under way."""
        await self._renewal.settle(SETTLE_S)
        await super().close(**options)

    async def save_tokens(self, path: str | None = None, /) -> None:
        """Nothing: each login is kept when it changes."""


def line_of(message: twitchio.ChatMessage) -> Line:
    """A message as the bot takes it: cheers counted and left out of the text, the address of a threaded reply too."""
    words = "".join("" if part.cheermote is not None else part.text for part in message.fragments) or message.text
    if message.reply is not None and words.startswith("@"):
        words = words.partition(" ")[2]
    roles = [ROLES[badge.set_id] for badge in message.badges if badge.set_id in ROLES]
    if message.chatter.id == message.broadcaster.id:
        roles.append(Role.BROADCASTER)
    return Line(
        id=message.id,
        user=message.chatter.display_name or message.chatter.name or "",
        user_id=message.chatter.id,
        text=words.strip(),
        role=max(roles, key=lambda role: role.rank, default=Role.EVERYONE),
        source=SOURCE,
        bits=message.cheer.bits if message.cheer is not None else 0,
    )
