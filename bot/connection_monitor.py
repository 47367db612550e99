"""Keeps a subscription to Twitch's events alive: notices when nothing arrives any more, and connects again.

twitchio recovers from some breaks by itself and stays silent for ever after others: a socket closed with 4003, a refusal when
it subscribes again, no welcome after a reconnect. It also waits up to 90 s between two tries, and loses messages while it moves
to another server at Twitch's request. So the bot does all of that itself: twitchio's sockets do not reconnect, and one loop
here opens a new one, whatever the reason was.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from twitchio.eventsub.websockets import Websocket
from twitchio.http import Route

from bot.errors import BotError
from bot.twitch_errors import TWITCH_ERRORS, ErrorKind, NeedsLogin, classify, describe
from bot.twitch_timings import RetryDelay, TwitchTimings

if TYPE_CHECKING:
    from twitchio import Client
    from twitchio.eventsub import SubscriptionPayload
    from twitchio.types_.conduits import ReconnectMessage, RevocationMessage

log = logging.getLogger(__name__)

TELL_S = 60.0
"""Between two warnings of the same trouble."""


@dataclass(frozen=True, slots=True)
class MonitorStatus:
    """Whether a subscription works."""

    connected: bool
    why: str = ""
    """What is wrong, in one line; empty while it works or connects for the first time."""
    refused: bool = False
    """Whether Twitch said no, so that trying again is not likely to help."""


class Revoked(BotError):
    """Twitch took a subscription back."""

    def __init__(self, why: str, login: bool) -> None:
        """Args:
        why: in one line.
        login: whether a login would cure it.
        """
        super().__init__(why)
        self.login = login


class _Socket(Websocket):
    """twitchio's socket, which leaves it to the monitor to move to another server and to close what was revoked."""

    __slots__ = ("_move", "_revoke")

    def __init__(
        self, client: Client, user_id: str, move: Callable[[_Socket, str], None], revoke: Callable[[Revoked], None]
    ) -> None:
        # No tries of its own after the first: reconnect_attempts None is none.
        super().__init__(client=client, token_for=user_id, http=client.http, reconnect_attempts=None)
        self._move, self._revoke = move, revoke

    async def _process_reconnect(self, data: ReconnectMessage) -> None:
        # twitchio moves within its listener, which receives nothing meanwhile, and then closes a socket with unread messages.
        if url := data["payload"]["session"]["reconnect_url"]:
            self._move(self, url)

    async def _process_revocation(self, data: RevocationMessage) -> None:
        # twitchio closes the socket and reports it later, in a task: the monitor could find the socket closed before it knew
        # why, and apply the reason to the next one. twitchio's listener also ends on reasons that it does not know.
        reason = data["payload"]["subscription"]["status"]
        login = reason in ("authorization_revoked", "user_removed")
        self._revoke(Revoked(f"Twitch revoked it ({reason.replace('_', ' ')})", login))


