"""The Twitch chat: receives lines over EventSub, speaks over Helix, through twitchio.

    log in ─▶ a subscription to the chat ─▶ lines ─▶ the bot ─▶ replies
           └▶ a subscription to rewards ──▶ lines with a redemption, settled when shown or refused

twitchio brings the protocol: sockets, payloads, tokens and their refreshing. What it lacks is here and in the modules beside:
noticing sockets that receive nothing any more, logins that are saved safely, one account for both, and secrets kept out of the
log.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import twitchio
from twitchio import eventsub
from twitchio.exceptions import MessageRejectedError

from bot.accounts import POLL_SCOPES
from bot.adapter import MAX_REPLY, ChatConnection, ChatLine, ConnectionState, LineReceiver
from bot.authenticator import Authenticator
from bot.connection_monitor import ConnectionMonitor, MonitorStatus, Revoked
from bot.redemptions import RequestStates
from bot.throttle import AS_MODERATOR, AS_VIEWER, Throttle
from bot.token_redactor import TokenRedactor
from bot.tokens import TokenFileError, TokenStore, default_path
from bot.twitch_client import SOURCE, TwitchClient, line_of
from bot.twitch_errors import TWITCH_ERRORS, ErrorKind, NeedsLogin, classify, describe, first_of
from bot.twitch_polls import TwitchPolls
from bot.twitch_rewards import TwitchRewards
from bot.twitch_timings import RetryDelay, TwitchTimings
from shared.cheermotes import strip_cheermotes

if TYPE_CHECKING:
    from bot.config_twitch import TwitchConfig

log = logging.getLogger(__name__)

NOBODY = "nobody"
"""twitchio wants a token of the application, and sends no token at all without one; every call here names its account's."""
CHAT = "channel.chat.message"
SAID = 64
"""Own messages remembered, so that an account that is both bot and streamer does not answer itself."""


