"""Send a running stream a thousand chat messages a second for a minute; measure memory, replies to moderators, late frames.

The stream and the bot are the real programs, each in its own process; the chat is IRC over a websocket on loopback. Because an
anonymous listener cannot speak, the bot's replies pass its own throttle (20 in 30 s) and then go into a pipe.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, NoReturn

from bot.__main__ import run
from bot.adapter import Adapter, ChatLine
from bot.client import Client
from bot.config import BotSettings, ChatConfig
from bot.config_twitch import TwitchConfig
from bot.irc import AnonymousIrc
from bot.throttle import Throttle
from tests.acceptance.stream import Json, Stream, busy_s, cpu_s
from tests.bot.irc_standin import IrcStandIn, irc_standin
from tests.bot.lines import text

ANSWER_S = 1.0
ORDER_EVERY_S = 8.0
"""Seconds between two commands of the moderator: 4 of the 20 replies in 30 s are reserved for moderators."""
GROWTH_MB = 30.0
BATCH_S = 0.02
WISHES = [f"{a} + {b}" for a in ("volcano", "pizza", "goldfish", "teapot") for b in ("bubble", "banana", "lion", "umbrella")]


class Speaking(AnonymousIrc):
    """IRC client that reads the chat and writes its replies into a pipe."""

    def __init__(self, channel: str, url: str, pipe: Connection) -> None:
        super().__init__(channel, url)
        self._pipe, self._throttle = pipe, Throttle()

    async def say(self, line: ChatLine | None, text: str) -> None:
        assert line is not None
        if await self._throttle.wait(line.role.moderates):
            self._pipe.send((line.id, text, time.monotonic()))


def bot(api_url: str, irc_url: str, replies: Connection, parent: Connection) -> None:
    """Run the bot, as a process of its own."""

    def make(settings: BotSettings, client: Client) -> Adapter:
        return Speaking("streamer", irc_url, replies)

    run(BotSettings(TwitchConfig(channel="streamer"), ChatConfig(), api_url), make, parent)


@asynccontextmanager
async def chatting(stream: Stream) -> AsyncIterator[tuple[IrcStandIn, Connection, int]]:
    """Start a chat and the bot; yield the chat, the pipe of replies and the bot's process id."""
    spawn = multiprocessing.get_context("spawn")
    replies, theirs = spawn.Pipe(duplex=False)
    leash, end = spawn.Pipe()
    async with irc_standin() as irc:
        process = spawn.Process(target=bot, args=(stream.url, irc.url, theirs, end), daemon=True)
        process.start()
        theirs.close()
        end.close()
        assert process.pid is not None
        await irc.until(lambda: any(line.startswith("JOIN") for line in irc.heard))
        yield irc, replies, process.pid
        leash.close()
        await asyncio.to_thread(process.join, 5)


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    fields = Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()
    return int(fields[0]) / 1024


def frames(stream: Stream) -> Json:
    counted: Json = stream.status()["video"]["frames"]
    return counted


async def flood(irc: IrcStandIn, rate: int, seconds: float, rng: Random) -> dict[str, float]:
    """Send messages at a rate; return the time at which each of the moderator's commands was sent."""
    began_s, sent, orders = time.monotonic(), 0, {}
    while (now_s := time.monotonic() - began_s) < seconds:
        batch = []
        while sent < now_s * rate:
            sent += 1
            said = rng.choice(("lol", f"!dream {rng.choice(WISHES)}", "!queue", "!when", text(rng)[:500].replace("\n", " ")))
            user = rng.randrange(20_000)
            batch.append(f"@id=f{sent};user-id={user};display-name=v{user} :v{user}!x@x PRIVMSG #streamer :{said}\r\n")
        if now_s >= ORDER_EVERY_S * (len(orders) + 0.5):
            name = f"order{len(orders)}"
            batch.append(f"@id={name};user-id=1;badges=moderator/1 :mod!x@x PRIVMSG #streamer :!hold {20 + len(orders)}\r\n")
            orders[name] = time.monotonic()
        await irc.send("".join(batch).encode("utf-8", "replace").decode())
        await asyncio.sleep(BATCH_S)
    print(f"sent {sent} messages in {time.monotonic() - began_s:.1f} s, {len(orders)} orders of a moderator")
    return orders


