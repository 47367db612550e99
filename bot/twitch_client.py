"""twitchio's client as the adapter uses it: events passed on, refresh tokens exchanged once, messages turned into lines."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Protocol

import twitchio
from twitchio.authentication.oauth import OAuth

from bot.adapter import ChatLine
from bot.twitch_errors import describe
from shared.role import Role

if TYPE_CHECKING:
    from twitchio.authentication import RefreshTokenPayload

log = logging.getLogger(__name__)

SOURCE = "twitch"
"""As in ``ChatLine.source``."""
SETTLE_S = 1.0
"""For an exchange of tokens to finish when the bot ends."""
REMEMBERED = 16
"""Exchanges whose outcome is remembered for calls that still use the old token."""
ROLES = {
    "broadcaster": Role.BROADCASTER,
    "moderator": Role.MODERATOR,
    "lead_moderator": Role.MODERATOR,
    "vip": Role.VIP,
    "subscriber": Role.SUBSCRIBER,
    "founder": Role.SUBSCRIBER,
}
"""Twitch's badges that stand for a role."""


TokensRefreshed = Callable[[str, "RefreshTokenPayload"], None]
"""Called at once with the old refresh token, and what it was exchanged for."""


class EventReceiver(Protocol):
    """Receives what happens in the chat."""

    def on_message(self, message: twitchio.ChatMessage) -> None:
        """A message of the chat."""

    def on_redemption(self, reward_id: str, redemption_id: str, user_id: str, user: str, text: str) -> None:
        """Channel points were redeemed."""

    def on_socket_closed(self) -> None:
        """A socket closed."""


class TokenSaver(Protocol):
    """Saves new tokens."""

    def save_tokens(self, user_id: str, access: str, refresh: str, scopes: Collection[str] = ()) -> None:
        """An account has new tokens."""

    def tokens_refreshed(self, old: str, payload: RefreshTokenPayload) -> None:
        """A refresh token was exchanged."""


class SingleRefreshOAuth(OAuth):
    """Twitch's OAuth, exchanging each refresh token once, however many calls need it.

    A public application's refresh token is good for one use. twitchio spends it for each call that finds the access token
    expired, so that one of two concurrent calls is told 'Invalid refresh token'; and a call that is given up during its
    exchange loses the login. Here all calls share one exchange, which continues when a call is given up.
    """

    def __init__(self, client_id: str, client_secret: str | None, refreshed: TokensRefreshed) -> None:
        super().__init__(client_id=client_id, client_secret=client_secret)
        self._refreshed = refreshed
        self._exchanges: OrderedDict[str, asyncio.Task[RefreshTokenPayload]] = OrderedDict()

    async def refresh_token(self, refresh_token: str, /) -> RefreshTokenPayload:
        """Exchange a refresh token, or tell what it was exchanged for."""
        exchange = self._exchanges.get(refresh_token)
        if exchange is None or (exchange.done() and (exchange.cancelled() or exchange.exception() is not None)):
            exchange = asyncio.create_task(self._exchange(refresh_token))
            exchange.add_done_callback(_retrieve_exception)
            self._exchanges[refresh_token] = exchange
            while len(self._exchanges) > REMEMBERED:
                self._exchanges.popitem(last=False)
        return await asyncio.shield(exchange)

    async def _exchange(self, refresh_token: str) -> RefreshTokenPayload:
        payload = await super().refresh_token(refresh_token)
        self._refreshed(refresh_token, payload)
        return payload

    async def settle(self, within_s: float) -> None:
        """Wait for exchanges under way, so that the bot does not end with a login lost."""
        under_way = [exchange for exchange in self._exchanges.values() if not exchange.done()]
        if under_way:
            await asyncio.wait(under_way, timeout=within_s)
        for exchange in under_way:
            exchange.cancel()


def _retrieve_exception(exchange: asyncio.Task[RefreshTokenPayload]) -> None:
    """Look at an exchange's outcome: asyncio complains about exceptions that nobody retrieves."""
    if not exchange.cancelled():
        exchange.exception()


class TwitchClient(twitchio.Client):
    """twitchio's client, which passes events on. Not its Bot, which ignores its own account and parses commands."""

    def __init__(self, receiver: EventReceiver, saver: TokenSaver, client_id: str, client_secret: str | None) -> None:
        super().__init__(client_id=client_id, client_secret=client_secret, fetch_client_user=False)
        self._receiver, self._saver = receiver, saver
        self._oauth = SingleRefreshOAuth(client_id, client_secret, saver.tokens_refreshed)
        # twitchio takes no other OAuth, and uses this one for every exchange.
        assert hasattr(self._http, "_ManagedHTTPClient__isolated"), "this twitchio keeps its OAuth elsewhere"
        self._http._ManagedHTTPClient__isolated = self._oauth

    async def event_message(self, payload: twitchio.ChatMessage) -> None:
        """A message of the chat."""
        self._receiver.on_message(payload)

    async def event_custom_redemption_add(self, payload: twitchio.ChannelPointsRedemptionAdd) -> None:
        """Channel points were redeemed."""
        user = payload.user
        name = user.display_name or user.name or ""
        self._receiver.on_redemption(payload.reward.id, payload.id, user.id, name, payload.user_input)

    async def event_websocket_closed(self, payload: Any) -> None:
        """A socket closed."""
        self._receiver.on_socket_closed()

    async def event_token_refreshed(self, payload: twitchio.TokenRefreshedPayload) -> None:
        """A token was exchanged for a new one."""
        self._saver.save_tokens(payload.user_id, payload.token, payload.refresh_token, payload.scopes.selected)

    async def event_oauth_authorized(self, payload: Any) -> None:
        """Ignored: accounts log in through ``bot.login``, which knows which ones may."""

    async def event_error(self, payload: twitchio.EventErrorPayload) -> None:
        """The handling of an event failed; the bot goes on."""
        log.error("an event could not be handled: %s", describe(payload.error), exc_info=payload.error)

    async def close(self, **options: Any) -> None:
        """Close, after exchanges of tokens that are under way."""
        await self._oauth.settle(SETTLE_S)
        await super().close(**options)

    async def save_tokens(self, path: str | None = None, /) -> None:
        """Nothing: each login is saved when it changes."""


def line_of(message: twitchio.ChatMessage) -> ChatLine:
    """A message as a line: cheers are counted and left out of the text, and so is the name in front of a threaded reply."""
    words = "".join("" if part.cheermote is not None else part.text for part in message.fragments) or message.text
    if message.reply is not None and words.startswith("@"):
        words = words.partition(" ")[2]
    roles = [ROLES[badge.set_id] for badge in message.badges if badge.set_id in ROLES]
    if message.chatter.id == message.broadcaster.id:
        roles.append(Role.BROADCASTER)
    return ChatLine(
        id=message.id,
        user=message.chatter.display_name or message.chatter.name or "",
        user_id=message.chatter.id,
        text=words.strip(),
        role=max(roles, key=lambda role: role.rank, default=Role.EVERYONE),
        source=SOURCE,
        bits=message.cheer.bits if message.cheer is not None else 0,
    )
