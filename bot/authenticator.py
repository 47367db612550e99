"""Logs the bot's accounts in: with the saved login, or by asking a person for one. Saves every new token."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import twitchio
from twitchio.authentication.oauth import OAuth

from bot.accounts import Account, accounts_of
from bot.adapter import ConnectionState
from bot.login import DeviceCode, LoginPage, WrongAccount, by_device_code
from bot.token_redactor import TokenRedactor
from bot.tokens import Token, TokenFileError, TokenStore
from bot.twitch_errors import TWITCH_ERRORS, ErrorKind, NeedsLogin, classify, describe
from bot.twitch_timings import RetryDelay, TwitchTimings

if TYPE_CHECKING:
    from twitchio.authentication import RefreshTokenPayload

    from bot.config_twitch import TwitchConfig

log = logging.getLogger(__name__)

LOOK_S = 5.0
"""Seconds between two looks for a login made by another program."""
ReportState = Callable[[ConnectionState, str], None]
"""Called with a state and its detail."""


class Authenticator:
    """The logins of the config's accounts."""

    def __init__(
        self,
        config: TwitchConfig,
        store: TokenStore,
        redact: TokenRedactor,
        timings: TwitchTimings,
        rng: random.Random,
    ) -> None:
        self._config, self._store, self._redact = config, store, redact
        self._t, self._rng = timings, rng
        self.accounts = {account.login: account for account in accounts_of(config)}
        """By login."""
        self.user_ids: dict[str, str] = {}
        """The user ids of the accounts that are logged in, by login."""

    async def log_in(self, client: twitchio.Client, login: str, report: ReportState) -> str:
        """Log an account in, with the saved login or by asking for one; returns its user id."""
        account = self.accounts[login]
        temporary, refused = RetryDelay(self._t.pause_s, self._rng), RetryDelay(self._t.refused_s, self._rng)
        token: Token | None = None
        while True:
            try:
                token = token or self._store.get(account.login)
            except TokenFileError as error:
                log.error("%s", error)
                report("offline", str(error))
                await asyncio.sleep(refused.next_s())
                continue
            if token is None or not account.scopes <= token.scopes:
                why = "no login is saved" if token is None else "the saved login does not allow enough"
                token = await self._ask_for_login(account, why, report)
            self._redact.learn(token.access, token.refresh)
            self.user_ids[account.login] = token.user_id
            try:
                async with asyncio.timeout(self._t.call_s):
                    valid = await client.add_token(token.access, token.refresh)
                if valid.user_id != token.user_id:
                    raise NeedsLogin(account.login, "the saved login is another account's")
            except NeedsLogin:
                await self._drop(client, token)
                token = None
            except TWITCH_ERRORS as error:
                kind, why = classify(error), describe(error)
                if kind is ErrorKind.LOGIN:
                    await self._drop(client, token)
                    token = None
                elif kind is ErrorKind.REFUSED:
                    report("offline", f"{why}: check twitch.client_id and the client secret")
                    log.error("%s cannot log in: %s", account.login, why)
                    await asyncio.sleep(refused.next_s())
                    token = None
                else:
                    report("connecting", why)
                    await asyncio.sleep(temporary.next_s())
            else:
                return token.user_id

    async def _drop(self, client: twitchio.Client, token: Token) -> None:
        """Forget a login that Twitch no longer accepts, unless another one has been saved meanwhile."""
        await client.remove_token(token.user_id)
        self.user_ids.pop(token.login, None)
        try:
            saved = self._store.get(token.login)
            if saved is not None and saved.refresh == token.refresh:
                self._store.forget(token.login)
        except TokenFileError as error:
            log.warning("%s", error)

    def save_tokens(self, user_id: str, access: str, refresh: str, scopes: Collection[str] = ()) -> None:
        """Save an account's new tokens before anything else happens: the old ones are void."""
        login = next((login for login, known in self.user_ids.items() if known == user_id), None)
        if login is None:
            return  # no account of the config
        self._redact.learn(access, refresh)
        allowed = frozenset(scopes) or self.accounts[login].scopes
        try:
            self._store.put(Token(login, user_id, access, refresh, allowed))
        except TokenFileError as error:
            log.error("%s; the next start needs a new login", error)

    def tokens_refreshed(self, old: str, payload: RefreshTokenPayload) -> None:
        """A refresh token was exchanged, even if the call that needed it has been given up."""
        self._redact.learn(payload.access_token, payload.refresh_token)
        for login, user_id in self.user_ids.items():
            try:
                saved = self._store.get(login)
            except TokenFileError:
                continue
            if saved is not None and saved.refresh == old:
                self.save_tokens(user_id, payload.access_token, payload.refresh_token, saved.scopes)

    async def _ask_for_login(self, account: Account, why: str, report: ReportState) -> Token:
        """Have a person log the account in, here or in another program that uses the same file."""
        report("needs login", f"{account.login} has to log in; the bot's log says how")
        log.error("needs login: %s (%s)", account.login, why)
        # Not the client's own http, which would put its accounts' tokens into these calls.
        http = OAuth(client_id=self._config.client_id or "", client_secret=self._config.client_secret)
        here = self._by_page if self._config.login == "page" else self._by_code
        ways = {asyncio.create_task(here(http, account, report)), asyncio.create_task(self._elsewhere(account))}
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            token = done.pop().result()
        finally:
            for each in ways:
                each.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await http.close()
        self.user_ids[account.login] = token.user_id
        self.save_tokens(token.user_id, token.access, token.refresh, token.scopes)
        log.info("%s is logged in", account.login)
        return token

    async def _by_code(self, http: OAuth, account: Account, report: ReportState) -> Token:
        temporary, refused = RetryDelay(self._t.pause_s, self._rng), RetryDelay(self._t.refused_s, self._rng)

        def show(code: DeviceCode) -> None:
            report("needs login", f"{account.login} has to log in; the bot's log says how")
            log.warning(
                "needs login: open %s as %s and enter %s (valid for %.0f minutes)",
                code.address,
                code.account,
                code.code,
                code.expires_s / 60,
            )

        while True:
            delay = temporary
            try:
                token = await by_device_code(http, account, show)
                if token is not None:
                    return token
                log.info("the code for %s was not used; here is another", account.login)
            except WrongAccount as error:
                log.warning("login refused: %s", error)
            except TWITCH_ERRORS as error:
                delay = refused if classify(error) is ErrorKind.REFUSED else temporary
                if delay is refused:
                    report("needs login", f"{account.login} cannot: {describe(error)}; check twitch.client_id")
                log.warning("no login for %s yet: %s", account.login, describe(error))
            await asyncio.sleep(delay.next_s())

    async def _by_page(self, http: OAuth, account: Account, report: ReportState) -> Token:
        refused = RetryDelay(self._t.refused_s, self._rng)
        while True:
            page = LoginPage(http, self._config.login_port)
            log.warning("needs login: open %s and log in as %s", page.address(account), account.login)
            try:
                return await page.login(account)
            except OSError as error:
                log.error("the login page cannot be served: %s; set twitch.login_port", error.strerror)
                report("needs login", f"{account.login} cannot: the login page has no port; set twitch.login_port")
            await asyncio.sleep(refused.next_s())

    async def _elsewhere(self, account: Account) -> Token:
        """Wait until another program has saved a login."""
        while True:
            await asyncio.sleep(min(LOOK_S, self._t.pause_s[1]))
            try:
                token = self._store.get(account.login)
            except TokenFileError:
                continue
            if token is not None and account.scopes <= token.scopes:
                return token