async def measure(stream: Stream, rate: int, seconds: float) -> bool:
    good = True
    async with chatting(stream) as (irc, replies, pid):
        await asyncio.sleep(2)
        before = await asyncio.to_thread(frames, stream)
        await asyncio.sleep(seconds / 2)
        middle = await asyncio.to_thread(frames, stream)
        print("frames in quiet:", json.dumps({key: middle[key] - before[key] for key in before}), f"in {seconds / 2:.0f} s")
        memory = [memory_mb(pid)]
        streams = {process: memory_mb(process) for process in stream.processes()}
        used_s, streams_s = cpu_s(pid), sum(stream.cpu_s().values())
        others_s, task = busy_s(), asyncio.create_task(flood(irc, rate, seconds, Random(1)))
        while not task.done():
            await asyncio.sleep(1)
            memory.append(memory_mb(pid))
        orders = await task
        after = await asyncio.to_thread(frames, stream)
        print("frames in the flood:", json.dumps({key: after[key] - middle[key] for key in after}), f"in {seconds:.0f} s")
        print(
            f"CPU seconds: bot {cpu_s(pid) - used_s:.1f}, stream {sum(stream.cpu_s().values()) - streams_s:.1f}, "
            f"whole machine {busy_s() - others_s:.0f}"
        )
        await asyncio.sleep(1.5)
        said: dict[str, float] = {}
        while replies.poll():
            name, _, at_s = replies.recv()
            said[name] = at_s
        waits = [said[name] - at_s if name in said else float("inf") for name, at_s in orders.items()]
        good &= max(waits) <= ANSWER_S
        print(f"moderators' answers after, s: {[round(wait, 3) for wait in waits]}; {len(said) - len(orders)} viewers answered")
        half = memory[len(memory) // 2]
        good &= memory[-1] - half <= GROWTH_MB / 3 and max(memory) - memory[0] <= GROWTH_MB
        print(f"the bot's memory, MB: {memory[0]:.1f} before, {half:.1f} half-way, {memory[-1]:.1f} at the end")
        grown = {process: round(memory_mb(process) - mb, 1) for process, mb in streams.items()}
        print(f"the stream's processes grew by, MB: {list(grown.values())}")
        told = await asyncio.to_thread(stream.status)
        print(f"waiting {len(told['queue'])}, fps {told['video']['fps_measured']}, chat {told['chat']['state']}")
    share = {
        key: (after[key] - middle[key]) / (2 * max(1, middle[key] - before[key])) for key in ("late", "repeated", "dropped")
    }
    print(f"late, repeated and dropped frames against the quiet time's rate: {json.dumps(share)}")
    return good


def judge(measure: Callable[[Stream], Coroutine[Any, Any, bool]]) -> NoReturn:
    """Run the measurement on a small stream with a viewer, and exit with its result."""
    with tempfile.TemporaryDirectory() as folder:
        settings = ["canvas.width=160", "video.width=320", "video.height=180", "queue.hold_s=20"]
        with Stream(Path(folder), settings) as stream:
            stream.wait_for_picture()
            viewer = stream.watch("/live.ts")
            good = asyncio.run(measure(stream))
            viewer.close()
            warnings = [line for line in stream.log().splitlines() if "WARNING" in line or "ERROR" in line]
            print("the stream's log:", *warnings[-5:], sep="\n  ")
    print("ok" if good else "NOT ok")
    sys.exit(not good)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rate", type=int, default=1000)
    arguments.add_argument("--seconds", type=float, default=60.0)
    given = arguments.parse_args()
    judge(lambda stream: measure(stream, given.rate, given.seconds))


if __name__ == "__main__":
    main()
