"""The Twitch chat: hears over EventSub, speaks over Helix, through twitchio.

    log in ─▶ an ear for the chat ─▶ lines ─▶ the bot ─▶ replies
           └▶ an ear for rewards ──▶ lines with a redemption, settled when shown or refused

twitchio brings the protocol: sockets, payloads, tokens and their refreshing. What it lacks is here and in the modules beside:
a watch over deaf sockets, logins that are kept safely, one account for both, and its secrets kept out of the log.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import twitchio
from twitchio import eventsub
from twitchio.exceptions import HTTPException, MessageRejectedError
from twitchio.http import Route

from bot.accounts import POLL_SCOPES
from bot.admission import Admission
from bot.faults import Fault, NeedsLogin, explain, judge
from bot.messages import MAX_REPLY, ChatState, Hear, Line, State
from bot.redact import Redactor
from bot.rewards import Rewards, Standing
from bot.throttle import AS_MODERATOR, AS_VIEWER, Throttle
from bot.tokens import TokenFileError, TokenStore, default_path
from bot.twitch_client import SOURCE, TwitchClient, line_of
from bot.twitch_polls import TwitchPolls
from bot.watchdog import TROUBLE, Ear, Hearing, Pause, Revoked, Timings
from viewer_text.cheers import uncheered
from viewer_text.role import Role

if TYPE_CHECKING:
    from bot.config import TwitchConfig

log = logging.getLogger(__name__)

NOBODY = "nobody"
"""twitchio wants a token of the application and sends no token at all without one; every call here names its account's."""
CHAT = "channel.chat.message"
REDEMPTION = "channel.channel_points_custom_reward_redemption.add"
SAID = 64
"""Own messages remembered, so that an account that is both bot and streamer does not answer itself."""
PROMPT = "What shall I dream of? For example: king penguin + umbrella"
"""Of a reward that viewers fill in; it outlives networks, so every network knows what it names."""


