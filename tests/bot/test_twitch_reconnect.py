"""All ways to lose Twitch: the bot reconnects, does not spin, and reports 'needs login' when only a person can help.

Waits are short here; ``tests/acceptance/chat_reconnect.py`` measures the real ones.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.bot.twitch_stage import CALM, FAST, Stage, staged
from tests.bot.twitch_standin import TwitchStandIn
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.logs("no connection for")

SUBSCRIBE = "POST /helix/eventsub/subscriptions"
SOCKET = "GET /ws"


async def gone(stage: Stage, sessions: set[str]) -> None:
    """Wait until these websockets are gone."""
    await stage.until(lambda: not sessions & set(stage.twitch.sessions), "the old websocket is gone")


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


async def close_4000(stage: Stage) -> None:
    await stage.twitch.close(4000)


async def close_4003(stage: Stage) -> None:
    await stage.twitch.close(4003)


async def close_4001(stage: Stage) -> None:
    await stage.twitch.close(4001)


async def close_1000(stage: Stage) -> None:
    await stage.twitch.close(1000)


async def break_off(stage: Stage) -> None:
    stage.twitch.drop()


async def lose_keepalives(stage: Stage) -> None:
    stage.twitch.silence()


async def lose_subscription(stage: Stage) -> None:
    stage.twitch.subscriptions.clear()  # keepalives continue


async def order_to_move(stage: Stage) -> None:
    await stage.twitch.move()


async def order_to_move_nowhere(stage: Stage) -> None:
    stage.twitch.faults.move_grace_s = 2.0
    await stage.twitch.move(reachable=False)
    await asyncio.sleep(0.2)
    await stage.hears()  # over the old websocket, until Twitch closes it


async def refuse_the_subscription(stage: Stage) -> None:
    stage.twitch.faults.statuses[SUBSCRIBE] = [500, 502, 500, 504]
    await stage.twitch.close(4000)


async def refuse_the_handshake(stage: Stage) -> None:
    stage.twitch.faults.statuses[SOCKET] = [503, 503, 429]
    await stage.twitch.close(4003)


async def withhold_the_welcome(stage: Stage) -> None:
    stage.twitch.faults.no_welcome = 2
    await stage.twitch.close(4000)


async def expire_meanwhile(stage: Stage) -> None:
    stage.twitch.expire("dreambot")
    await stage.twitch.close(4000)


async def go_away_for_a_while(stage: Stage) -> None:
    await stage.twitch.down()
    await stage.until(lambda: "cannot be reached" in stage.adapter.state().detail)
    assert stage.adapter.state().state == "connecting"
    await asyncio.sleep(0.5)
    await stage.twitch.up()


async def answer_nothing_for_a_while(stage: Stage) -> None:
    calls, began_s = stage.twitch.count(), time.monotonic()
    stage.twitch.hang()
    await asyncio.sleep(3.0)
    await stage.until(lambda: stage.adapter.state().state == "connecting")
    assert stage.twitch.count() - calls <= 2 + (time.monotonic() - began_s) / FAST.call_s
    await stage.twitch.up()


async def revoke_a_version(stage: Stage) -> None:
    await stage.twitch.revoke("dreambot", "version_removed")
    await stage.until(lambda: ("offline", "Twitch revoked it (version removed)") in stage.states)


async def revoke_for_no_known_reason(stage: Stage) -> None:
    await stage.twitch.revoke("dreambot", "bad_mood")  # an unknown reason would kill twitchio's listener
    await stage.until(lambda: ("offline", "Twitch revoked it (bad mood)") in stage.states)


WAYS: list[Callable[[Stage], Awaitable[None]]] = [
    close_4000,
    close_4001,
    close_4003,
    close_1000,
    break_off,
    lose_keepalives,
    lose_subscription,
    order_to_move,
    order_to_move_nowhere,
    refuse_the_subscription,
    refuse_the_handshake,
    withhold_the_welcome,
    expire_meanwhile,
    go_away_for_a_while,
    answer_nothing_for_a_while,
    revoke_a_version,
    revoke_for_no_known_reason,
]


@pytest.mark.logs("attempted to send an outgoing message")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_it_hears_again(tmp_path: Path, way: Callable[[Stage], Awaitable[None]]) -> None:
    async def scene() -> None:
        async with staged(tmp_path, timings=FAST) as stage:
            await stage.connected()
            await stage.hears()
            before = set(stage.twitch.sessions)
            await way(stage)
            await gone(stage, before)
            await stage.connected()
            await stage.hears()
            assert stage.adapter.state().detail == ""
            sessions = len(stage.twitch.sessions)
            await stage.until(lambda: len(stage.twitch.sessions) == 1, f"{sessions} sockets left, not 1")
            assert len(stage.twitch.subscriptions) == 1
            # Break it again: twitchio keeps state of the first time.
            before = set(stage.twitch.sessions)
            await stage.twitch.close(4003)
            await gone(stage, before)
            await stage.connected()
            await stage.hears()

    play(scene)


def test_each_message_is_heard_once_after_many_breaks(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, timings=FAST) as stage:
            for way in (close_4000, close_4003, order_to_move, order_to_move_nowhere, lose_keepalives):
                await stage.connected()
                before = set(stage.twitch.sessions)
                await way(stage)
                await gone(stage, before)
            await stage.connected()
            stage.lines.clear()
            await stage.hears()
            await asyncio.sleep(0.1)
            assert len(stage.lines) == 1

    play(scene)


def test_twitch_unreachable_at_the_start(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, timings=FAST, prepare=lambda twitch: twitch.down()) as stage:
            await stage.until(lambda: "cannot be reached" in stage.adapter.state().detail)
            assert stage.adapter.state().state == "connecting"
            await asyncio.sleep(0.5)
            assert stage.kept()["dreambot"]  # no reason to forget a login
            await stage.twitch.up()
            await stage.connected()
            await stage.hears()

    play(scene)


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("path", ["GET /oauth2/validate", "POST /oauth2/token", "GET /helix/users"])
def test_twitch_in_trouble_at_the_start(tmp_path: Path, path: str, status: int) -> None:
    def prepare(twitch: TwitchStandIn) -> None:
        twitch.faults.statuses[path] = [status] * 3
        if "token" in path:
            twitch.expire("dreambot")

    async def scene() -> None:
        async with staged(tmp_path, timings=FAST, prepare=prepare) as stage:
            await stage.connected()
            assert stage.kept()["dreambot"]["access"] in stage.twitch.grants
            await stage.hears()

    play(scene)


@pytest.mark.logs("needs login", "may need a login")
@pytest.mark.parametrize("tell", [True, False], ids=["told", "untold"])
def test_leave_taken_back_is_for_a_person_to_cure(tmp_path: Path, tell: bool) -> None:
    async def scene() -> None:
        async with staged(tmp_path, timings=replace(FAST, validate_s=0.3)) as stage:
            await stage.connected()
            await stage.hears()
            await stage.twitch.disconnect_app("dreambot", tell=tell)
            await stage.until(lambda: stage.adapter.state().state == "needs login")
            assert "dreambot has to log in" in stage.adapter.state().detail
            await stage.until(lambda: stage.twitch.codes)
            before, began_s = stage.twitch.tally(), time.monotonic()
            await asyncio.sleep(1.0)
            spun = stage.twitch.tally() - before
            assert set(spun) == {"POST /oauth2/token 400"}, "only the device code is asked after"
            assert spun.total() <= 1 + (time.monotonic() - began_s) / 0.05  # Twitch's own interval is 5 s
            stage.twitch.approve("dreambot")
            await stage.connected()
            await stage.hears()

    play(scene)


@pytest.mark.logs("may need a login")
def test_a_login_that_holds_while_subscriptions_are_revoked_does_not_spin(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, timings=CALM) as stage:
            await stage.connected()
            before, began_s = stage.twitch.count(SUBSCRIBE), time.monotonic()
            for _ in range(40):
                await stage.twitch.revoke("dreambot", "authorization_revoked")
                await asyncio.sleep(0.05)
            assert (
                stage.twitch.count(SUBSCRIBE) - before <= 4 + (time.monotonic() - began_s) / 0.6
            )  # 0.2, 0.4, 0.8, 0.8 s apart
            await stage.connected()
            await stage.hears()

    play(scene)


def test_a_ban_is_reported_without_rapid_retries(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, timings=CALM) as stage:
            await stage.connected()
            before = stage.twitch.count(SUBSCRIBE)
            stage.twitch.faults.statuses[SUBSCRIBE] = [403, 403, 403]
            await stage.twitch.revoke("dreambot", "chat_user_banned")
            await stage.until(lambda: any(state == "offline" and "403" in detail for state, detail in stage.states))
            await stage.connected()
            assert 4 <= stage.twitch.count(SUBSCRIBE) - before <= 6
            await stage.hears()

    play(scene)


def test_nothing_is_lost_in_a_move(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, timings=CALM) as stage:
            await stage.connected()
            said = [await stage.twitch.say("viewer", "before")]
            await stage.twitch.move()
            async with asyncio.timeout(PATIENCE_S):
                while stage.twitch.count("/ws") < 2 or len(stage.twitch.sessions) > 1:
                    said.append(await stage.twitch.say("viewer", "meanwhile"))
                    await asyncio.sleep(0)
            said.append(await stage.twitch.say("viewer", "after"))
            await stage.until(lambda: said[-1] in [line.id for line in stage.lines])
            assert not set(said) - {line.id for line in stage.lines}
            assert stage.adapter.state().state == "connected"

    play(scene)


@pytest.mark.logs("a reply is lost")
def test_a_reply_lost_while_disconnected_is_logged_and_does_not_block(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, timings=CALM) as stage:
            await stage.connected()
            line = await stage.hears()
            await stage.twitch.down()
            async with asyncio.timeout(PATIENCE_S):
                await stage.adapter.say(line, "lost")
            await stage.twitch.up()
            await stage.connected()
            await stage.adapter.say(line, "heard")
            assert [sent.text for sent in stage.twitch.sent] == ["heard"]

    play(scene)


@pytest.mark.logs("attempted to send an outgoing message")
def test_it_stops_at_once_in_every_state(tmp_path: Path) -> None:
    async def scene() -> None:
        for way in (None, *WAYS):
            if way in (go_away_for_a_while, answer_nothing_for_a_while, revoke_a_version):
                continue
            async with staged(tmp_path, timings=FAST) as stage:
                if way is not None:
                    await stage.connected()
                    await way(stage)
                assert stage.task is not None
                stage.task.cancel()
                async with asyncio.timeout(PATIENCE_S):
                    await asyncio.gather(stage.task, return_exceptions=True)
        mine = asyncio.current_task()
        left = [task for task in asyncio.all_tasks() if task is not mine and "twitchio" in repr(task)]
        assert not left

    play(scene)
