"""Hears when the bot has gone deaf, and opens its ears again.

twitchio recovers from some breaks by itself and stays deaf for ever after others: a socket closed with 4003, a refusal when it
subscribes again, no welcome after a reconnect. It also waits up to 90 s between two tries, and loses what is said while it
moves to another server at Twitch's order. So nothing of that is left to it: its sockets are told not to reconnect, and one loop
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

import aiohttp
from twitchio.eventsub.websockets import Websocket
from twitchio.exceptions import TwitchioException
from twitchio.http import Route

from bot.errors import BotError
from bot.faults import Fault, NeedsLogin, explain, judge

if TYPE_CHECKING:
    from twitchio import Client
    from twitchio.eventsub import SubscriptionPayload
    from twitchio.types_.conduits import ReconnectMessage, RevocationMessage

log = logging.getLogger(__name__)

TROUBLE = (TwitchioException, aiohttp.ClientError, OSError, TimeoutError)
"""What talking to Twitch raises."""
TELL_S = 60.0
"""Between two warnings of the same trouble."""


@dataclass(frozen=True, slots=True)
class Timings:
    """How long the adapter waits for what; tests wait less."""

    look_s: float = 1.0
    """From one look at the sockets to the next."""
    silence_s: float = 15.0
    """Without a word from Twitch, which says at least a keepalive every ten seconds, a socket is taken for dead."""
    call_s: float = 10.0
    """For a call or a connection to succeed."""
    pause_s: tuple[float, float] = (1.0, 8.0)
    """From one try to the next while Twitch has trouble: the first, and the longest. With ``call_s`` it keeps the promise to
    hear again within 30 s of Twitch being back."""
    refused_s: tuple[float, float] = (5.0, 600.0)
    """The same while Twitch says no, or has taken back what it allowed."""
    settled_s: float = 60.0
    """Of hearing, after which the next trouble begins with the shortest pause again."""
    audit_s: float = 20.0
    """From one question to Twitch whether it still has the subscription to the next."""
    validate_s: float = 3000.0
    """From one validation of the logins to the next; Twitch asks for one an hour."""
    rewards_s: float = 2.0
    """From one look at what became of redeemed requests to the next."""


class Pause:
    """How long to wait before the next try: longer each time, never quite the same."""

    def __init__(self, first_s: float, longest_s: float, rng: random.Random) -> None:
        self._first_s, self._longest_s, self._rng = first_s, longest_s, rng
        self._next_s = first_s

    def next_s(self) -> float:
        """Seconds to wait now."""
        wait_s, self._next_s = self._next_s, min(self._next_s * 2, self._longest_s)
        return wait_s * self._rng.uniform(0.75, 1.0)

    def reset(self) -> None:
        """All went well: begin with the shortest again."""
        self._next_s = self._first_s


@dataclass(frozen=True, slots=True)
class Hearing:
    """How an ear is."""

    hears: bool
    why: str = ""
    """What is wrong, in one line; empty while it hears or opens for the first time."""
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
    """twitchio's socket, which leaves it to the ear to follow an order to move and to close what was revoked."""

    __slots__ = ("_move", "_revoke")

    def __init__(
        self, client: Client, user_id: str, move: Callable[[_Socket, str], None], revoke: Callable[[Revoked], None]
    ) -> None:
        # No tries of its own after the first: reconnect_attempts None is none.
        super().__init__(client=client, token_for=user_id, http=client.http, reconnect_attempts=None)
        self._move, self._revoke = move, revoke

    async def _process_reconnect(self, data: ReconnectMessage) -> None:
        # twitchio moves within its listener, which hears nothing meanwhile, and then closes what was not read.
        if url := data["payload"]["session"]["reconnect_url"]:
            self._move(self, url)

    async def _process_revocation(self, data: RevocationMessage) -> None:
        # twitchio closes the socket and tells of it later, in a task: the ear could find the socket gone before it knew why,
        # and take what was meant for this one as said of the next. Its listener also dies of reasons that it does not know.
        reason = data["payload"]["subscription"]["status"]
        login = reason in ("authorization_revoked", "user_removed")
        self._revoke(Revoked(f"Twitch revoked it ({reason.replace('_', ' ')})", login))