class ConnectionMonitor:
    """One EventSub subscription of one account, kept alive on a socket of its own."""

    def __init__(
        self,
        client: Client,
        payload: SubscriptionPayload,
        user_id: str,
        login: str,
        timings: TwitchTimings,
        rng: random.Random,
        notify: Callable[[MonitorStatus], None],
    ) -> None:
        """Args:
        client: twitchio's, with a token of the account.
        payload: what to subscribe to.
        notify: called with every change.
        """
        self._client, self._payload, self._user_id, self._login = client, payload, user_id, login
        self._t, self._notify = timings, notify
        self._temporary = RetryDelay(timings.pause_s, rng)
        self._refused = RetryDelay(timings.refused_s, rng)
        self._wake = asyncio.Event()
        self._revoked: Revoked | None = None
        self._last_message: tuple[object, float] = (None, 0.0)
        """When the sockets' last messages came, as twitchio notes it, and when that was seen here."""
        self._warned = ("", 0.0)
        """The last trouble in the log, and when."""
        self._own: set[Websocket] = set()
        self._moves: set[asyncio.Task[None]] = set()

    @property
    def type(self) -> str:
        """The EventSub type that it subscribes to."""
        return str(self._payload.type)

    def revoke(self, revoked: Revoked) -> None:
        """Twitch says that it will send no more."""
        self._revoked = revoked
        self._wake.set()

    def check_now(self) -> None:
        """Check the sockets now, not at the next tick."""
        self._wake.set()

    async def run(self) -> NoReturn:
        """Stay subscribed until cancelled.

        Raises:
            NeedsLogin: the account has to log in again, or Twitch revoked its permission.
        """
        while True:
            delay, why, refused = self._temporary, "", False
            try:
                async with asyncio.timeout(self._t.call_s):
                    await self._connect()
                connected_s = time.monotonic()
                log.info("connected for %s", self.type)
                self._warned = ("", 0.0)
                self._notify(MonitorStatus(True))
                why = await self._until_broken(connected_s)
            except Revoked as revoked:
                if revoked.login:
                    raise NeedsLogin(self._login, str(revoked)) from None
                why, refused, delay = str(revoked), True, self._refused
            except TWITCH_ERRORS as error:
                why, kind = describe(error), classify(error)
                if kind is ErrorKind.LOGIN:
                    raise NeedsLogin(self._login, why) from None  # the error's own text has secrets
                refused = kind is ErrorKind.REFUSED
                delay = self._refused if refused else self._temporary
            finally:
                await self._close()
            wait_s = delay.next_s()
            warn = why != self._warned[0] or time.monotonic() - self._warned[1] >= TELL_S
            if warn:
                self._warned = (why, time.monotonic())
            level = logging.WARNING if warn else logging.DEBUG
            log.log(level, "no connection for %s: %s; trying again in %.1f s", self.type, why, wait_s)
            self._notify(MonitorStatus(False, why, refused))
            await asyncio.sleep(wait_s)

    async def _connect(self) -> None:
        """Connect and subscribe."""
        self._revoked = None
        if self._user_id not in self._client.tokens:
            raise NeedsLogin(self._login, "Twitch no longer accepts the login")
        socket = self._socket()
        await socket.connect(fail_once=True)
        session = socket.session_id
        assert session is not None, "connect waits for the welcome"
        self._client._websockets[self._user_id][session] = socket
        await self._client.subscribe_websocket(self._payload, as_bot=False, token_for=self._user_id, socket_id=session)
        self._last_message = (None, time.monotonic())

    def _socket(self) -> _Socket:
        socket = _Socket(self._client, self._user_id, self._move, self.revoke)
        self._own.add(socket)
        return socket

    def _move(self, old: _Socket, url: str) -> None:
        task = asyncio.create_task(self._follow(old, url))
        self._moves.add(task)
        task.add_done_callback(self._moves.discard)

    async def _follow(self, old: _Socket, url: str) -> None:
        """Connect where Twitch says, and receive from both for a moment; the subscription moves along by itself."""
        new = self._socket()
        new._subscriptions = old._subscriptions
        try:
            async with asyncio.timeout(self._t.call_s):
                await new.connect(url=url, fail_once=True)
        except TWITCH_ERRORS as error:  # the old one works until Twitch closes it, and then a new one is opened
            log.info("could not move %s as Twitch asked: %s", self.type, describe(error))
            return
        assert new.session_id is not None, "connect waits for the welcome"
        self._client._websockets[self._user_id][new.session_id] = new
        log.info("moved %s as Twitch asked", self.type)
        await asyncio.sleep(self._t.look_s)  # messages sent before the welcome may still be on their way
        await old.close()

    async def _until_broken(self, connected_s: float) -> str:
        """Wait until nothing arrives any more; returns why."""
        audited_s = connected_s
        while True:
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._t.look_s):
                    await self._wake.wait()
            now_s = time.monotonic()
            if self._revoked is not None:
                raise self._revoked
            if why := self._trouble(now_s):
                return why
            if now_s - connected_s >= self._t.settled_s:
                self._temporary.reset()
                self._refused.reset()
            if now_s - audited_s >= self._t.audit_s:
                audited_s = now_s
                if not await self._still_subscribed():
                    return "Twitch has lost the subscription"

    def _sockets(self) -> list[Websocket]:
        """The sockets that carry this subscription; two for a moment when Twitch asks for a move."""
        return [socket for socket in self._own if socket._subscriptions]

    def _trouble(self, now_s: float) -> str:
        """What is wrong with the sockets; empty while one works."""
        if self._user_id not in self._client.tokens:
            raise NeedsLogin(self._login, "Twitch no longer accepts the login")
        sockets = self._sockets()
        live = [socket for socket in sockets if socket.connected]
        if not live:
            codes = {socket._socket.close_code for socket in sockets if socket._socket is not None} - {None}
            return f"the connection is gone{f' ({codes.pop()})' if codes else ''}"
        last = tuple(socket._last_keepalive for socket in live)  # twitchio sets it at any message
        if last != self._last_message[0]:
            self._last_message = (last, now_s)
        if now_s - self._last_message[1] > self._t.silence_s:
            return f"no message from Twitch for {self._t.silence_s:.0f} s"
        return ""

    async def _still_subscribed(self) -> bool:
        """Whether Twitch has the subscription, on a session that is open here; also when it does not say."""
        sessions = {socket.session_id for socket in self._sockets()}
        try:
            async with asyncio.timeout(self._t.call_s):
                # One call; twitchio's fetch_eventsub_subscriptions makes two.
                route = Route("GET", "eventsub/subscriptions", params={"status": "enabled"}, token_for=self._user_id)
                listed = await self._client.http.request_json(route)
            found = [sub for sub in listed["data"] if sub["type"] == self.type]
            return any(sub["transport"].get("session_id") in sessions for sub in found)
        except TWITCH_ERRORS as error:
            log.debug("could not ask for the subscription: %s", describe(error))
            return True

    async def _close(self) -> None:
        """Close all its sockets, and cancel the tasks of theirs that twitchio forgets."""
        for move in self._moves:
            move.cancel()
        for socket in self._own:
            for task in (*socket._connection_tasks, socket._listen_task, socket._keep_alive_task):
                if task is not None and task is not asyncio.current_task():
                    task.cancel()
            with suppress(*TWITCH_ERRORS):
                async with asyncio.timeout(self._t.look_s):
                    if socket._socket is not None:
                        await socket._socket.close()
            with suppress(*TWITCH_ERRORS):
                await socket.close()
            self._client._websockets[self._user_id].pop(socket.session_id or "", None)
        self._own.clear()
