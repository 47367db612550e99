"""Measure how soon a clip is ready after ``!clip``, and check that PyAV reads it and Chromium plays it.

The bot's command handler calls a real streamer, which has a viewer, over HTTP; then the script fetches the clip.
The script also waits for a finished dream to be kept, makes a GIF, and counts the video's frames meanwhile.

python -m tests.acceptance.clips [--clips 10] [--shots FOLDER] [--set KEY=VALUE]
"""

from __future__ import annotations

import argparse
import asyncio
import io
import re
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import median

import av

from bot.adapter import ChatLine
from bot.chat_polls import ChatPolls
from bot.client import Client
from bot.command_handler import CommandHandler
from bot.config import ChatConfig
from bot.replies import Replies
from shared.role import Role
from tests.acceptance.figures import Figures, note
from tests.acceptance.live_run import CHROMIUM_ARGS
from tests.acceptance.stream import SMALL_DREAM, Stream, find_chromium

FIRST_BYTE_S = 1.0
LEAST_S, MOST_S = 7.9, 9.2
"""Allowed length of a clip of 8 s, which begins at a keyframe."""
PLAYED = "() => { const v = document.querySelector('video'); return [v.currentTime, v.error && v.error.message, v.duration]; }"


@dataclass(frozen=True, slots=True)
class Clip:
    """A fetched clip."""

    path: str
    """Path of its page."""
    answered_s: float
    """Seconds from the chat line to the bot's reply."""
    first_byte_s: float
    """Seconds from the chat line to the clip's first byte."""
    data: bytes


async def clip(handler: CommandHandler, stream: Stream, number: int) -> Clip:
    """Send ``!clip``, and fetch the clip that the reply links to."""
    line = ChatLine(f"m{number}", f"viewer{number}", str(number), "!clip", Role.MODERATOR, "console")
    began_s = time.perf_counter()
    invocation = handler.parser(line)
    assert invocation is not None
    reply = await handler.handle(line, invocation) or ""
    answered_s = time.perf_counter() - began_s
    found = re.search(r"/d/[a-z2-7]{12}", reply)
    if found is None:
        raise RuntimeError(f"no address in: {reply}")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{stream.url}{found[0]}.mp4", timeout=10) as answer:
        first = answer.read(1)
        first_byte_s = time.perf_counter() - began_s
        return Clip(found[0], answered_s, first_byte_s, first + answer.read())


def faults(data: bytes, fps: float) -> tuple[list[str], int]:
    """Return what is wrong with a clip for a player, and how many frames it lacks because the stream left them out."""
    found = []
    with av.logging.Capture() as log, av.open(io.BytesIO(data)) as container:
        video = container.streams.video[0]
        packets = [packet for packet in container.demux(video) if packet.size]
        times = [float((packet.pts or 0) * packet.time_base) for packet in packets]
        if not packets[0].is_keyframe:
            found.append("it does not begin with a keyframe")
        if times[0] != 0:
            found.append(f"it begins at {times[0]:.3f} s")
        if any(packet.pts != packet.dts for packet in packets):
            found.append("pictures are out of order")
        steps = [after - before for before, after in pairwise(times)]
        odd = [step for step in steps if step <= 0 or abs(step * fps - round(step * fps)) > 1e-3]
        if odd:
            found.append(f"{len(odd)} of {len(steps)} steps are not of whole frames: {min(odd):.4f} to {max(odd):.4f} s")
        seconds = float((video.duration or 0) * (video.time_base or 0))
        if not LEAST_S <= seconds <= MOST_S:
            found.append(f"it has {seconds:.2f} s")
    with av.logging.Capture() as decoding, av.open(io.BytesIO(data)) as container:
        frames = list(container.decode(video=0))
    if len(frames) != len(packets):
        found.append(f"{len(frames)} of {len(packets)} pictures decode")
    found += [str(line) for line in (*log, *decoding) if line[0] <= av.logging.WARNING]
    return found, sum(round(step * fps) - 1 for step in steps)