class TwitchAdapter:
    """A channel's chat, with an account of its own or the streamer's."""

    name = SOURCE

    def __init__(
        self,
        config: TwitchConfig,
        throttle: Throttle,
        states: RequestStates,
        *,
        timings: TwitchTimings | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """Args:
        config: with a channel and a client id.
        throttle: of outgoing messages; faster where the account moderates.
        states: gives the states of requests, for those paid for with channel points.
        """
        assert config.channel, "without a channel there is no chat"
        assert config.client_id, "without an application the bot only listens"
        self._config, self._throttle = config, throttle
        self._t = timings or TwitchTimings()
        self._rng = rng or random.Random()
        self._channel = config.channel.lower()
        self._login = (config.account or config.channel).lower()
        self._path = config.token_file or default_path()
        self._redact = TokenRedactor()
        self._redact.learn(config.client_secret)
        self._state: ConnectionState = "connecting"
        self._detail = self._poll_detail = ""
        self._client: TwitchClient | None = None
        self._receive: LineReceiver = lambda line: None
        self._monitors: dict[str, ConnectionMonitor] = {}
        self._store = TokenStore(self._path, config.client_id)
        self._authenticator = Authenticator(config, self._store, self._redact, self._t, self._rng)
        self._polls = TwitchPolls(self._poll_account, self._t.call_s) if config.polls else None
        ledger = self._path.with_name("twitch_rewards.json")
        self._rewards = TwitchRewards(config, self._authenticator, states, ledger, self._t, self._rng)
        self._channel_id = ""
        self._said_ids: deque[str] = deque(maxlen=SAID)
        self._said: deque[str] = deque(maxlen=SAID)

    # The adapter

    @property
    def polls(self) -> TwitchPolls | None:
        """Twitch's own polls; None when they are not used."""
        return self._polls

    def state(self) -> ChatConnection:
        """How it is connected now."""
        details = (self._detail, self._rewards.detail, self._poll_detail)
        return ChatConnection(self._state, "; ".join(each for each in details if each), self._login, self._channel)

    async def run(self, receive: LineReceiver) -> NoReturn:
        """Receive until cancelled, whatever happens to the connection; log and state say what needs a person."""
        self._receive = receive
        with self._redact.attached("twitchio", "asyncio", "bot"):
            client = TwitchClient(self, self._authenticator, self._config.client_id or "", self._config.client_secret)
            try:
                async with client:
                    await client.login(token=NOBODY, load_tokens=False, save_tokens=False)
                    self._client = client
                    await self._serve(client)
            finally:
                self._client = None
                self._set("offline")
        raise AssertionError("serves until cancelled")

    async def say(self, line: ChatLine | None, text: str) -> None:
        """Say something in reply to a line, or to all; what cannot be sent is dropped, with a line in the log."""
        text = " ".join(text.split())
        if line is not None and line.redemption_id is not None:
            text = f"@{line.user} {text}"  # a redemption is no message that could be replied to
        parent = None if line is None or line.redemption_id is not None else line.id
        if not text:
            return
        if not await self._throttle.wait(line is not None and line.role.moderates):
            return
        for last in (False, True):
            client, user_id = self._client, self._authenticator.user_ids.get(self._login)
            if client is None or user_id is None or user_id not in client.tokens:
                log.warning("a reply is lost: %s", self._detail or self._state)
                return
            try:
                await self._send(client, user_id, text[:MAX_REPLY], parent)
            except MessageRejectedError as error:
                log.warning("Twitch dropped a reply: %s", error.code or "no reason given")
            except TWITCH_ERRORS as error:
                kind = classify(error)
                if kind is ErrorKind.LOGIN and (monitor := self._monitors.get(CHAT)):
                    monitor.revoke(Revoked(describe(error), login=True))
                again = kind is ErrorKind.TEMPORARY or (kind is ErrorKind.REFUSED and parent is not None)
                if again and not last:
                    parent = None if kind is ErrorKind.REFUSED else parent  # the line may have been deleted meanwhile
                    await asyncio.sleep(self._t.pause_s[0])
                    continue
                log.warning("a reply is lost: %s", describe(error))
            return

    def settled(self, line: ChatLine, request_id: int | None) -> None:
        """Remember what a redemption became, to settle it when its time has come."""
        self._rewards.answered(line, request_id)

    # Connecting

    def _set(self, state: ConnectionState, detail: str = "") -> None:
        if (state, detail) != (self._state, self._detail):
            self._state, self._detail = state, detail
            log.info("chat of %s: %s%s", self._channel, state, f" ({detail})" if detail else "")

    async def _serve(self, client: TwitchClient) -> NoReturn:
        again = RetryDelay(self._t.refused_s, self._rng)
        while True:
            began_s = time.monotonic()
            try:
                user_id = await self._authenticator.log_in(client, self._login, self._set)
                if self._login == self._channel:
                    self._throttle.per_30s = AS_MODERATOR
                self._channel_id = await self._find_channel(client, user_id)
                await self._listen(client, user_id)
            except* NeedsLogin as group:
                why = describe(first_of(group))
                log.warning("%s may need a login: %s", self._login, why)
                self._set("connecting", f"{self._login}: {why}")
            if time.monotonic() - began_s >= self._t.settled_s:
                again.reset()
            else:  # Twitch accepts the login and then revokes what it allows: not too often
                await asyncio.sleep(again.next_s())

    async def _listen(self, client: TwitchClient, user_id: str) -> None:
        """Receive from the chat and the rewards until somebody has to log in."""
        payload = eventsub.ChatMessageSubscription(broadcaster_user_id=self._channel_id, user_id=user_id)

        def notify(status: MonitorStatus) -> None:
            if status.connected:
                self._set("connected")
            else:
                self._set("offline" if status.refused else "connecting", status.why)

        monitor = partial(self._monitor, client)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(monitor(payload, user_id, self._login, notify).run())
            tasks.create_task(self._validate(client))
            if self._config.rewards:
                tasks.create_task(self._rewards.run(client, self._channel_id, monitor, self._receive))
            elif self._polls is not None and self._login != self._channel:
                tasks.create_task(self._log_in_for_polls(client))

    def _monitor(
        self, client: TwitchClient, payload: Any, user_id: str, login: str, notify: Callable[[MonitorStatus], None]
    ) -> ConnectionMonitor:
        monitor = ConnectionMonitor(client, payload, user_id, login, self._t, self._rng, notify)
        self._monitors[monitor.type] = monitor
        return monitor

    async def _find_channel(self, client: TwitchClient, user_id: str) -> str:
        temporary, refused = RetryDelay(self._t.pause_s, self._rng), RetryDelay(self._t.refused_s, self._rng)
        while True:
            try:
                async with asyncio.timeout(self._t.call_s):
                    users = await client.fetch_users(logins=[self._channel], token_for=user_id)
            except TWITCH_ERRORS as error:
                if classify(error) is ErrorKind.LOGIN:
                    raise NeedsLogin(self._login, describe(error)) from None
                self._set("connecting", describe(error))
                await asyncio.sleep(temporary.next_s())
                continue
            if users:
                return str(users[0].id)
            self._set("offline", f"Twitch knows no channel called {self._channel}; set twitch.channel")
            await asyncio.sleep(refused.next_s())

    async def _validate(self, client: TwitchClient) -> NoReturn:
        """Check now and then that the logins are valid; twitchio's own check ends at the first broken connection."""
        while True:
            await asyncio.sleep(self._t.validate_s)
            for user_id, kept in client.tokens.items():
                try:
                    async with asyncio.timeout(self._t.call_s):
                        await client.add_token(kept["token"], kept["refresh"])
                except TWITCH_ERRORS as error:
                    if classify(error) is ErrorKind.LOGIN and user_id == self._authenticator.user_ids.get(self._login):
                        raise NeedsLogin(self._login, describe(error)) from None
                    log.info("a login could not be validated: %s", describe(error))

    # Receiving and sending

    async def _send(self, client: TwitchClient, user_id: str, text: str, parent: str | None) -> None:
        channel = client.create_partialuser(self._channel_id)
        self._said.append(_plain(text))
        async with asyncio.timeout(self._t.call_s):
            sent = await channel.send_message(text, user_id, token_for=user_id, reply_to_message_id=parent)
        self._said_ids.append(sent.id)

    def on_message(self, message: twitchio.ChatMessage) -> None:
        """A message of the chat."""
        if message.source_broadcaster is not None and message.source_broadcaster.id != message.broadcaster.id:
            return  # from another channel of a shared chat, which does not see this stream
        if message.channel_points_id in self._rewards:
            return  # comes as a redemption too
        line = line_of(message)
        if line.user_id == self._authenticator.user_ids.get(self._login):
            if line.role.moderates:
                self._throttle.per_30s = AS_MODERATOR
            elif self._throttle.per_30s == AS_MODERATOR:
                self._throttle.per_30s = AS_VIEWER
            own = line.id in self._said_ids or _plain(line.text) in self._said
            if own or self._login != self._channel:
                return
        if line.bits and not self._config.bits:
            line = replace(line, bits=0, text=strip_cheermotes(line.text))
        self._receive(line)

    def on_redemption(self, reward_id: str, redemption_id: str, user_id: str, user: str, text: str) -> None:
        """Channel points were redeemed."""
        if line := self._rewards.line_of(reward_id, redemption_id, user_id, user, text):
            self._receive(line)

    def on_socket_closed(self) -> None:
        """A socket closed: check now which subscriptions still work."""
        for monitor in self._monitors.values():
            monitor.check_now()

    # Polls

    async def _log_in_for_polls(self, client: TwitchClient) -> None:
        """Log the channel's account in, for polls; the chat works without them meanwhile."""

        def report(state: ConnectionState, detail: str = "") -> None:
            self._poll_detail = f"polls: {detail}" if detail else ""

        await self._authenticator.log_in(client, self._channel, report)
        report("connected")

    def _poll_account(self) -> tuple[TwitchClient, str, str]:
        client, user_id = self._client, self._authenticator.user_ids.get(self._channel)
        if client is None:
            raise ConnectionError("not connected")
        if user_id is None or user_id not in client.tokens:
            return client, self._channel_id, f"{self._channel} is not logged in"
        try:
            saved = self._store.get(self._channel)
        except TokenFileError as error:
            return client, self._channel_id, str(error)
        allowed = saved is not None and saved.scopes >= POLL_SCOPES
        why = f"the login of {self._channel} does not allow them; delete it from {self._path} and log in again"
        return client, self._channel_id, "" if allowed else why


def _plain(text: str) -> str:
    """A text without the name that a threaded reply gets in front, to be compared with what the chat shows of it."""
    words = text.split()
    return " ".join(words[1:] if words and words[0].startswith("@") else words)