class TwitchAdapter:
    """A channel's chat, with an account of its own or the streamer's."""

    name = SOURCE

    def __init__(
        self,
        config: TwitchConfig,
        throttle: Throttle,
        standing: Standing,
        *,
        timings: Timings | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """Args:
        config: with a channel and a client id.
        throttle: of outgoing messages; sped up where the account moderates.
        standing: where requests stand, for those paid for with channel points.
        """
        assert config.channel, "without a channel there is no chat"
        assert config.client_id, "without an application the bot only listens"
        self._config, self._throttle, self._standing = config, throttle, standing
        self._t = timings or Timings()
        self._rng = rng or random.Random()
        self._channel = config.channel.lower()
        self._login = (config.account or config.channel).lower()
        self._path = config.token_file or default_path()
        self._redact = Redactor()
        self._redact.learn(config.client_secret)
        self._state: State = "connecting"
        self._detail = self._reward_detail = ""
        self._client: TwitchClient | None = None
        self._hear: Hear = lambda line: None
        self._ears: dict[str, Ear] = {}
        self._store = TokenStore(self._path, config.client_id)
        self._admission = Admission(config, self._store, self._redact, self._t, self._rng)
        self._polls = TwitchPolls(self._poll_account, self._t.call_s) if config.polls else None
        self._channel_id = ""
        self._rewards: Rewards | None = None
        self._reward_ids: dict[str, bool] = {}
        """The rewards that ask for a dream, and whether Twitch lets the bot settle them."""
        self._said_ids: deque[str] = deque(maxlen=SAID)
        self._said: deque[str] = deque(maxlen=SAID)

    # The adapter

    @property
    def polls(self) -> TwitchPolls | None:
        """Twitch's own polls; None where they are not wanted."""
        return self._polls

    def state(self) -> ChatState:
        """How it is connected now."""
        details = (self._detail, self._reward_detail)
        return ChatState(self._state, "; ".join(each for each in details if each), self._login, self._channel)

    async def run(self, hear: Hear) -> NoReturn:
        """Hear until cancelled, whatever becomes of the connection; what needs a person is told to log and state."""
        self._hear = hear
        with self._redact.attached("twitchio", "asyncio", "bot"):
            client = TwitchClient(self, self._admission, self._config.client_id or "", self._config.client_secret)
            try:
                async with client:
                    await client.login(token=NOBODY, load_tokens=False, save_tokens=False)
                    self._client = client
                    await self._serve(client)
            finally:
                self._client = None
                self._set("offline")
        raise AssertionError("serves until cancelled")

    async def say(self, line: Line | None, text: str) -> None:
        """Say something in reply to a line, or to all; what cannot be sent is told to the log and dropped."""
        text = " ".join(text.split())
        if line is not None and line.redemption_id is not None:
            text = f"@{line.user} {text}"  # a redemption is no message that could be replied to
        parent = None if line is None or line.redemption_id is not None else line.id
        if not text:
            return
        if not await self._throttle.wait(line is not None and line.role.moderates):
            return
        for last in (False, True):
            client, user_id = self._client, self._admission.user_ids.get(self._login)
            if client is None or user_id is None or user_id not in client.tokens:
                log.warning("a reply is lost: %s", self._detail or self._state)
                return
            try:
                await self._send(client, user_id, text[:MAX_REPLY], parent)
            except MessageRejectedError as error:
                log.warning("Twitch dropped a reply: %s", error.code or "no reason given")
            except TROUBLE as error:
                fault = judge(error)
                if fault is Fault.LOGIN and (ear := self._ears.get(CHAT)):
                    ear.revoke(Revoked(explain(error), login=True))
                again = fault is Fault.PASSING or (fault is Fault.REFUSED and parent is not None)
                if again and not last:
                    parent = None if fault is Fault.REFUSED else parent  # the line may be deleted meanwhile
                    await asyncio.sleep(self._t.pause_s[0])
                    continue
                log.warning("a reply is lost: %s", explain(error))
            return

    def settled(self, line: Line, request_id: int | None) -> None:
        """Remember what a redemption became, to settle it when its time has come."""
        if self._rewards is None or line.reward_id is None or line.redemption_id is None:
            return
        if self._reward_ids.get(line.reward_id):
            self._rewards.settled(line.reward_id, line.redemption_id, request_id)
        else:
            log.info("redemption %s is yours to settle: Twitch lets only the creator of a reward do it", line.redemption_id)

    # Connecting

    def _set(self, state: State, detail: str = "") -> None:
        if (state, detail) != (self._state, self._detail):
            self._state, self._detail = state, detail
            log.info("chat of %s: %s%s", self._channel, state, f" ({detail})" if detail else "")

    async def _serve(self, client: TwitchClient) -> NoReturn:
        again = Pause(*self._t.refused_s, self._rng)
        while True:
            began_s = time.monotonic()
            try:
                user_id = await self._admission.admit(client, self._login, self._set)
                if self._login == self._channel:
                    self._throttle.per_30s = AS_MODERATOR
                self._channel_id = await self._find_channel(client, user_id)
                await self._listen(client, user_id)
            except* NeedsLogin as group:
                why = explain(_first(group))
                log.warning("%s may need a login: %s", self._login, why)
                self._set("connecting", f"{self._login}: {why}")
            if time.monotonic() - began_s >= self._t.settled_s:
                again.reset()
            else:  # Twitch takes the login and then takes back what it allows: not too often
                await asyncio.sleep(again.next_s())

    async def _listen(self, client: TwitchClient, user_id: str) -> None:
        """Hear the chat and the rewards until somebody has to log in."""
        payload = eventsub.ChatMessageSubscription(broadcaster_user_id=self._channel_id, user_id=user_id)

        def notice(hearing: Hearing) -> None:
            if hearing.hears:
                self._set("connected")
            else:
                self._set("offline" if hearing.refused else "connecting", hearing.why)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ear(client, payload, user_id, self._login, notice).run())
            tasks.create_task(self._validate(client))
            if self._config.rewards:
                tasks.create_task(self._reward(client))
            elif self._polls is not None and self._login != self._channel:
                tasks.create_task(self._admit_channel(client))

    def _ear(self, client: TwitchClient, payload: Any, user_id: str, login: str, notice: Callable[[Hearing], None]) -> Ear:
        ear = Ear(client, payload, user_id, login, self._t, self._rng, notice)
        self._ears[ear.type] = ear
        return ear

    async def _find_channel(self, client: TwitchClient, user_id: str) -> str:
        passing, refused = Pause(*self._t.pause_s, self._rng), Pause(*self._t.refused_s, self._rng)
        while True:
            try:
                async with asyncio.timeout(self._t.call_s):
                    users = await client.fetch_users(logins=[self._channel], token_for=user_id)
            except TROUBLE as error:
                if judge(error) is Fault.LOGIN:
                    raise NeedsLogin(self._login, explain(error)) from None
                self._set("connecting", explain(error))
                await asyncio.sleep(passing.next_s())
                continue
            if users:
                return str(users[0].id)
            self._set("offline", f"Twitch knows no channel called {self._channel}; set twitch.channel")
            await asyncio.sleep(refused.next_s())

    async def _validate(self, client: TwitchClient) -> NoReturn:
        """See to it now and then that the logins hold; twitchio's own look at them ends at the first broken connection."""
        while True:
            await asyncio.sleep(self._t.validate_s)
            for user_id, kept in client.tokens.items():
                try:
                    async with asyncio.timeout(self._t.call_s):
                        await client.add_token(kept["token"], kept["refresh"])
                except TROUBLE as error:
                    if judge(error) is Fault.LOGIN and user_id == self._admission.user_ids.get(self._login):
                        raise NeedsLogin(self._login, explain(error)) from None
                    log.info("a login could not be validated: %s", explain(error))

    # Hearing and speaking

    async def _send(self, client: TwitchClient, user_id: str, text: str, parent: str | None) -> None:
        channel = client.create_partialuser(self._channel_id)
        self._said.append(_plain(text))
        async with asyncio.timeout(self._t.call_s):
            sent = await channel.send_message(text, user_id, token_for=user_id, reply_to_message_id=parent)
        self._said_ids.append(sent.id)

    def heard(self, message: twitchio.ChatMessage) -> None:
        """A message of the chat."""
        if message.source_broadcaster is not None and message.source_broadcaster.id != message.broadcaster.id:
            return  # from another channel of a shared chat, which does not see this stream
        if message.channel_points_id in self._reward_ids:
            return  # comes as a redemption too
        line = line_of(message)
        if line.user_id == self._admission.user_ids.get(self._login):
            if line.role.moderates:
                self._throttle.per_30s = AS_MODERATOR
            elif self._throttle.per_30s == AS_MODERATOR:
                self._throttle.per_30s = AS_VIEWER
            own = line.id in self._said_ids or _plain(line.text) in self._said
            if own or self._login != self._channel:
                return
        if line.bits and not self._config.bits:
            line = replace(line, bits=0, text=uncheered(line.text))
        self._hear(line)

    def redeemed(self, reward_id: str, redemption_id: str, user_id: str, user: str, text: str) -> None:
        """A reward that asks for a dream; others are none of the bot's business."""
        if reward_id not in self._reward_ids or self._rewards is None or not self._rewards.new(redemption_id):
            return
        self._hear(
            Line(
                id=redemption_id,
                user=user,
                user_id=user_id,
                text=text,
                role=Role.BROADCASTER if user_id == self._channel_id else Role.EVERYONE,
                source=self.name,
                reward_id=reward_id,
                redemption_id=redemption_id,
            )
        )

    def look(self) -> None:
        """A socket closed: see now whether somebody went deaf."""
        for ear in self._ears.values():
            ear.look()

    # Polls

    async def _admit_channel(self, client: TwitchClient) -> None:
        """Have the channel's account logged in, for polls; the chat goes on without them meanwhile."""

        def tell(state: State, detail: str = "") -> None:
            self._reward_detail = f"polls: {detail}" if detail else ""

        await self._admission.admit(client, self._channel, tell)
        tell("connected")

    def _poll_account(self) -> tuple[TwitchClient, str, str]:
        client, user_id = self._client, self._admission.user_ids.get(self._channel)
        if client is None:
            raise ConnectionError("not connected")
        if user_id is None or user_id not in client.tokens:
            return client, self._channel_id, f"{self._channel} is not logged in"
        try:
            kept = self._store.get(self._channel)
        except TokenFileError as error:
            return client, self._channel_id, str(error)
        allowed = kept is not None and kept.scopes >= POLL_SCOPES
        why = f"the login of {self._channel} does not allow them; delete it from {self._path} and log in again"
        return client, self._channel_id, "" if allowed else why

    # Rewards

    async def _reward(self, client: TwitchClient) -> NoReturn:
        """Hear the rewards, and settle them, until cancelled; the chat goes on without them."""

        def tell(state: State, detail: str = "") -> None:
            self._reward_detail = f"rewards: {detail}" if detail else ""

        refused = Pause(*self._t.refused_s, self._rng)
        while True:
            try:
                user_id = self._admission.user_ids.get(self._channel) or await self._admission.admit(
                    client, self._channel, tell
                )
                await self._find_rewards(client, user_id)
                self._rewards = self._rewards or Rewards(
                    self._path.with_name("twitch_rewards.json"),
                    self._standing,
                    self._settle,
                    self._t.rewards_s,
                    Pause(*self._t.pause_s, self._rng),
                )
                tell("connected")
                payload = eventsub.ChannelPointsRedeemAddSubscription(broadcaster_user_id=self._channel_id)
                opened = asyncio.Event()

                def notice(hearing: Hearing, opened: asyncio.Event = opened) -> None:
                    tell("connected", hearing.why)
                    if hearing.hears:
                        opened.set()

                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._ear(client, payload, user_id, self._channel, notice).run())
                    tasks.create_task(self._rewards.run())
                    tasks.create_task(self._catch_up(client, user_id, opened))
            except* NeedsLogin as group:
                error = _first(group)
                if self._channel == self._login:
                    raise NeedsLogin(self._login, explain(error)) from None
                log.warning("%s may need a login: %s", self._channel, explain(error))
                self._admission.user_ids.pop(self._channel, None)
            except* TROUBLE as group:
                tell("offline", explain(_first(group)))
                log.warning("rewards do not work: %s", explain(_first(group)))
            await asyncio.sleep(refused.next_s())

    async def _find_rewards(self, client: TwitchClient, user_id: str) -> None:
        """Find the rewards of the config, and make those that are missing.

        Raises as ``watchdog.TROUBLE``.
        """
        channel = client.create_partialuser(self._channel_id)
        async with asyncio.timeout(self._t.call_s):
            own = await channel.fetch_custom_rewards(manageable=True)
            others = await channel.fetch_custom_rewards()
        found = {}
        for title in self._config.rewards:
            if mine := next((each for each in own if each.title == title), None):
                found[mine.id] = True
            elif foreign := next((each for each in others if each.title == title), None):
                log.warning(
                    "the reward '%s' was not made by the bot: Twitch lets only you fulfil or refund it; delete it there, and "
                    "the bot makes it again",
                    title,
                )
                found[foreign.id] = False
            else:
                async with asyncio.timeout(self._t.call_s):
                    made = await channel.create_custom_reward(title, self._config.reward_cost, prompt=PROMPT)
                log.info("made the reward '%s' for %d points; change its price on your dashboard", title, made.cost)
                found[made.id] = True
        self._reward_ids = found

    async def _catch_up(self, client: TwitchClient, user_id: str, opened: asyncio.Event) -> NoReturn:
        """Each time the ear opens, take what was redeemed while nobody heard it."""
        while True:
            await opened.wait()
            opened.clear()
            for reward_id in [reward_id for reward_id, own in self._reward_ids.items() if own]:
                params: dict[str, Any] = {
                    "broadcaster_id": self._channel_id,
                    "reward_id": reward_id,
                    "status": "UNFULFILLED",
                    "first": 50,
                }
                route = Route("GET", "channel_points/custom_rewards/redemptions", params=params, token_for=user_id)
                try:
                    async with asyncio.timeout(self._t.call_s):
                        listed = await client.http.request_json(route)
                except TROUBLE as error:
                    log.warning("what was redeemed in the meantime is not known: %s", explain(error))
                    continue
                for each in listed["data"]:
                    self.redeemed(reward_id, each["id"], each["user_id"], each["user_name"], each.get("user_input") or "")

    async def _settle(self, reward_id: str, redemption_id: str, fulfilled: bool) -> None:
        client, user_id = self._client, self._admission.user_ids.get(self._channel)
        if client is None or user_id is None or user_id not in client.tokens:
            raise ConnectionError("not logged in")
        async with asyncio.timeout(self._t.call_s):
            try:
                await client.http.patch_custom_reward_redemption(
                    broadcaster_id=self._channel_id,
                    token_for=user_id,
                    reward_id=reward_id,
                    id=redemption_id,
                    status="FULFILLED" if fulfilled else "CANCELED",
                )
            except HTTPException as error:
                if error.status != 404:  # it is gone: settled on the dashboard
                    raise


def _plain(text: str) -> str:
    """A text as it is compared with what the chat shows of it: without the name in front that a threaded reply gets."""
    words = text.split()
    return " ".join(words[1:] if words and words[0].startswith("@") else words)


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
