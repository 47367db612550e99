"""The first login of a configured account: a code to enter at Twitch, or a page on this machine."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from twitchio.authentication import Scopes
from twitchio.authentication.oauth import OAuth
from twitchio.exceptions import DeviceCodeFlowException, HTTPException

from bot.accounts import Account
from bot.errors import BotError
from bot.tokens import Token
from bot.twitch_errors import ErrorKind, classify, describe

log = logging.getLogger(__name__)

PAGE_HOST = "localhost"
"""Twitch allows http in redirects to this name only; no other machine can reach it."""
_STATES = 32
"""Unfinished logins on the page that are remembered; older ones have to start again."""
_STATE_S = 600.0


class WrongAccount(BotError):
    """Another account logged in than the one that was asked to, or it allowed too little."""


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """A code to enter at Twitch."""

    account: str
    address: str
    """Where to enter it; the code may be in it already."""
    code: str
    expires_s: float


async def by_device_code(http: OAuth, account: Account, show: Callable[[DeviceCode], None]) -> Token | None:
    """Log in by a code that a person enters at Twitch.

    Args:
        show: shows the code.

    Returns:
        The login; None when the code expired before anybody entered it.

    Raises:
        WrongAccount: another account logged in; its permission was given back.
        HTTPException, ClientError, OSError: as ``twitch_errors.classify`` takes them.
    """
    reply: Any = await http.device_code_flow(scopes=_scopes(account))
    interval_s, expires_s = max(float(reply["interval"]), 0.05), float(reply["expires_in"])
    show(DeviceCode(account.login, str(reply["verification_uri"]), str(reply["user_code"]), expires_s))
    end_s = time.monotonic() + expires_s
    while (left_s := end_s - time.monotonic()) > 0:
        try:
            async with asyncio.timeout(left_s):
                # twitchio says int, and sleeps for any number
                given: Any = await http.device_code_authorization(
                    scopes=_scopes(account),
                    device_code=reply["device_code"],
                    interval=interval_s,  # type: ignore[arg-type]
                )
            return await accept(http, account, str(given["access_token"]), str(given["refresh_token"]))
        except ValueError:  # a reason that twitchio does not know, such as 'expired_token' or 'access_denied'
            return None
        except DeviceCodeFlowException as error:
            if classify(error) is not ErrorKind.TEMPORARY:
                return None  # 'invalid device code': it expired, or it was used
        except (TimeoutError, aiohttp.ClientError, OSError):
            pass
        await asyncio.sleep(min(interval_s, max(end_s - time.monotonic(), 0)))
    return None


async def accept(http: OAuth, account: Account, access: str, refresh: str) -> Token:
    """Check whose token it is.

    Raises:
        WrongAccount: it is another account's, or allows too little; the token was given back.
    """
    valid = await http.validate_token(access)
    scopes = frozenset(valid.scopes or ())
    if (valid.login or "").lower() == account.login and valid.user_id and account.scopes <= scopes:
        return Token(account.login, valid.user_id, access, refresh, scopes)
    with suppress(HTTPException, aiohttp.ClientError, OSError):  # giving it back is a courtesy
        await http.revoke_token(access)
    if (valid.login or "").lower() != account.login:
        raise WrongAccount(f"{valid.login or 'an application'} logged in, but {account.login} was asked to")
    raise WrongAccount(f"{account.login} logged in but did not allow {', '.join(sorted(account.scopes - scopes))}")


class LoginPage:
    """A page on this machine that redirects to Twitch and receives the answer; for the configured accounts only.

    Not twitchio's page, which keeps the token of anybody who visits it, asks for any scopes that the address names, and checks
    no state.
    """

    def __init__(self, http: OAuth, port: int) -> None:
        self._http, self._port = http, port
        self._asked: dict[str, tuple[Account, asyncio.Future[Token]]] = {}
        self._states: dict[str, tuple[str, float]] = {}
        """The states sent along, each with its account and the time."""

    def address(self, account: Account) -> str:
        """Where that account logs in."""
        return f"http://{PAGE_HOST}:{self._port}/oauth?account={account.login}"

    @property
    def _redirect(self) -> str:
        return f"http://{PAGE_HOST}:{self._port}/oauth/callback"

    async def login(self, account: Account) -> Token:
        """Serve the page until that account has logged in.

        Raises:
            OSError: the port is taken.
        """
        self._asked[account.login] = (account, asyncio.get_running_loop().create_future())
        try:
            app = web.Application()
            app.add_routes([web.get("/oauth", self._to_twitch), web.get("/oauth/callback", self._from_twitch)])
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            try:
                await web.TCPSite(runner, PAGE_HOST, self._port).start()
                return await self._asked[account.login][1]
            finally:
                await runner.cleanup()
        finally:
            del self._asked[account.login]

    async def _to_twitch(self, request: web.Request) -> web.Response:
        asked = self._asked.get(request.query.get("account", "").lower())
        if asked is None:
            return web.Response(status=404, text="No such account is asked to log in; the bot's log has the address.")
        payload = self._http.get_authorization_url(scopes=_scopes(asked[0]), redirect_uri=self._redirect, force_verify=True)
        now_s = time.monotonic()
        self._states = {key: kept for key, kept in self._states.items() if now_s - kept[1] < _STATE_S}
        while len(self._states) >= _STATES:
            del self._states[next(iter(self._states))]
        self._states[payload.state] = (asked[0].login, now_s)
        # Not twitchio's permanent redirect: browsers cache it, and its state is valid for one login.
        raise web.HTTPFound(f"{payload.url}")

    async def _from_twitch(self, request: web.Request) -> web.Response:
        login, _ = self._states.pop(request.query.get("state", ""), ("", 0.0))
        asked = self._asked.get(login)
        if asked is None:
            return web.Response(status=400, text="This login did not start here, or too long ago: start again.")
        if "code" not in request.query:
            return web.Response(status=400, text="The login was declined at Twitch: start again if that was a mistake.")
        account, answer = asked
        try:
            given = await self._http.user_access_token(request.query["code"], redirect_uri=self._redirect)
            token = await accept(self._http, account, given.access_token, given.refresh_token)
        except WrongAccount as error:
            log.warning("login refused: %s", error)
            return web.Response(
                status=403, text=f"That was the wrong account: log in to Twitch as {account.login}, and start again."
            )
        except (HTTPException, aiohttp.ClientError, OSError) as error:
            log.warning("a login could not be finished: %s", describe(error))
            return web.Response(status=502, text="Twitch did not finish the login: start again.")
        if not answer.done():
            answer.set_result(token)
        return web.Response(text=f"{account.login} is logged in. You can close this page.")


def _scopes(account: Account) -> Scopes:
    return Scopes(sorted(account.scopes | account.optional_scopes))
