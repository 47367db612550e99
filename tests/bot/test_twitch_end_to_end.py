"""From Twitch to the dream and back, with the stand-in, the real twitchio, the whole bot, and a real streamer's API."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bot.__main__ import make_adapter, serve
from bot.adapter import Adapter
from bot.client import Client
from bot.config import BotSettings, ChatConfig
from bot.config_twitch import TwitchConfig
from bot.throttle import Throttle
from bot.twitch import TwitchAdapter
from streamer.messages.scenes import Scene
from tests.acceptance.stream import RESTING, SHM, SMALL_PICTURE, WITHOUT_SPARE, Stream
from tests.bot.twitch_stage import CALM, keep_logins
from tests.bot.twitch_standin import CHAT, CLIENT_ID, REDEMPTION, Sent, TwitchStandIn
from tests.patience import PATIENCE_S
from tests.web.real import RealStage

TOKEN = "open sesame"
TITLE = "Dream something"
NEXT = "next|Nobody ahead of you"


class Show:
    """Twitch, the bot and a streamer."""

    def __init__(self, twitch: TwitchStandIn, real: RealStage, adapter: TwitchAdapter) -> None:
        self.twitch, self.real, self.adapter = twitch, real, adapter

    @property
    def chat(self) -> str:
        """State of the chat, as reported to the streamer."""
        report = self.real.dream.chat.read()
        return "" if report is None else report.state

    async def until(self, so: Callable[[], object], what: str = "") -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not so():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"never so: {what or so}; {self.adapter.state()}; {self.twitch.sent[-3:]}") from None

    async def ask(self, login: str, text: str, **options: Any) -> Sent:
        """Say a line and return the bot's answer."""
        before = len(self.twitch.sent)
        message = await self.twitch.say(login, text, **options)
        await self.until(lambda: len(self.twitch.sent) > before, f"an answer to {login}: {text}")
        sent = self.twitch.sent[-1]
        assert sent.parent == message
        return sent

    async def nothing(self, login: str, text: str) -> None:
        """Say a line, and check that the bot answers only the line after it."""
        before = len(self.twitch.sent)
        await self.twitch.say(login, text)
        await self.ask("mod", "!queue")
        assert len(self.twitch.sent) == before + 1, self.twitch.sent[before:]

    async def next_on_air(self) -> Scene:
        """Advance the clock past the hold, and return the scene that comes on air."""
        return await asyncio.to_thread(self.real.until_over)

    async def status(self) -> Any:
        return (await asyncio.to_thread(self.real.call, "GET", "/api/status")).json


@asynccontextmanager
async def showing(
    tmp_path: Path, *, logins: tuple[str, ...] = ("dreambot",), twitch: Any = None, chat: Any = None, **queue: Any
) -> AsyncIterator[Show]:
    real = await asyncio.to_thread(lambda: RealStage(TOKEN, **queue))
    try:
        async with TwitchStandIn(keepalive_s=0.1) as standin:
            tokens = tmp_path / "tokens.json"
            keep_logins(standin, tokens, *logins, rewards=True)
            config = TwitchConfig.model_validate(
                {
                    "channel": "streamer",
                    "account": "dreambot",
                    "client_id": CLIENT_ID,
                    "token_file": tokens,
                    **(twitch or {}),
                }
            )
            made: list[TwitchAdapter] = []

            def make(settings: BotSettings, client: Client) -> Adapter:
                made.append(TwitchAdapter(settings.twitch, Throttle(1000), client.request_states, timings=CALM))
                return made[0]

            settings = BotSettings(config, ChatConfig.model_validate(chat or {}), real.server.url.rstrip("/"), TOKEN)
            with standin.pointed():
                running = asyncio.create_task(serve(settings, make))
                await asyncio.sleep(0)
                while not made:
                    await asyncio.sleep(0.01)
                show = Show(standin, real, made[0])
                try:
                    yield show
                finally:
                    running.cancel()
                    with suppress(asyncio.CancelledError):
                        await running
    finally:
        await asyncio.to_thread(real.close)


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


async def ready(show: Show, *types: str) -> None:
    await show.until(lambda: all(show.twitch.hears(type_) for type_ in (CHAT, *types)), "connected")


