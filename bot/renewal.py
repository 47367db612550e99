"""Exchanges of refresh tokens, each made once whoever asks: what comes of one is all that is left of a login."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from twitchio.authentication import RefreshTokenPayload
from twitchio.authentication.oauth import OAuth

REMEMBERED = 16
"""Exchanges whose outcome is known to who comes later with the old token."""

Renewed = Callable[[str, RefreshTokenPayload], None]
"""Told at once: the old refresh token, and what it was exchanged for."""


class Renewal(OAuth):
    """Twitch's OAuth, exchanging each refresh token once.

    A public application's refresh token is good for one use. twitchio spends it for each call that finds the access token
    expired, so that of two calls at a time one is told 'Invalid refresh token'; and a call that is given up while its
    exchange is under way loses the login. Here all share one exchange, which nobody's giving up ends.
    """

    def __init__(self, client_id: str, client_secret: str | None, renewed: Renewed) -> None:
        super().__init__(client_id=client_id, client_secret=client_secret)
        self._renewed = renewed
        self._exchanges: OrderedDict[str, asyncio.Task[RefreshTokenPayload]] = OrderedDict()

    async def refresh_token(self, refresh_token: str, /) -> RefreshTokenPayload:
        """Exchange a refresh token, or tell what it was exchanged for."""
        exchange = self._exchanges.get(refresh_token)
        if exchange is None or (exchange.done() and (exchange.cancelled() or exchange.exception() is not None)):
            exchange = asyncio.create_task(self._exchange(refresh_token))
            exchange.add_done_callback(_look_at)
            self._exchanges[refresh_token] = exchange
            while len(self._exchanges) > REMEMBERED:
                self._exchanges.popitem(last=False)
        return await asyncio.shield(exchange)

    async def _exchange(self, refresh_token: str) -> RefreshTokenPayload:
        payload = await super().refresh_token(refresh_token)
        self._renewed(refresh_token, payload)
        return payload

    async def settle(self, within_s: float) -> None:
        """Wait for exchanges under way, so that the bot does not end with a login lost."""
        under_way = [exchange for exchange in self._exchanges.values() if not exchange.done()]
        if under_way:
            await asyncio.wait(under_way, timeout=within_s)
        for exchange in under_way:
            exchange.cancel()


def _look_at(exchange: asyncio.Task[RefreshTokenPayload]) -> None:
    """See how it ended, or asyncio complains when whoever asked has given up."""
    if not exchange.cancelled():
        exchange.exception()
