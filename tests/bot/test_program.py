"""The bot as a program: from a chat line to the streamer's queue, and as the process beside a stream."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection

import pytest

from bot.__main__ import SettingsReceiver, _run_until_stopped, make_adapter, serve
from bot.adapter import Adapter
from bot.client import Client
from bot.config import BotSettings, ChatConfig
from bot.config_twitch import TwitchConfig
from bot.irc import AnonymousIrc
from bot.twitch import TwitchAdapter
from streamer.commands import CommandError
from streamer.commands.bot import LOADING_S, BotProcess, command, settings
from streamer.commands.classes import bundled_wnids
from streamer.config import Config
from tests.bot.irc_standin import IrcStandIn, irc_standin
from tests.bot.stage import Chat, Stage, play, staged
from tests.patience import PATIENCE_S
from tests.web.real import RealStage


def bot_settings(api_url: str, irc_url: str | None = None, token: str | None = None) -> BotSettings:
    return BotSettings(TwitchConfig(channel="streamer"), ChatConfig(), api_url.rstrip("/"), token, irc_url=irc_url)


async def until(so: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not so():
            await asyncio.sleep(0.01)


async def chat_of(real: RealStage) -> str:
    """Return the state of the chat as the control page shows it."""
    status = await asyncio.to_thread(real.status)
    return status.chat.state.value if status.chat is not None else ""


def test_a_twitch_chat_line_becomes_a_request() -> None:
    async def scene() -> None:
        async with staged(token="open sesame") as stage, irc_standin() as irc:
            task = asyncio.create_task(serve(bot_settings(stage.real.server.url, irc.url, "open sesame")))
            await until(lambda: irc.connections)
            await _say_until_waiting(irc, stage)
            assert stage.waiting == ["volcano + bubble"]
            async with asyncio.timeout(PATIENCE_S):
                while await chat_of(stage.real) != "read-only":
                    await asyncio.sleep(0.01)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            assert await chat_of(stage.real) == "offline"

    play(scene)


async def _say_until_waiting(irc: IrcStandIn, stage: Stage) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not stage.waiting:
            await irc.say("Ann", "!dream volcano + bubble", tags="id=1")
            await asyncio.sleep(0.05)


def test_votes_of_twitchs_chat_are_counted() -> None:
    async def scene() -> None:
        async with staged(token="open sesame") as stage, irc_standin() as irc:
            poll = await asyncio.to_thread(stage.real.director.begin_poll, "mod", "castle / pizza")
            task = asyncio.create_task(serve(bot_settings(stage.real.server.url, irc.url, "open sesame")))
            await until(lambda: irc.connections)

            def counts() -> list[int]:
                found = stage.real.director.poll
                assert found is not None
                assert found.id == poll.id
                return [choice.votes for choice in found.choices]

            async with asyncio.timeout(PATIENCE_S):
                number = 0
                while counts() != [1, 2]:
                    for user, text in (("Ann", "1"), ("Bob", "pizza"), ("Cid", "2")):
                        number += 1
                        await irc.say(user, text, tags=f"id={number}")
                    await asyncio.sleep(0.05)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    play(scene)


def test_a_chat_that_ends_ends_the_bot() -> None:
    async def scene() -> None:
        async with staged() as stage:
            chat = Chat()

            def make(settings: BotSettings, client: Client) -> Adapter:
                return chat

            task = asyncio.create_task(serve(bot_settings(stage.real.server.url), make))
            await chat.ready.wait()
            assert chat.hear is not None
            chat.hear(stage.line("ann", "!dream volcano"))
            chat.done.set()
            await task
            assert len(chat.said) == 1

    play(scene)


def test_the_bot_announces_once_that_a_network_change_replaces_a_request() -> None:
    async def scene() -> None:
        async with staged() as stage:
            chat = Chat()
            task = asyncio.create_task(serve(bot_settings(stage.real.server.url), lambda settings, client: chat))
            await chat.ready.wait()
            assert chat.hear is not None
            chat.hear(stage.line("ann", "!dream volcano"))
            await until(lambda: stage.waiting)
            await until(lambda: chat.said)
            await asyncio.to_thread(stage.real.learn, "bundled", bundled_wnids())
            chat.connected = "read-only"  # a change is reported immediately
            await until(lambda: len(chat.said) > 1)
            line, text = chat.said[-1]
            assert line is None
            assert "ann gets alpine mountain instead of volcano" in text
            chat.connected = "connected"
            await until(lambda: stage.real.status().chat.state == "connected")  # type: ignore[union-attr]
            assert len(chat.said) == 2, "once"
            chat.done.set()
            await task

    play(scene)


def test_the_settings_choose_the_adapter() -> None:
    async def scene() -> None:
        async with Client("http://127.0.0.1:9") as client:
            assert isinstance(make_adapter(bot_settings("http://127.0.0.1:9"), client), AnonymousIrc)
            config = Config.model_validate({"twitch": {"channel": "streamer", "client_id": "abc"}})
            assert isinstance(make_adapter(settings(config, "http://127.0.0.1:9/"), client), TwitchAdapter)
            with pytest.raises(ValueError, match=r"set twitch\.channel"):
                make_adapter(settings(Config(), "http://127.0.0.1:9"), client)

    play(scene)


def test_the_command_needs_a_chat_and_an_address() -> None:
    with pytest.raises(CommandError, match="there is no chat to listen to") as caught:
        command(Config(), console=False, url=None)
    assert caught.value.code == 2
    with pytest.raises(CommandError, match="is not an address"):
        command(Config(), console=True, url="ftp://x")


def test_secrets_are_not_printed() -> None:
    twitch = TwitchConfig(channel="streamer", client_id="abc", client_secret="hidden")
    told = repr(BotSettings(twitch, ChatConfig(), "http://127.0.0.1:8080", "open sesame"))
    assert "hidden" not in told
    assert "sesame" not in told


@pytest.mark.logs("the chat bot ended with code")
def test_the_process_beside_the_stream_is_started_again_and_ends_with_it() -> None:
    async def scene() -> None:
        async with staged() as stage, irc_standin() as irc:
            bot = BotProcess(bot_settings(stage.real.server.url, irc.url), pause_s=(0.05, 0.1))
            bot.start()
            await until(lambda: irc.connections == 1)
            assert bot.pid is not None
            os.kill(bot.pid, signal.SIGKILL)
            await until(lambda: irc.connections == 2)
            assert bot.starts == 2
            await _say_until_waiting(irc, stage)
            pid = bot.pid
            assert pid is not None
            bot.tell_to_stop()
            assert await asyncio.to_thread(bot.stop, PATIENCE_S)
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
            assert bot.pid is None
            assert bot._woken.closed

    play(scene)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="there is no such signal here")
@pytest.mark.logs("the chat bot hangs: no sign of life for 3 s; it is replaced", "the chat bot ended with code -9")
def test_a_bot_that_is_stopped_is_replaced() -> None:
    async def scene() -> None:
        async with staged() as stage, irc_standin() as irc:
            restarts: list[float] = []
            bot = BotProcess(
                bot_settings(stage.real.server.url, irc.url),
                pause_s=(0.05, 0.1),
                silent_s=3.0,
                restarted=lambda: restarts.append(time.monotonic()),
            )
            bot.start()
            await until(lambda: irc.connections == 1)
            assert bot.pid is not None
            await asyncio.sleep(3.5)
            assert bot.starts == 1, "who gives signs of life is left alone"
            hung, stopped_s = bot.pid, time.monotonic()
            os.kill(hung, signal.SIGSTOP)
            await until(lambda: irc.connections == 2)
            assert len(restarts) == 1
            assert restarts[0] - stopped_s < LOADING_S, "it had been heard of"
            with pytest.raises(ProcessLookupError):
                os.kill(hung, 0)
            bot.tell_to_stop()
            assert await asyncio.to_thread(bot.stop, PATIENCE_S)

    play(scene)


@pytest.mark.logs("the chat bot hangs", "the chat bot ended with code -9")
def test_a_bot_whose_loop_is_blocked_is_replaced() -> None:
    restarts = threading.Event()
    bot = BotProcess(bot_settings(""), pause_s=(0.05, 0.1), silent_s=0.5, restarted=restarts.set, run=blocked)
    bot.start()
    assert restarts.wait(PATIENCE_S)
    assert bot.stop(PATIENCE_S)


def blocked(parent: Connection, settings: BotSettings, level: str) -> None:
    """Run a small bot whose loop runs for a moment and then blocks forever."""

    async def block() -> None:
        await asyncio.sleep(0.1)
        time.sleep(1000)

    asyncio.run(_run_until_stopped(block(), parent, SettingsReceiver()))


def test_a_bot_that_was_never_started_can_be_stopped() -> None:
    bot = BotProcess(bot_settings("http://127.0.0.1:9"))
    assert bot.stop()
    assert bot._woken.closed
    assert bot._wake.closed


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no such signal here")
def test_the_process_beside_the_stream_hears_of_other_settings_and_leaves_sighup_to_it() -> None:
    async def scene() -> None:
        async with staged() as stage, irc_standin() as irc:
            before = bot_settings(stage.real.server.url, irc.url)
            bot = BotProcess(before)
            bot.configure(before)  # takes effect when the process starts
            bot.start()
            await until(lambda: irc.connections == 1)
            assert bot.pid is not None
            os.kill(bot.pid, signal.SIGHUP)
            bot.configure(replace(before, chat=ChatConfig(prefix="?")))
            async with asyncio.timeout(PATIENCE_S):
                for number in itertools.count():
                    await irc.say("Ann", "?dream volcano + bubble", tags=f"id={number}")
                    await asyncio.sleep(0.05)
                    if stage.waiting:
                        break
            assert (irc.connections, bot.starts) == (1, 1), "the connection stays"
            bot.tell_to_stop()
            assert await asyncio.to_thread(bot.stop, PATIENCE_S)

    play(scene)
