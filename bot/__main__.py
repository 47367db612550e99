"""The bot as a program: an adapter to a chat, a desk that answers, a report to the streamer; until it is told to stop.

    adapter ─ lines ─▶ dispatcher ─▶ desk ─HTTP─▶ streamer
       ▲───── replies ────┘

``zoomdream bot`` starts it, and so does ``zoomdream run`` for a configured channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from multiprocessing.connection import Connection
from random import Random

from bot.client import ApiDown, ApiRefused, Client
from bot.config import BotSettings
from bot.desk import ChatDesk
from bot.dispatch import Dispatcher
from bot.messages import Adapter, Settles
from bot.replies import Replies
from bot.throttle import Throttle

log = logging.getLogger(__name__)

REPORT_S = 10.0
"""Seconds from one report of the chat's state to the next; a change is reported within ``LOOK_S``."""
LOOK_S = 1.0

MakeAdapter = Callable[[BotSettings, Client], Adapter]


def run(settings: BotSettings, make: MakeAdapter | None = None, parent: Connection | None = None) -> None:
    """Listen and answer until Ctrl+C, SIGTERM or SIGHUP, or until the chat ends, as a terminal may.

    Args:
        make: makes the adapter; the one that the settings call for if not given.
        parent: a pipe whose other end another process holds: the bot ends when that is closed, and leaves Ctrl+C to it.
    """
    asyncio.run(_until_told(serve(settings, make or make_adapter), parent))


def make_adapter(settings: BotSettings, client: Client) -> Adapter:
    """The adapter for the configured channel: with an account where an application is configured, else listening only.

    Raises:
        ValueError: no channel is configured.
    """
    twitch = settings.twitch
    if twitch.channel is None:
        raise ValueError("there is no chat to listen to: set twitch.channel")
    if twitch.client_id is not None:
        try:
            from bot.twitch import TwitchAdapter
        except ModuleNotFoundError as error:
            if error.name != "twitchio":
                raise
            log.error("the bot can only listen: twitchio is not installed; install it with: pip install 'zoomdream[twitch]'")
        else:
            return TwitchAdapter(twitch, Throttle(), client.standings)
    from bot.irc import AnonymousIrc

    return AnonymousIrc(twitch.channel, settings.irc_url) if settings.irc_url else AnonymousIrc(twitch.channel)


async def serve(settings: BotSettings, make: MakeAdapter = make_adapter) -> None:
    """Listen and answer until cancelled, or until the chat ends."""
    async with Client(settings.api_url, settings.token) as client:
        adapter = make(settings, client)
        desk = ChatDesk(client, Replies(settings.chat, Random(), settings.layout), settings.chat)
        if isinstance(adapter, Settles):
            desk.settle = adapter.settled
        try:
            async with asyncio.TaskGroup() as tasks:
                reports = tasks.create_task(_report(adapter, client))
                await Dispatcher(desk, adapter).run()
                reports.cancel()
        finally:
            client.quiet = True
            with contextlib.suppress(ApiDown, ApiRefused, TimeoutError):
                async with asyncio.timeout(0.5):
                    await client.report(adapter.state(), adapter.name)


async def _report(adapter: Adapter, client: Client) -> None:
    """Tell the streamer how the chat is connected, now and then and when it changes."""
    told, told_s, refused = None, 0.0, ""
    while True:
        state, now_s = adapter.state(), time.monotonic()
        if state != told or now_s - told_s >= REPORT_S:
            told, told_s = state, now_s
            try:
                await client.report(state, adapter.name)
            except ApiDown:
                pass  # the client has told the log; the next report is soon enough
            except ApiRefused as error:
                if refused != error.code:
                    log.warning("the streamer does not take the chat's state: %s", error.message)
                refused = error.code
        await asyncio.sleep(LOOK_S)


async def _until_told(work: Coroutine[object, object, None], parent: Connection | None) -> None:
    """Run some work until it ends, or is to end."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    if parent is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_await_end, args=(parent, loop, task), name="parent", daemon=True).start()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and not (parent is not None and name == "SIGINT"):
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):  # elsewhere Ctrl+C is a KeyboardInterrupt
                loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _await_end(parent: Connection, loop: asyncio.AbstractEventLoop, task: asyncio.Future[None]) -> None:
    with contextlib.suppress(EOFError, OSError):
        parent.recv()
    with contextlib.suppress(RuntimeError):  # ended by itself
        loop.call_soon_threadsafe(task.cancel)


if __name__ == "__main__":
    sys.exit("the chat bot is started with: zoomdream bot [CONFIG]")