def test_a_request_is_answered_with_place_and_wait_then_shown_on_air(tmp_path: Path) -> None:
    async def scene() -> None:
        async with showing(tmp_path) as show:
            await ready(show)
            sent = await show.ask("viewer", "!dream volcano + bubble", times=3)  # delivered three times
            assert sent.login == "dreambot"
            assert re.search(rf"(?=.*volcano on top, bubble below)(?=.*({NEXT})).*(second|minute)", sent.text), sent.text
            second = await show.ask("friend", "!dream tabby + pizza")
            assert re.search(r"(?=.*tabby.* on top, pizza below\b)(?=.*second\b).*\bminute", second.text), second.text
            on_air = await show.next_on_air()
            assert (on_air.title, on_air.user) == ("volcano + bubble", "Viewer")
            assert len(show.twitch.sent) == 2
            await show.until(lambda: show.chat == "connected", "the streamer knows how the chat is")
            told = (await show.status())["chat"]
            assert (told["state"], told["account"], told["channel"]) == ("connected", "dreambot", "streamer")

    play(scene)


VIEWERS = [
    ("!d fox squirrel", r"fox squirrel"),
    ("!dream vulcano", r"volcano"),
    ("!dream xyzzyqqq", r"xyzzyqqq"),
    ("!queue", r"pizza"),
    ("!when", r"."),
    ("!oops", r"fox squirrel|volcano"),
    ("!now", r"."),
    ("!what doggy", r"."),
    ("!help", r"!queue"),
    ("!random", r"."),
    ("!voteskip", r"."),
]
MODERATORS = [
    ("!close", ""),
    ("!open", ""),
    ("!pause", ""),
    ("!pause off", ""),
    ("!hold 45", "45"),
    ("!zoom 1.1", "1.1"),
    ("!bump", ""),
    ("!block lava", "lava"),
    ("!unblock lava", "lava"),
    ("!promote Friend", ""),
    ("!remove Friend", ""),
    ("!skip", ""),
    ("!clear", ""),
]


def test_every_command_and_role(tmp_path: Path) -> None:
    async def scene() -> None:
        async with showing(tmp_path, per_user=9) as show:
            await ready(show)
            await show.ask("friend", "!dream pizza")
            for text, wanted in VIEWERS:
                sent = await show.ask("viewer", text)
                assert re.search(wanted, sent.text), (text, sent.text)
            for text, _ in MODERATORS:
                await show.nothing("viewer", text)
                await show.nothing("vip", text)
            for login in ("mod", "streamer"):
                for text, wanted in MODERATORS:
                    await show.ask("friend", "!dream pizza" if login == "mod" else "!dream canoe") if "Friend" in text else None
                    sent = await show.ask(login, text)
                    assert wanted in sent.text, (text, sent.text)
            assert show.real.titles() == []
            assert show.real.dream.bumped == 2
            await show.nothing("viewer", "just talk")
            await show.nothing("viewer", "!slots")

    play(scene)


def test_bits_go_first_and_rewards_are_settled(tmp_path: Path) -> None:
    async def scene() -> None:
        config = {"rewards": (TITLE,)}
        async with showing(tmp_path, logins=("dreambot", "streamer"), twitch=config) as show:
            await ready(show, REDEMPTION)
            reward = next(iter(show.twitch.rewards.values()))
            await show.ask("friend", "!dream pizza")
            before = len(show.twitch.sent)
            paid = await show.twitch.redeem("vip", reward.id, "volcano")
            await show.until(lambda: len(show.twitch.sent) > before)
            assert show.twitch.sent[-1].text.startswith("@Vip ")
            refused = await show.twitch.redeem("vip", reward.id, "xyzzyqqq")
            await show.until(lambda: refused.status == "CANCELED", "refunded at once")
            sent = await show.ask("viewer", "!dream canoe", bits=100)
            assert re.search(NEXT, sent.text), sent.text
            assert show.real.titles() == ["canoe", "volcano", "pizza"]
            assert paid.status == "UNFULFILLED"
            assert (await show.next_on_air()).title == "canoe"
            assert (await show.next_on_air()).title == "volcano"
            await show.until(lambda: paid.status == "FULFILLED", "fulfilled on air")
            before = len(show.twitch.sent)
            removed = await show.twitch.redeem("vip", reward.id, "fox squirrel")
            await show.until(lambda: len(show.twitch.sent) > before)
            await show.ask("mod", "!remove Vip")
            await show.until(lambda: removed.status == "CANCELED", "refunded when taken out")

    play(scene)


