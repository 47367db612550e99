"""Letting the bot's accounts in: by the login that is kept, or by asking a person for one; and keeping what becomes of it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import twitchio
from twitchio.authentication.oauth import OAuth

from bot.accounts import Account, accounts_of
from bot.faults import Fault, NeedsLogin, explain, judge
from bot.login import DeviceCode, LoginPage, WrongAccount, by_device_code
from bot.messages import State
from bot.redact import Redactor
from bot.tokens import Token, TokenFileError, TokenStore
from bot.watchdog import TROUBLE, Pause, Timings

if TYPE_CHECKING:
    from twitchio.authentication import RefreshTokenPayload

    from bot.config import TwitchConfig

log = logging.getLogger(__name__)

LOOK_S = 5.0
"""From one look for a login made elsewhere to the next."""
Tell = Callable[[State, str], None]
"""Told of a state and its detail."""


class Admission:
    """The logins of the config's accounts."""

    def __init__(self, config: TwitchConfig, store: TokenStore, redact: Redactor, timings: Timings, rng: random.Random) -> None:
        self._config, self._store, self._redact = config, store, redact
        self._t, self._rng = timings, rng
        self.accounts = {account.login: account for account in accounts_of(config)}
        """By login."""
        self.user_ids: dict[str, str] = {}
        """Login to user id, of those who are logged in."""

    async def admit(self, client: twitchio.Client, login: str, tell: Tell) -> str:
        """Log an account in, by what is kept or by asking for it; returns its user id."""
        account = self.accounts[login]
        passing, refused = Pause(*self._t.pause_s, self._rng), Pause(*self._t.refused_s, self._rng)
        token: Token | None = None
        while True:
            try:
                token = token or self._store.get(account.login)
            except TokenFileError as error:
                log.error("%s", error)
                tell("offline", str(error))
                await asyncio.sleep(refused.next_s())
                continue
            if token is None or not account.scopes <= token.scopes:
                why = "no login is kept" if token is None else "the kept login does not allow enough"
                token = await self._ask(account, why, tell)
            self._redact.learn(token.access, token.refresh)
            self.user_ids[account.login] = token.user_id
            try:
                async with asyncio.timeout(self._t.call_s):
                    valid = await client.add_token(token.access, token.refresh)
                if valid.user_id != token.user_id:
                    raise NeedsLogin(account.login, "the kept login is another account's")
            except NeedsLogin:
                await self._drop(client, token)
                token = None
            except TROUBLE as error:
                fault, why = judge(error), explain(error)
                if fault is Fault.LOGIN:
                    await self._drop(client, token)
                    token = None
                elif fault is Fault.REFUSED:
                    tell("offline", f"{why}: check twitch.client_id and the client secret")
                    log.error("%s cannot log in: %s", account.login, why)
                    await asyncio.sleep(refused.next_s())
                    token = None
                else:
                    tell("connecting", why)
                    await asyncio.sleep(passing.next_s())
            else:
                return token.user_id

    async def _drop(self, client: twitchio.Client, token: Token) -> None:
        """Forget a login that Twitch takes no more, unless another one is kept meanwhile."""
        await client.remove_token(token.user_id)
        self.user_ids.pop(token.login, None)
        try:
            kept = self._store.get(token.login)
            if kept is not None and kept.refresh == token.refresh:
                self._store.forget(token.login)
        except TokenFileError as error:
            log.warning("%s", error)

    def keep(self, user_id: str, access: str, refresh: str, scopes: Collection[str] = ()) -> None:
        """Keep an account's new tokens, before anything else happens: the old ones are worth nothing any more."""
        login = next((login for login, known in self.user_ids.items() if known == user_id), None)
        if login is None:
            return  # nobody whom the config names
        self._redact.learn(access, refresh)
        allowed = frozenset(scopes) or self.accounts[login].scopes
        try:
            self._store.put(Token(login, user_id, access, refresh, allowed))
        except TokenFileError as error:
            log.error("%s; the next start needs a new login", error)

    def renewed(self, old: str, payload: RefreshTokenPayload) -> None:
        """A refresh token was exchanged, whether or not the call that wanted it is still there."""
        self._redact.learn(payload.access_token, payload.refresh_token)
        for login, user_id in self.user_ids.items():
            try:
                kept = self._store.get(login)
            except TokenFileError:
                continue
            if kept is not None and kept.refresh == old:
                self.keep(user_id, payload.access_token, payload.refresh_token, kept.scopes)

    async def _ask(self, account: Account, why: str, tell: Tell) -> Token:
        """Have a person log the account in, here or in another program that keeps the same file."""
        tell("needs login", f"{account.login} has to log in; the bot's log says how")
        log.error("needs login: %s (%s)", account.login, why)
        # Not the client's own http, which would put its accounts' tokens into these calls.
        http = OAuth(client_id=self._config.client_id or "", client_secret=self._config.client_secret)
        way = self._by_page if self._config.login == "page" else self._by_code
        ways = {asyncio.create_task(way(http, account, tell)), asyncio.create_task(self._elsewhere(account))}
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            token = done.pop().result()
        finally:
            for each in ways:
                each.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await http.close()
        self.user_ids[account.login] = token.user_id
        self.keep(token.user_id, token.access, token.refresh, token.scopes)
        log.info("%s is logged in", account.login)
        return token

    async def _by_code(self, http: OAuth, account: Account, tell: Tell) -> Token:
        passing, refused = Pause(*self._t.pause_s, self._rng), Pause(*self._t.refused_s, self._rng)

        def show(code: DeviceCode) -> None:
            tell("needs login", f"{account.login} has to log in; the bot's log says how")
            log.warning(
                "needs login: open %s as %s and type in %s (good for %.0f minutes)",
                code.address,
                code.account,
                code.code,
                code.expires_s / 60,
            )

        while True:
            pause = passing
            try:
                token = await by_device_code(http, account, show)
                if token is not None:
                    return token
                log.info("the code for %s was not used; here is another", account.login)
            except WrongAccount as error:
                log.warning("login refused: %s", error)
            except TROUBLE as error:
                pause = refused if judge(error) is Fault.REFUSED else passing
                if pause is refused:
                    tell("needs login", f"{account.login} cannot: {explain(error)}; check twitch.client_id")
                log.warning("no login for %s yet: %s", account.login, explain(error))
            await asyncio.sleep(pause.next_s())

    async def _by_page(self, http: OAuth, account: Account, tell: Tell) -> Token:
        refused = Pause(*self._t.refused_s, self._rng)
        while True:
            page = LoginPage(http, self._config.login_port)
            log.warning("needs login: open %s and log in as %s", page.address(account), account.login)
            try:
                return await page.login(account)
            except OSError as error:
                log.error("the login page cannot be served: %s; set twitch.login_port", error.strerror)
                tell("needs login", f"{account.login} cannot: the login page has no port; set twitch.login_port")
            await asyncio.sleep(refused.next_s())

    async def _elsewhere(self, account: Account) -> Token:
        while True:
            await asyncio.sleep(min(LOOK_S, self._t.pause_s[1]))
            try:
                token = self._store.get(account.login)
            except TokenFileError:
                continue
            if token is not None and account.scopes <= token.scopes:
                return token
