"""Channel-point rewards: finds or makes them, receives what is redeemed, and settles it at Twitch."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from twitchio import eventsub
from twitchio.exceptions import HTTPException
from twitchio.http import Route

from bot.adapter import ChatLine, ConnectionState, LineReceiver
from bot.authenticator import Authenticator
from bot.connection_monitor import ConnectionMonitor, MonitorStatus
from bot.redemptions import RedemptionLedger, RequestStates
from bot.twitch_client import SOURCE
from bot.twitch_errors import TWITCH_ERRORS, NeedsLogin, describe, first_of
from bot.twitch_timings import RetryDelay, TwitchTimings
from shared.role import Role

if TYPE_CHECKING:
    from bot.config_twitch import TwitchConfig
    from bot.twitch_client import TwitchClient

log = logging.getLogger(__name__)

PROMPT = "What shall I dream of? For example: king penguin + umbrella"
"""Of a reward that viewers fill in; it outlives networks, so every network knows what it names."""

MakeMonitor = Callable[[Any, str, str, Callable[[MonitorStatus], None]], ConnectionMonitor]
"""Makes a monitor from a subscription's payload, the account's user id and login, and a callback for its status."""


class TwitchRewards:
    """The rewards that ask for a dream. While they have trouble, the chat works without them."""

    def __init__(
        self,
        config: TwitchConfig,
        authenticator: Authenticator,
        states: RequestStates,
        path: Path,
        timings: TwitchTimings,
        rng: random.Random,
    ) -> None:
        """Args:
        states: gives the states of requests.
        path: the file of redemptions that are not settled yet.
        """
        assert config.channel, "without a channel there are no rewards"
        self._config, self._authenticator, self._states, self._path = config, authenticator, states, path
        self._t, self._rng = timings, rng
        self._channel = config.channel.lower()
        self._client: TwitchClient | None = None
        self._channel_id = ""
        self._ledger: RedemptionLedger | None = None
        self._own: dict[str, bool] = {}
        """The ids of the rewards, and whether the bot made them: then Twitch lets it settle their redemptions."""
        self.detail = ""
        """What is wrong with them, in one line; empty while they work."""

    def __contains__(self, reward_id: object) -> bool:
        return reward_id in self._own

    async def run(self, client: TwitchClient, channel_id: str, monitor: MakeMonitor, receive: LineReceiver) -> NoReturn:
        """Receive redemptions and settle them until cancelled.

        Raises:
            NeedsLogin: the channel's account has to log in again, and the chat with it.
        """
        self._client, self._channel_id = client, channel_id
        refused = RetryDelay(self._t.refused_s, self._rng)
        while True:
            try:
                user_id = self._authenticator.user_ids.get(self._channel) or await self._authenticator.log_in(
                    client, self._channel, self._report
                )
                await self._find(client, user_id)
                self._ledger = self._ledger or RedemptionLedger(
                    self._path, self._states, self._settle, self._t.rewards_s, RetryDelay(self._t.pause_s, self._rng)
                )
                self._report("connected")
                payload = eventsub.ChannelPointsRedeemAddSubscription(broadcaster_user_id=channel_id)
                connected = asyncio.Event()

                def notify(status: MonitorStatus, connected: asyncio.Event = connected) -> None:
                    self._report("connected", status.why)
                    if status.connected:
                        connected.set()

                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(monitor(payload, user_id, self._channel, notify).run())
                    tasks.create_task(self._ledger.run())
                    tasks.create_task(self._catch_up(client, user_id, connected, receive))
            except* NeedsLogin as group:
                error = first_of(group)
                if self._channel == (self._config.account or self._channel).lower():
                    raise NeedsLogin(self._channel, describe(error)) from None
                log.warning("%s may need a login: %s", self._channel, describe(error))
                self._authenticator.user_ids.pop(self._channel, None)
            except* TWITCH_ERRORS as group:
                self._report("offline", describe(first_of(group)))
                log.warning("rewards do not work: %s", describe(first_of(group)))
            await asyncio.sleep(refused.next_s())

    def line_of(self, reward_id: str, redemption_id: str, user_id: str, user: str, text: str) -> ChatLine | None:
        """A redemption as a line; None for a reward that does not ask for a dream, and for one that has come before."""
        if reward_id not in self._own or self._ledger is None or not self._ledger.is_new(redemption_id):
            return None
        return ChatLine(
            id=redemption_id,
            user=user,
            user_id=user_id,
            text=text,
            role=Role.BROADCASTER if user_id == self._channel_id else Role.EVERYONE,
            source=SOURCE,
            reward_id=reward_id,
            redemption_id=redemption_id,
        )

    def answered(self, line: ChatLine, request_id: int | None) -> None:
        """Remember what a redemption became (None: it was refused), to settle it when its time has come."""
        if self._ledger is None or line.reward_id is None or line.redemption_id is None:
            return
        if self._own.get(line.reward_id):
            self._ledger.add(line.reward_id, line.redemption_id, request_id)
        else:
            log.info("settle redemption %s yourself: Twitch lets only the creator of a reward do it", line.redemption_id)

    def _report(self, state: ConnectionState, detail: str = "") -> None:
        self.detail = f"rewards: {detail}" if detail else ""

    async def _find(self, client: TwitchClient, user_id: str) -> None:
        """Find the rewards of the config, and make those that are missing. Raises TWITCH_ERRORS."""
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
        self._own = found

    async def _catch_up(self, client: TwitchClient, user_id: str, connected: asyncio.Event, receive: LineReceiver) -> NoReturn:
        """After each connection, take what was redeemed while there was none."""
        while True:
            await connected.wait()
            connected.clear()
            for reward_id in [reward_id for reward_id, own in self._own.items() if own]:
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
                except TWITCH_ERRORS as error:
                    log.warning("redemptions made in the meantime are unknown: %s", describe(error))
                    continue
                for each in listed["data"]:
                    text = each.get("user_input") or ""
                    if line := self.line_of(reward_id, each["id"], each["user_id"], each["user_name"], text):
                        receive(line)

    async def _settle(self, reward_id: str, redemption_id: str, fulfilled: bool) -> None:
        client, user_id = self._client, self._authenticator.user_ids.get(self._channel)
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