def play(figures: Figures, stream: Stream, path: str, shots: Path | None) -> None:
    """Open a dream's page in Chromium and let its clip play."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        note("playwright is missing: nothing is played")
        return
    chromium = find_chromium()
    if chromium is None:
        note("Chromium is missing: nothing is played")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGS)
        for width, height in ((1280, 800), (390, 844)):
            page = browser.new_page(viewport={"width": width, "height": height})
            page.goto(stream.url + path)
            end_s, played = time.monotonic() + 20.0, (0.0, None, 0.0)
            while time.monotonic() < end_s and played[0] < 2.0 and not played[1]:
                page.wait_for_timeout(100)
                played = tuple(page.evaluate(PLAYED))
            figures.holds(f"Chromium at {width}x{height} plays it", played[0] >= 2.0 and not played[1])
            if shots is not None:
                page.screenshot(path=str(shots / f"dream_{width}.png"))
                page.goto(stream.url)
                page.locator(".dreamt-list li").first.wait_for()
                page.locator("#dreamt").scroll_into_view_if_needed()
                page.wait_for_timeout(1500)
                page.screenshot(path=str(shots / f"strip_{width}.png"))
            page.close()
        browser.close()


async def unsaid(text: str) -> None:
    """Discard a chat message."""


async def measure(figures: Figures, stream: Stream, count: int) -> list[Clip]:
    """Make ``count`` clips, each of another dream."""
    config, clips = ChatConfig(), []
    async with Client(stream.url) as client:
        replies = Replies(config, Random(1))
        handler = CommandHandler(client, replies, config, ChatPolls(client, replies, unsaid))
        for number in range(count):
            clips.append(await clip(handler, stream, number))
            await asyncio.sleep(5.5)  # an earlier !clip returns the same clip
    return clips


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--clips", type=int, default=10)
    arguments.add_argument("--shots", type=Path, default=None, help="folder for screenshots of the pages")
    arguments.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE")
    given = arguments.parse_args()
    if given.shots is not None:
        given.shots.mkdir(parents=True, exist_ok=True)
    figures = Figures()
    settings = [*SMALL_DREAM, "queue.wander_s=15", "queue.hold_s=15", *given.settings]
    with tempfile.TemporaryDirectory() as folder, Stream(Path(folder), settings) as stream:
        stream.wait_for_picture()
        stream.ask("Mara", "goldfish + umbrella")
        viewer = stream.watch("/live.mp4")
        time.sleep(12.0)
        before = stream.status()["video"]["frames"]
        clips = asyncio.run(measure(figures, stream, given.clips))
        after = stream.status()["video"]["frames"]
        note(f"to the answer {median(each.answered_s for each in clips):.3f} s (median), to the first byte")
        note(f"{median(each.first_byte_s for each in clips):.3f} s; {len(clips[-1].data) / 1e6:.2f} MB")
        figures.at_most("first byte after !clip, the slowest", max(each.first_byte_s for each in clips), FIRST_BYTE_S, "s")
        wrong = []
        for number, each in enumerate(clips):
            found, missing = faults(each.data, stream.status()["video"]["fps"])
            wrong += found
            note(f"clip {number}: {missing} frames missing; {'; '.join(found) or 'no fault'}")
        figures.holds("PyAV finds no fault in any clip", not wrong)
        shown, late = after["shown"] - before["shown"], after["late"] - before["late"]
        note(f"meanwhile {shown} frames were shown, {late} late, {after['dropped'] - before['dropped']} dropped")
        began_s = time.perf_counter()
        gif = stream.get(f"{clips[-1].path}.gif", 60.0)
        note(f"a GIF of {len(gif) / 1e6:.2f} MB was made within {time.perf_counter() - began_s:.1f} s")
        figures.holds("the GIF is one", gif[:6] == b"GIF89a")
        kept = stream.call("GET", "/api/dreams?limit=100")["dreams"]
        left = [dream for dream in kept if not dream["clipped_by"]]
        figures.holds("dreams that left the air are kept, each with a clip", left and all(dream["clip"] for dream in left))
        play(figures, stream, clips[-1].path, given.shots)
        viewer.close()
        note(f"log:\n{stream.log()[-1500:]}")
    raise SystemExit(figures.end())


if __name__ == "__main__":
    main()
