"""Send ten thousand votes in half a minute through the chat of a running stream: all count, and no frame is late for it.

The stream and the bot are the real programs, each in its own process; the chat is IRC on loopback, as in ``chat_flood``.
Some votes change an earlier one, some name their choice; some further lines only look like votes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from random import Random

from tests.acceptance.chat_flood import chatting, frames, judge, memory_mb
from tests.acceptance.stream import Json, Stream, busy_s, cpu_s
from tests.bot.irc_standin import IrcStandIn

CHOICES = ("jellyfish", "goldfish", "lion", "candle")
"""Choices that every network knows."""
TALK = ("lol", "5", "0", "42", "1st!", "jellyfish or lion?", "first", "gg 2 you", "+1", "the lion")
VIEWERS = 6000
GRACE_S = 3.0
"""Seconds from the last vote until all count: the bot sends every quarter of a second; the status is read each second."""
QUIET_SHARE = 1.5
"""Factor by which late, repeated and dropped frames may increase over a quiet time."""
SLACK = 5
"""Further late, repeated and dropped frames that are allowed."""
BATCH_S = 0.02
WORSE = ("late", "repeated", "dropped")


def wording(rng: Random, number: int) -> str:
    """Return a vote for a choice, as viewers type it."""
    name = CHOICES[number - 1]
    return rng.choice(
        (f"{number}", f"{number}", f"{number}", f"#{number}", f"{number}!", name, name.upper(), f"!vote {number}")
    )


class Crowd:
    """The crowd's votes: the true result, with which the stream's count is compared."""

    def __init__(self, votes: int, seed: int) -> None:
        rng = Random(seed)
        self.lines: list[str] = []
        last: dict[int, int] = {}
        for number in range(votes):
            user, choice = rng.randrange(VIEWERS), rng.choices((1, 2, 3, 4), (5, 4, 3, 1))[0]
            last[user] = choice
            self.lines.append(_line(f"v{number}", user, wording(rng, choice)))
            if rng.random() < 0.2:
                self.lines.append(_line(f"t{number}", rng.randrange(VIEWERS), rng.choice(TALK)))
        counted = Counter(last.values())
        self.counts = [counted[number] for number in range(1, len(CHOICES) + 1)]
        self.changes = votes - len(last)


def _line(name: str, user: int, text: str) -> str:
    return f"@id={name};user-id={user};display-name=Viewer{user} :viewer{user}!x@x PRIVMSG #streamer :{text}\r\n"


async def flood(irc: IrcStandIn, lines: list[str], seconds: float) -> float:
    """Send all lines at an even pace; return the seconds it took."""
    began_s, sent = time.monotonic(), 0
    while sent < len(lines):
        due = min(len(lines), int((time.monotonic() - began_s) / seconds * len(lines)) + 1)
        if due > sent:
            await irc.send("".join(lines[sent:due]))
            sent = due
        await asyncio.sleep(BATCH_S)
    return time.monotonic() - began_s


def poll_of(stream: Stream) -> Json:
    told: Json = json.loads(stream.get("/api/poll"))["poll"] or {}
    return told


def counts_of(poll: Json) -> list[int]:
    return [choice["votes"] for choice in poll.get("choices", ())]


async def measure(stream: Stream, votes: int, seconds: float) -> bool:
    crowd = Crowd(votes, seed=1)
    async with chatting(stream) as (irc, replies, pid):
        await asyncio.sleep(3)
        before = await asyncio.to_thread(frames, stream)
        await asyncio.sleep(seconds)
        middle = await asyncio.to_thread(frames, stream)
        quiet = {key: middle[key] - before[key] for key in before}
        print(f"frames in {seconds:.0f} s of quiet:", json.dumps(quiet))
        orders = f"!poll {int(seconds + 60)}s {' / '.join(CHOICES)}"
        await irc.send(f"@id=p;user-id=1;badges=moderator/1 :mod!x@x PRIVMSG #streamer :{orders}\r\n")
        while not await asyncio.to_thread(poll_of, stream):
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        memory, used_s, others_s = memory_mb(pid), cpu_s(pid), busy_s()
        streams_s = sum(stream.cpu_s().values())
        calm = await asyncio.to_thread(frames, stream)
        took_s = await flood(irc, crowd.lines, seconds)
        after = await asyncio.to_thread(frames, stream)
        flooded = {key: after[key] - calm[key] for key in after}
        print(f"{votes} votes ({crowd.changes} changes of mind) and {len(crowd.lines) - votes} lines of talk in {took_s:.1f} s")
        print(f"frames in {took_s:.0f} s of votes:", json.dumps(flooded))
        print(
            f"CPU seconds: bot {cpu_s(pid) - used_s:.1f}, stream {sum(stream.cpu_s().values()) - streams_s:.1f}, "
            f"whole machine {busy_s() - others_s:.0f}; the bot's memory {memory:.1f} MB, then {memory_mb(pid):.1f} MB"
        )
        ended_s = time.monotonic()
        while counts_of(await asyncio.to_thread(poll_of, stream)) != crowd.counts and time.monotonic() - ended_s < GRACE_S:
            await asyncio.sleep(0.05)
        waited_s = time.monotonic() - ended_s
        counted = counts_of(await asyncio.to_thread(poll_of, stream))
        print(f"counted {counted}, true {crowd.counts}, {waited_s:.2f} s after the last vote")
        await irc.send("@id=e;user-id=1;badges=moderator/1 :mod!x@x PRIVMSG #streamer :!endpoll\r\n")
        await asyncio.sleep(2)
        won = CHOICES[crowd.counts.index(max(crowd.counts))]
        status = await asyncio.to_thread(stream.status)
        shown = [status["on_air"]["title"], *(item["title"] for item in status["queue"])]
        said = []
        while replies.poll():
            said.append(replies.recv()[1])
        print(f"winner {won}; on air and waiting: {shown}; the bot said: {said}")
    good = counted == crowd.counts and won in shown and len(said) == 2
    for key in WORSE:
        allowed = QUIET_SHARE * quiet[key] * took_s / seconds + SLACK
        if flooded[key] > allowed:
            print(f"{key}: {flooded[key]} frames, at most {allowed:.0f} are like quiet")
            good = False
    return good


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--votes", type=int, default=10_000)
    arguments.add_argument("--seconds", type=float, default=30.0)
    given = arguments.parse_args()
    judge(lambda stream: measure(stream, given.votes, given.seconds))


if __name__ == "__main__":
    main()