def test_a_token_that_expires_costs_no_answer(tmp_path: Path) -> None:
    async def scene() -> None:
        async with showing(tmp_path) as show:
            await ready(show)
            for number, word in enumerate(("volcano", "pizza", "canoe")):
                show.twitch.expire("dreambot")
                assert word in (await show.ask("viewer", f"!dream {word}")).text
                assert show.twitch.tally()["POST /oauth2/token 200"] == number + 1

    play(scene)


def test_one_account_for_both(tmp_path: Path) -> None:
    async def scene() -> None:
        # With bare words, the bot's own replies could be taken for requests.
        config = {"account": None}
        async with showing(tmp_path, logins=("streamer",), twitch=config, chat={"bare_words": True}) as show:
            await ready(show)
            sent = await show.ask("streamer", "!dream volcano")
            assert sent.login == "streamer"
            assert "volcano" in sent.text
            assert "pizza" in (await show.ask("viewer", "pizza")).text
            await show.twitch.say("viewer", "good evening everybody")
            await show.ask("streamer", "!skip")
            assert show.real.titles() == ["pizza"]

    play(scene)


@pytest.mark.logs("no connection for", "may need a login", "needs login")
def test_a_revoked_login_is_shown_in_the_status(tmp_path: Path) -> None:
    async def scene() -> None:
        async with showing(tmp_path) as show:
            await ready(show)
            await show.twitch.disconnect_app("dreambot")
            await show.until(lambda: show.chat == "needs login")
            told = (await show.status())["chat"]
            assert told["state"] == "needs login"
            assert told["detail"].startswith("dreambot has to log in")
            await show.until(lambda: show.twitch.codes)
            show.twitch.approve("dreambot")
            await ready(show)
            await show.until(lambda: show.chat == "connected")
            assert "volcano" in (await show.ask("viewer", "!dream volcano")).text

    play(scene)


@pytest.mark.logs("twitchio is not installed")
def test_without_twitchio_it_only_listens_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "bot.twitch", raising=False)
    monkeypatch.setitem(sys.modules, "bot.twitch", None)  # type: ignore[arg-type]
    real_import = __import__

    def without(name: str, *rest: Any) -> Any:
        if name == "bot.twitch":
            raise ModuleNotFoundError("No module named 'twitchio'", name="twitchio")
        return real_import(name, *rest)

    monkeypatch.setattr("builtins.__import__", without)
    config = TwitchConfig(channel="streamer", client_id=CLIENT_ID)
    adapter = make_adapter(BotSettings(config, ChatConfig(), "http://127.0.0.1:1"), Client("http://127.0.0.1:1"))
    assert adapter.name == "irc"


SMALL = [*SMALL_PICTURE, *RESTING, *WITHOUT_SPARE, "queue.hold_s=5"]


@pytest.mark.skipif(not SHM.is_dir() or sys.platform != "linux", reason="looks into /proc and /dev/shm")
@pytest.mark.torch
def test_the_whole_program_dreams_what_chat_asks_for(tmp_path: Path) -> None:
    async def scene(stream: Stream) -> None:
        async with TwitchStandIn(keepalive_s=1.0) as twitch:
            tokens = tmp_path / "tokens.json"
            keep_logins(twitch, tokens, "dreambot")
            config = TwitchConfig(channel="streamer", account="dreambot", client_id=CLIENT_ID, token_file=tokens)
            with twitch.pointed():
                running = asyncio.create_task(serve(BotSettings(config, ChatConfig(), stream.url)))
                try:
                    while not twitch.hears():
                        await asyncio.sleep(0.05)
                    await twitch.say("viewer", "!dream goldfish + umbrella")
                    async with asyncio.timeout(PATIENCE_S):
                        while not twitch.sent:
                            await asyncio.sleep(0.05)
                    assert "goldfish on top, umbrella below" in twitch.sent[0].text
                    told = await asyncio.to_thread(
                        stream.wait_for,
                        lambda told: told["on_air"]["title"] == "goldfish + umbrella" and told["chat"]["state"] == "connected",
                        PATIENCE_S,
                    )
                    assert told["on_air"]["user"] == "Viewer"
                finally:
                    running.cancel()
                    await asyncio.gather(running, return_exceptions=True)

    with Stream(tmp_path, SMALL) as stream:
        stream.wait_for_picture()
        asyncio.run(scene(stream))
