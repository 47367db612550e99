"""The bot as a program: connects a chat to the streamer, reports the chat's state, and runs until it is stopped.

    adapter ─ lines ─▶ dispatcher ─ commands ─▶ command handler ─HTTP─▶ streamer
       ▲────── replies ─────┘

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
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from random import Random

from bot.adapter import Adapter, HasPolls, SettlesRedemptions
from bot.api_answers import RequestChange
from bot.chat_polls import ChatPolls
from bot.client import Client
from bot.command_handler import CommandHandler
from bot.config import BotSettings
from bot.dispatcher import Dispatcher
from bot.errors import ApiDown, ApiRefused
from bot.replies import Replies
from bot.throttle import Throttle

log = logging.getLogger(__name__)

REPORT_S = 10.0
"""Seconds between two reports of the chat's state; a change is reported within ``LOOK_S``."""
LOOK_S = 1.0
BEAT_S = 1.0
"""Seconds between two signs of life for the process that started the bot."""

MakeAdapter = Callable[[BotSettings, Client], Adapter]


@dataclass
class SettingsReceiver:
    """Receives the settings that the parent process sends while the bot runs."""

    receive: Callable[[BotSettings], None] = lambda settings: None


def run(settings: BotSettings, make: MakeAdapter | None = None, parent: Connection | None = None) -> None:
    """Listen and answer until Ctrl+C, SIGTERM or SIGHUP, or until the chat ends, as in a terminal.

    Args:
        make: makes the adapter; by default the one that the settings ask for.
        parent: a pipe to the process that started the bot. The bot ends when the pipe is closed, and leaves Ctrl+C and SIGHUP
            to that process. Of ``BotSettings`` that arrive it uses the chat's part. It sends None every ``BEAT_S`` while it
            is responsive.
    """
    incoming = SettingsReceiver()
    asyncio.run(_run_until_stopped(serve(settings, make or make_adapter, incoming), parent, incoming))


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
            return TwitchAdapter(twitch, Throttle(), client.request_states)
    from bot.irc import AnonymousIrc

    return AnonymousIrc(twitch.channel, settings.irc_url) if settings.irc_url else AnonymousIrc(twitch.channel)


async def serve(settings: BotSettings, make: MakeAdapter = make_adapter, incoming: SettingsReceiver | None = None) -> None:
    """Listen and answer until cancelled, or until the chat ends; ``incoming`` receives changed settings."""
    async with Client(settings.api_url, settings.token) as client:
        adapter = make(settings, client)
        replies = Replies(settings.chat, Random(), settings.layout)
        polls = ChatPolls(client, replies, partial(adapter.say, None), adapter.polls if isinstance(adapter, HasPolls) else None)
        handler = CommandHandler(client, replies, settings.chat, polls)
        if incoming is not None:
            incoming.receive = lambda changed: handler.configure(changed.chat, changed.layout)
        if isinstance(adapter, SettlesRedemptions):
            handler.settle = adapter.settled
        try:
            async with asyncio.TaskGroup() as tasks:
                dispatcher = Dispatcher(handler, adapter, polls)
                reports = tasks.create_task(_report(adapter, client, dispatcher, replies.changes))
                await dispatcher.run()
                reports.cancel()
        finally:
            client.quiet = True
            with contextlib.suppress(ApiDown, ApiRefused, TimeoutError):
                async with asyncio.timeout(0.5):
                    await client.report(adapter.state(), adapter.name)


async def _report(
    adapter: Adapter, client: Client, dispatcher: Dispatcher, lines_about: Callable[[Sequence[RequestChange]], list[str]]
) -> None:
    """Report the chat's state to the streamer regularly and when it changes; tell viewers which requests have changed.

    Args:
        lines_about: makes what is said about changed requests.
    """
    reported, reported_s, refused, latest = None, 0.0, "", 0
    while True:
        state, now_s = adapter.state(), time.monotonic()
        if state != reported or now_s - reported_s >= REPORT_S:
            reported, reported_s = state, now_s
            try:
                changes = await client.report(state, adapter.name, dispatcher.heard_s, latest)
                latest = changes[-1].number if changes else latest
                for line in lines_about(changes):
                    await adapter.say(None, line)
            except ApiDown:
                pass  # the client has logged it; the next report is soon enough
            except ApiRefused as error:
                if refused != error.code:
                    log.warning("the streamer does not accept the chat's state: %s", error.message)
                refused = error.code
        await asyncio.sleep(LOOK_S)


async def _run_until_stopped(
    work: Coroutine[object, object, None], parent: Connection | None, incoming: SettingsReceiver
) -> None:
    """Run some work until it ends, or until a signal or the parent process ends it."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    if parent is not None:
        threading.Thread(target=_receive_settings, args=(parent, loop, task, incoming), name="parent", daemon=True).start()
        threading.Thread(target=_send_heartbeats, args=(parent, loop), name="heartbeat", daemon=True).start()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is None:
            continue
        if parent is not None and name != "SIGTERM":
            signal.signal(number, signal.SIG_IGN)
        else:
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):  # on Windows Ctrl+C is a KeyboardInterrupt
                loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _receive_settings(
    parent: Connection, loop: asyncio.AbstractEventLoop, task: asyncio.Future[None], incoming: SettingsReceiver
) -> None:
    """Receive settings from the parent process; when it is gone, end the bot."""
    with contextlib.suppress(RuntimeError):  # the loop is closed: the bot has ended
        with contextlib.suppress(EOFError, OSError):
            while True:
                loop.call_soon_threadsafe(partial(_apply, incoming, parent.recv()))
        loop.call_soon_threadsafe(task.cancel)


def _send_heartbeats(parent: Connection, loop: asyncio.AbstractEventLoop) -> None:
    """Send signs of life to the parent process while the loop turns; in a thread, as the pipe may be full."""
    turned = threading.Event()
    with contextlib.suppress(RuntimeError, OSError, ValueError):  # the loop or the pipe is closed: the bot ends
        while True:
            turned.clear()
            loop.call_soon_threadsafe(turned.set)
            turned.wait()
            parent.send(None)
            time.sleep(BEAT_S)


def _apply(incoming: SettingsReceiver, settings: BotSettings) -> None:
    incoming.receive(settings)
    log.info("the changed settings are in force for the chat")


if __name__ == "__main__":
    sys.exit("the chat bot is started with: zoomdream bot [CONFIG]")
