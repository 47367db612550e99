"""Measure how long the bot takes to reconnect after each kind of lost connection to Twitch, and how often it calls meanwhile.

    python -m tests.acceptance.chat_reconnect            all cases, about five minutes
    python -m tests.acceptance.chat_reconnect 4003 move  only the cases with one of these words in their name

The real twitchio connects to a fake Twitch on loopback that sends a keepalive every ten seconds, as Twitch does. The bot's
waits are the real ones. 'Connected again' counts from when Twitch is back (from the fault if Twitch never went away) to the
first chat line. 'Failed tries' counts tries to connect and subscribe, 'calls' all calls that reach Twitch; 'states' are what
log, status and page show meanwhile. After a revocation a person has to log in, here after half a minute; until then the bot
only polls for the code.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from bot.connection_monitor import TwitchTimings
from tests.bot.twitch_stage import Stage, staged
from tests.bot.twitch_standin import CHAT, TwitchStandIn

LIMIT_S = 30.0
"""Seconds within which the bot must receive chat again."""
SUBSCRIBE = "POST /helix/eventsub/subscriptions"


@dataclass(frozen=True)
class Case:
    name: str
    break_it: Callable[[Stage], Awaitable[None]]
    """Break the connection; return when Twitch is back."""
    prepare: Callable[[TwitchStandIn], object] | None = None
    """Runs before the bot starts, so that ``break_it`` meets a bot that has never connected."""
    person: bool = False
    """Whether a person has to log in."""


async def close_4000(stage: Stage) -> None:
    await stage.twitch.close(4000)


async def close_4003(stage: Stage) -> None:
    await stage.twitch.close(4003)


async def silence(stage: Stage) -> None:
    stage.twitch.silence()


async def move(stage: Stage) -> None:
    await stage.twitch.move()


async def move_nowhere(stage: Stage) -> None:
    await stage.twitch.move(reachable=False)
    await asyncio.sleep(stage.twitch.faults.move_grace_s)  # the old connection delivers chat until then


async def no_welcome(stage: Stage) -> None:
    stage.twitch.faults.no_welcome = 1
    await stage.twitch.close(4000)


async def refuse_subscription(stage: Stage) -> None:
    stage.twitch.faults.statuses[SUBSCRIBE] = [500, 502, 504]
    await stage.twitch.close(4000)
    await stage.until(lambda: not stage.twitch.faults.statuses[SUBSCRIBE])


async def lose_subscription(stage: Stage) -> None:
    stage.twitch.subscriptions.clear()


async def expire(stage: Stage) -> None:
    stage.twitch.expire("dreambot")
    await stage.twitch.close(4000)


def away(seconds: float) -> Callable[[Stage], Awaitable[None]]:
    async def gone(stage: Stage) -> None:
        await stage.twitch.down()
        await asyncio.sleep(seconds)
        await stage.twitch.up()

    return gone


def mute(seconds: float) -> Callable[[Stage], Awaitable[None]]:
    async def hung(stage: Stage) -> None:
        stage.twitch.hang()
        await asyncio.sleep(seconds)
        await stage.twitch.up()

    return hung


async def come_back(stage: Stage) -> None:
    await asyncio.sleep(20.0)
    await stage.twitch.up()


async def revoke(stage: Stage) -> None:
    await stage.twitch.disconnect_app("dreambot")
    await stage.until(lambda: stage.adapter.state().state == "needs login")
    await asyncio.sleep(27.0)
    stage.twitch.approve("dreambot")


async def revoke_quietly(stage: Stage) -> None:
    """Revoke the tokens; the bot learns of it only at its next reconnect."""
    await stage.twitch.disconnect_app("dreambot", tell=False)
    await stage.twitch.close(4003)
    await stage.until(lambda: stage.adapter.state().state == "needs login")
    await asyncio.sleep(12.0)
    stage.twitch.approve("dreambot")


CASES = [
    Case("close 4000", close_4000),
    Case("close 4003", close_4003),
    Case("keepalives lost", silence),
    Case("session_reconnect", move),
    Case("session_reconnect to nowhere", move_nowhere),
    Case("no welcome after a reconnect", no_welcome),
    Case("5xx on resubscribe, three times", refuse_subscription),
    Case("subscription lost in silence", lose_subscription),
    Case("token expired at a reconnect", expire),
    Case("unreachable at start, 20 s", come_back, prepare=lambda twitch: twitch.down()),
    Case("unreachable for 60 s (refused)", away(60.0)),
    Case("unreachable for 60 s (no answer)", mute(60.0)),
    Case("revocation", revoke, person=True),
    Case("revocation, untold", revoke_quietly, person=True),
]


class Tries(logging.Handler):
    """Log handler that records the bot's tries to reconnect."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@dataclass
class Row:
    name: str
    again_s: float
    tries: str
    calls: int
    seconds: float
    states: list[str]

    @property
    def passed(self) -> bool:
        return self.again_s <= LIMIT_S

    def __str__(self) -> str:
        busiest = f"{self.calls} in {self.seconds:.0f} s"
        mark = "" if self.passed else "  TOO LATE"
        return f"| {self.name} | {self.again_s:.1f} s | {self.tries} | {busiest} | {', '.join(self.states)} |{mark}"


async def run(case: Case, folder: Path) -> Row:
    timings, tried = TwitchTimings(), Tries()
    logging.getLogger("bot.connection_monitor").addHandler(tried)
    async with staged(folder, timings=timings, keepalive_s=10.0, prepare=case.prepare) as stage:
        stage.twitch.device_interval_s = 5.0
        if case.prepare is None:
            await stage.connected()
            await stage.hears()
            await asyncio.sleep(2.0)
        calls, began_s = stage.twitch.count(), time.monotonic()
        states: list[str] = []
        watching = asyncio.create_task(watch(stage, states))
        broken = asyncio.create_task(case.break_it(stage))
        while not broken.done():
            await asyncio.sleep(0.02)
        broken.result()
        back_s = time.monotonic()
        stage.lines.clear()
        while not stage.lines:
            if stage.twitch.hears(CHAT):
                await stage.twitch.say("viewer", "!dream volcano")
            await asyncio.sleep(0.1)
            if time.monotonic() - back_s > 120:
                break
        again_s = time.monotonic() - back_s
        watching.cancel()
        tries = str(sum("trying again" in record.msg for record in tried.records)) if case.prepare is None else "not counted"
        return Row(case.name, again_s, tries, stage.twitch.count() - calls, time.monotonic() - began_s, states)


async def watch(stage: Stage, states: list[str]) -> None:
    while True:
        state = stage.adapter.state().state
        if not states or states[-1] != state:
            states.append(state)
        await asyncio.sleep(0.01)


def main() -> int:
    logging.basicConfig(level=logging.ERROR)
    logging.getLogger("bot").propagate = False
    logging.getLogger("bot.connection_monitor").setLevel(logging.DEBUG)
    wanted = [case for case in CASES if not sys.argv[1:] or any(part in case.name for part in sys.argv[1:])]
    print("| lost by | connected again after | failed tries | calls answered | states |")
    print("|---|---|---|---|---|")
    passed = True
    for case in wanted:
        with tempfile.TemporaryDirectory() as folder:
            row = asyncio.run(run(case, Path(folder)))
        print(row, flush=True)
        passed &= row.passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
