"""How fast the bot speaks: within Twitch's limits, moderators first, and no late replies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bot.throttle import WAITING, WINDOW_S, Throttle
from tests.fakes import HandClock


def play(scene: Callable[[Throttle, HandClock], Awaitable[None]], per_30s: int = 20) -> None:
    clock = HandClock()

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(0)
        clock.advance(seconds / 10)  # other tasks sleep at the same time

    asyncio.run(_within(scene(Throttle(per_30s, clock, sleep), clock)))


async def _within(scene: Awaitable[None]) -> None:
    await scene


def test_never_more_than_so_many_in_any_30_seconds() -> None:
    async def scene(throttle: Throttle, clock: HandClock) -> None:
        said: list[float] = []
        for _ in range(100):
            assert await throttle.wait(first=True)
            said.append(clock())
        for number, at_s in enumerate(said[20:]):
            assert at_s - said[number] >= WINDOW_S

    play(scene)


def test_some_are_kept_for_moderators() -> None:
    async def scene(throttle: Throttle, clock: HandClock) -> None:
        began_s = clock()
        for _ in range(16):
            assert await throttle.wait()
        for _ in range(4):
            assert await throttle.wait(first=True)
        assert clock() == began_s

    play(scene)


def test_moderators_overtake_and_what_would_come_too_late_is_not_said() -> None:
    async def scene(throttle: Throttle, clock: HandClock) -> None:
        for _ in range(20):
            await throttle.wait(first=True)
        order: list[str] = []

        async def speak(name: str, first: bool) -> None:
            if await throttle.wait(first):
                order.append(name)

        await asyncio.gather(*(speak(f"viewer {n}", False) for n in range(WAITING + 5)), speak("moderator", True))
        assert order[0] == "moderator"
        assert throttle.dropped >= 5
        assert len(order) + throttle.dropped == WAITING + 6

    play(scene)


def test_a_moderating_account_may_say_more_at_once() -> None:
    async def scene(throttle: Throttle, clock: HandClock) -> None:
        throttle.per_30s = 100
        began_s = clock()
        for _ in range(100):
            await throttle.wait(first=True)
        assert clock() == began_s

    play(scene)


def test_who_gives_up_waiting_is_forgotten() -> None:
    async def scene(throttle: Throttle, clock: HandClock) -> None:
        await throttle.wait(first=True)
        waiting = asyncio.create_task(throttle.wait(first=True))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        clock.advance(WINDOW_S)
        assert await throttle.wait(first=True)

    play(scene, per_30s=1)