class Ear:
    """One EventSub subscription of one account, kept alive on a socket of its own."""

    def __init__(
        self,
        client: Client,
        payload: SubscriptionPayload,
        user_id: str,
        login: str,
        timings: Timings,
        rng: random.Random,
        notice: Callable[[Hearing], None],
    ) -> None:
        """Args:
        client: twitchio's, with a token of the account.
        payload: what to hear.
        notice: told of every change.
        """
        self._client, self._payload, self._user_id, self._login = client, payload, user_id, login
        self._t, self._notice = timings, notice
        self._passing = Pause(*timings.pause_s, rng)
        self._refused = Pause(*timings.refused_s, rng)
        self._look = asyncio.Event()
        self._revoked: Revoked | None = None
        self._heard: tuple[object, float] = (None, 0.0)
        self._told = ("", 0.0)
        """The last trouble that was told to the log, and when."""
        self._mine: set[Websocket] = set()
        self._moves: set[asyncio.Task[None]] = set()

    @property
    def type(self) -> str:
        """The EventSub type that it hears."""
        return str(self._payload.type)

    def revoke(self, revoked: Revoked) -> None:
        """Twitch says that it will send no more."""
        self._revoked = revoked
        self._look.set()

    def look(self) -> None:
        """Look at the sockets now rather than at the next tick."""
        self._look.set()

    async def run(self) -> NoReturn:
        """Hear until cancelled.

        Raises:
            NeedsLogin: the account has to be logged in again, or Twitch took its leave back.
        """
        while True:
            pause, why, refused = self._passing, "", False
            try:
                async with asyncio.timeout(self._t.call_s):
                    await self._open()
                opened_s = time.monotonic()
                log.info("hears %s", self.type)
                self._told = ("", 0.0)
                self._notice(Hearing(True))
                why = await self._deaf(opened_s)
            except Revoked as revoked:
                if revoked.login:
                    raise NeedsLogin(self._login, str(revoked)) from None
                why, refused, pause = str(revoked), True, self._refused
            except TROUBLE as error:
                why, fault = explain(error), judge(error)
                if fault is Fault.LOGIN:
                    raise NeedsLogin(self._login, why) from None  # the error's own text holds secrets
                refused = fault is Fault.REFUSED
                pause = self._refused if refused else self._passing
            finally:
                await self._close()
            wait_s = pause.next_s()
            said = why != self._told[0] or time.monotonic() - self._told[1] >= TELL_S
            if said:
                self._told = (why, time.monotonic())
            level = logging.WARNING if said else logging.DEBUG
            log.log(level, "does not hear %s: %s; trying again in %.1f s", self.type, why, wait_s)
            self._notice(Hearing(False, why, refused))
            await asyncio.sleep(wait_s)

    async def _open(self) -> None:
        """Connect and subscribe."""
        self._revoked = None
        if self._user_id not in self._client.tokens:
            raise NeedsLogin(self._login, "Twitch no longer takes the login")
        socket = self._socket()
        await socket.connect(fail_once=True)
        session = socket.session_id
        assert session is not None, "connect waits for the welcome"
        self._client._websockets[self._user_id][session] = socket
        await self._client.subscribe_websocket(self._payload, as_bot=False, token_for=self._user_id, socket_id=session)
        self._heard = (None, time.monotonic())

    def _socket(self) -> _Socket:
        socket = _Socket(self._client, self._user_id, self._move, self.revoke)
        self._mine.add(socket)
        return socket

    def _move(self, old: _Socket, url: str) -> None:
        task = asyncio.create_task(self._follow(old, url))
        self._moves.add(task)
        task.add_done_callback(self._moves.discard)

    async def _follow(self, old: _Socket, url: str) -> None:
        """Connect where Twitch says, hearing both for a moment; the subscription moves along by itself."""
        new = self._socket()
        new._subscriptions = old._subscriptions
        try:
            async with asyncio.timeout(self._t.call_s):
                await new.connect(url=url, fail_once=True)
        except TROUBLE as error:  # the old one hears on until Twitch closes it, and then a new one is opened
            log.info("could not move %s as Twitch said: %s", self.type, explain(error))
            return
        assert new.session_id is not None, "connect waits for the welcome"
        self._client._websockets[self._user_id][new.session_id] = new
        log.info("moved %s as Twitch said", self.type)
        await asyncio.sleep(self._t.look_s)  # what was said before the welcome may still be on its way
        await old.close()

    async def _deaf(self, opened_s: float) -> str:
        """Wait until it hears no more; returns why."""
        audited_s = opened_s
        while True:
            self._look.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._t.look_s):
                    await self._look.wait()
            now_s = time.monotonic()
            if self._revoked is not None:
                raise self._revoked
            if why := self._trouble(now_s):
                return why
            if now_s - opened_s >= self._t.settled_s:
                self._passing.reset()
                self._refused.reset()
            if now_s - audited_s >= self._t.audit_s:
                audited_s = now_s
                if not await self._known():
                    return "Twitch has lost the subscription"

    def _sockets(self) -> list[Websocket]:
        """The sockets that carry this subscription; two for a moment when Twitch orders a move."""
        return [socket for socket in self._mine if socket._subscriptions]

    def _trouble(self, now_s: float) -> str:
        """What is wrong with the sockets; empty while one hears."""
        if self._user_id not in self._client.tokens:
            raise NeedsLogin(self._login, "Twitch no longer takes the login")
        sockets = self._sockets()
        live = [socket for socket in sockets if socket.connected]
        if not live:
            codes = {socket._socket.close_code for socket in sockets if socket._socket is not None} - {None}
            return f"the connection is gone{f' ({codes.pop()})' if codes else ''}"
        heard = tuple(socket._last_keepalive for socket in live)  # any word counts
        if heard != self._heard[0]:
            self._heard = (heard, now_s)
        if now_s - self._heard[1] > self._t.silence_s:
            return f"not a word from Twitch for {self._t.silence_s:.0f} s"
        return ""

    async def _known(self) -> bool:
        """Whether Twitch has the subscription, on a session that is open here; also when it does not say."""
        sessions = {socket.session_id for socket in self._sockets()}
        try:
            async with asyncio.timeout(self._t.call_s):
                # Asked with one call; twitchio's fetch_eventsub_subscriptions makes two.
                route = Route("GET", "eventsub/subscriptions", params={"status": "enabled"}, token_for=self._user_id)
                listed = await self._client.http.request_json(route)
            found = [sub for sub in listed["data"] if sub["type"] == self.type]
            return any(sub["transport"].get("session_id") in sessions for sub in found)
        except TROUBLE as error:
            log.debug("could not ask for the subscription: %s", explain(error))
            return True

    async def _close(self) -> None:
        """Close all sockets that were ever its own; twitchio forgets some of its tasks."""
        for move in self._moves:
            move.cancel()
        for socket in self._mine:
            for task in (*socket._connection_tasks, socket._listen_task, socket._keep_alive_task):
                if task is not None and task is not asyncio.current_task():
                    task.cancel()
            with suppress(*TROUBLE):
                async with asyncio.timeout(self._t.look_s):
                    if socket._socket is not None:
                        await socket._socket.close()
            with suppress(*TROUBLE):
                await socket.close()
            self._client._websockets[self._user_id].pop(socket.session_id or "", None)
        self._mine.clear()
