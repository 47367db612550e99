"""The bot with the real twitchio and the stand-in for Twitch, with waits short enough for tests."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bot.accounts import CHAT_SCOPES, POLL_SCOPES, REWARD_SCOPES
from bot.adapter import ChatLine, ConnectionState
from bot.config_twitch import TwitchConfig
from bot.connection_monitor import TwitchTimings
from bot.throttle import Throttle
from bot.tokens import Token, TokenStore
from bot.twitch import TwitchAdapter
from tests.bot.twitch_standin import CHAT, CLIENT_ID, TwitchStandIn
from tests.patience import PATIENCE_S

FAST = TwitchTimings(
    look_s=0.02,
    silence_s=0.6,
    call_s=1.0,
    pause_s=(0.05, 0.2),
    refused_s=(0.2, 0.8),
    settled_s=1.0,
    audit_s=0.2,
    validate_s=3600,
    rewards_s=0.05,
)
CALM = replace(FAST, silence_s=20.0, call_s=20.0)
"""Waits for tests in which Twitch always answers: a busy machine must not look like a silent Twitch."""


@dataclass
class Stage:
    twitch: TwitchStandIn
    adapter: TwitchAdapter
    tokens: Path
    lines: list[ChatLine] = field(default_factory=list)
    standing: dict[int, str] = field(default_factory=dict)
    """Status of each request, by ID."""
    states: list[tuple[str, str]] = field(default_factory=list)
    """Every state that the adapter was in, and its detail. Some are too short to poll for on a busy machine."""
    task: asyncio.Task[Any] | None = None

    def __post_init__(self) -> None:
        enter = self.adapter._set

        def note(state: ConnectionState, detail: str = "") -> None:
            enter(state, detail)
            self.states.append((state, detail))

        self.adapter._set = note  # type: ignore[method-assign]

    async def until(self, so: Callable[[], object], what: str = "") -> None:
        """Wait until ``so()`` holds."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not so():
                    assert self.task is None or not self.task.done(), self.task.exception()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            calls = [f"{call.what} {call.status}" for call in self.twitch.calls[-12:]]
            raise AssertionError(f"never so: {what or so}; {self.adapter.state()}; last calls {calls}") from None

    async def connected(self) -> None:
        await self.until(lambda: self.adapter.state().state == "connected" and self.twitch.hears(CHAT), "connected")

    async def hears(self) -> ChatLine:
        """Let a viewer say something, and return the line that the bot receives."""
        message_id = await self.twitch.say("viewer", "!dream volcano")
        await self.until(lambda: any(line.id == message_id for line in self.lines), "heard")
        return self.lines[-1]

    def kept(self) -> dict[str, Any]:
        """Return the logins in the token file."""
        accounts: dict[str, Any] = json.loads(self.tokens.read_text())["applications"][CLIENT_ID]
        return accounts


def keep_logins(twitch: TwitchStandIn, path: Path, *logins: str, rewards: bool = False, polls: bool = False) -> None:
    """Write a token file as if these accounts had logged in before."""
    store = TokenStore(path, CLIENT_ID)
    for login in logins:
        scopes = CHAT_SCOPES | (REWARD_SCOPES if rewards and login == "streamer" else frozenset())
        scopes |= POLL_SCOPES if polls and login == "streamer" else frozenset()
        access, refresh = twitch.grant(login, tuple(sorted(scopes)))
        store.put(Token(login, twitch.users[login], access, refresh, scopes))


@asynccontextmanager
async def staged(
    tmp_path: Path,
    *,
    logins: tuple[str, ...] = ("dreambot",),
    secret: str | None = None,
    timings: TwitchTimings = CALM,
    keepalive_s: float = 0.1,
    prepare: Callable[[TwitchStandIn], Any] | None = None,
    **config: Any,
) -> AsyncIterator[Stage]:
    """Run an adapter with these accounts logged in.

    Args:
        prepare: Called with the stand-in before the adapter starts.
    """
    settings = {"channel": "Streamer", "account": "dreambot", "client_id": CLIENT_ID, "client_secret": secret, **config}
    tokens = tmp_path / "tokens.json"
    async with TwitchStandIn(keepalive_s, secret) as twitch:
        keep_logins(twitch, tokens, *logins, rewards=True)
        if prepare is not None and asyncio.iscoroutine(prepared := prepare(twitch)):
            await prepared

        async def standing(ids: Collection[int]) -> Mapping[int, str]:
            return {id_: stage.standing[id_] for id_ in ids if id_ in stage.standing}

        adapter = TwitchAdapter(
            TwitchConfig.model_validate({**settings, "token_file": tokens}),
            Throttle(1000),
            standing,
            timings=timings,
            rng=random.Random(1),
        )
        stage = Stage(twitch, adapter, tokens)
        with twitch.pointed():
            stage.task = asyncio.create_task(adapter.run(stage.lines.append))
            try:
                yield stage
            finally:
                stage.task.cancel()
                with suppress(asyncio.CancelledError):
                    await stage.task
