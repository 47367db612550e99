"""Twitch's own polls, with the real twitchio and the stand-in, and what happens to votes where such polls are unavailable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bot.accounts import accounts_of, findings
from bot.chat_polls import ChatPolls
from bot.client import Client
from bot.config import ChatConfig
from bot.config_twitch import TwitchConfig
from bot.poll import Poll, PollChoice
from bot.replies import Replies
from bot.twitch_polls import TITLE, titles_of
from streamer.messages.viewer_polls import Poll as TruePoll
from streamer.messages.viewer_polls import PollState
from tests.bot.stage import keyed
from tests.bot.twitch_stage import Stage, keep_logins, staged
from tests.bot.twitch_standin import CLIENT_ID, PollKept, TwitchStandIn
from tests.web.real import RealStage

CANNOT = "Twitch's own polls cannot be used, votes are counted in chat"


class Show:
    """Twitch, the bot with polls, and a streamer."""

    def __init__(self, stage: Stage, real: RealStage, polls: ChatPolls, announced: list[str]) -> None:
        self.stage, self.twitch, self.real, self.polls, self.announced = stage, stage.twitch, real, polls, announced

    def counts(self) -> list[int]:
        return [choice.votes for choice in self.poll.choices]

    @property
    def poll(self) -> TruePoll:
        poll = self.real.director.poll
        assert poll is not None
        return poll

    async def vote(self, user: str, text: str) -> bool:
        """Let a viewer type a line, and return whether it is taken as a vote."""
        await self.twitch.say(user, text)
        await self.stage.until(lambda: self.stage.lines and self.stage.lines[-1].text == text, "heard")
        taken = self.polls.take(self.stage.lines[-1], text)
        await self.polls.send()
        return taken


@asynccontextmanager
async def showing(tmp_path: Path, *, scope: bool = True, affiliate: bool = True, **config: Any) -> AsyncIterator[Show]:
    def prepare(twitch: TwitchStandIn) -> None:
        twitch.affiliate = affiliate
        keep_logins(twitch, tmp_path / "tokens.json", "streamer", polls=scope)

    real = await asyncio.to_thread(RealStage)
    settings = {"account": None, "polls": True, **config}
    announced: list[str] = []

    async def say(text: str) -> None:
        announced.append(text)

    try:
        async with (
            staged(tmp_path, logins=("streamer",), prepare=prepare, **settings) as stage,
            Client(real.server.url.rstrip("/")) as client,
        ):
            await stage.connected()
            polls = ChatPolls(client, Replies(keyed(), Random(1)), say, stage.adapter.polls)
            yield Show(stage, real, polls, announced)
    finally:
        await asyncio.to_thread(real.close)


def play(scene: Any) -> None:
    asyncio.run(scene())


def test_a_poll_is_held_on_twitch_and_its_votes_are_counted(tmp_path: Path) -> None:
    async def scene() -> None:
        async with showing(tmp_path) as show:
            poll = await show.polls.begin("mod", "castle / volcano + bubble / pizza", 60)
            (kept,) = show.twitch.polls
            assert (kept.title, list(kept.choices), kept.status) == (TITLE, ["castle", "volcano + bubble", "pizza"], "ACTIVE")
            assert 55 <= kept.duration <= 58
            assert show.polls.opened(poll).startswith("poll_elsewhere| ")
            assert show.poll.outside == "twitch"
            kept.choices |= {"castle": 3, "pizza": 5}
            assert await show.vote("viewer", "1"), "it is no request either"
            show.real.call("POST", "/api/poll/vote", {"user": "page", "choice": 1})
            await show.polls.refresh()
            assert show.counts() == [4, 0, 5], "typed numbers count for nothing while Twitch asks"
            kept.choices["pizza"] = 7
            told = await show.polls.end(cancel=False)
            assert kept.status == "TERMINATED"
            assert (told.winner, [choice.votes for choice in told.choices]) == (3, [4, 0, 7])

    play(scene)


def test_one_that_is_over_or_cancelled_here_is_over_there(tmp_path: Path) -> None:
    async def scene() -> None:
        async with showing(tmp_path) as show:
            await show.polls.begin("mod", "castle / pizza", 60)
            await show.polls.end(cancel=True)
            assert show.twitch.polls[-1].status == "ARCHIVED"
            await show.polls.begin("mod", "castle / pizza", 60)
            show.real.director.end_poll()
            await show.polls.refresh()
            assert show.twitch.polls[-1].status == "TERMINATED"

    play(scene)


@pytest.mark.parametrize(("status", "state"), [("TERMINATED", PollState.DECIDED), ("ARCHIVED", PollState.CANCELLED)])
def test_one_that_is_ended_on_twitch_is_over_here(tmp_path: Path, status: str, state: PollState) -> None:
    async def scene() -> None:
        async with showing(tmp_path) as show:
            await show.polls.begin("mod", "castle / pizza", 60)
            kept = show.twitch.polls[-1]
            kept.choices["pizza"], kept.status = 2, status
            await show.polls.refresh()
            assert show.poll.state is state
            assert show.poll.winner == (2 if state is PollState.DECIDED else None)
            await asyncio.sleep(0)
            assert len(show.announced) == 1

    play(scene)


def test_when_its_time_is_over_there_the_votes_stay(tmp_path: Path) -> None:
    async def scene() -> None:
        async with showing(tmp_path) as show:
            await show.polls.begin("mod", "castle / pizza", 60)
            kept = show.twitch.polls[-1]
            kept.choices["castle"], kept.status = 4, "COMPLETED"
            await show.polls.refresh()
            assert (show.poll.state, show.counts()) == (PollState.OPEN, [4, 0])
            show.real.clock_s += 60
            show.real.director.tick()
            await show.polls.refresh()
            assert show.poll.winner == 1

    play(scene)


def test_a_restarted_bot_continues_the_running_twitch_poll(tmp_path: Path) -> None:
    async def scene() -> None:
        async with showing(tmp_path) as show:
            show.twitch.polls.append(PollKept("p1", TITLE, {"castle": 2, "pizza": 1}, 58))
            show.real.director.begin_poll("mod", "castle / pizza", 60)
            await show.polls.refresh()
            assert len(show.twitch.polls) == 1
            assert show.counts() == [2, 1]

    play(scene)


@pytest.mark.logs(CANNOT)
@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"affiliate": False}, "Twitch answered 403 (the broadcaster is not a partner or affiliate)"),
        ({"scope": False}, "the login of streamer does not allow them; delete it from"),
    ],
)
def test_where_there_are_none_chat_votes_and_one_line_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, settings: dict[str, bool], why: str
) -> None:
    async def scene() -> None:
        async with showing(tmp_path, **settings) as show:
            for _ in range(2):
                poll = await show.polls.begin("mod", "castle / pizza", 60)
                assert show.polls.opened(poll).startswith("poll_opened| ")
                assert await show.vote("viewer", "2")
                assert show.counts() == [0, 1]
                await show.polls.end(cancel=True)
            assert show.twitch.polls == []
            assert show.stage.adapter.state().state == "connected"

    play(scene)
    lines = [record.message for record in caplog.records if CANNOT in record.message]
    assert len(lines) == 1
    assert why in lines[0]


@pytest.mark.logs(CANNOT)
@pytest.mark.parametrize("why", ["too short", "another"])
def test_a_short_poll_and_one_beside_another_are_of_the_chat(tmp_path: Path, why: str) -> None:
    async def scene() -> None:
        async with showing(tmp_path) as show:
            if why == "another":
                show.twitch.polls.append(PollKept("p1", "Which game?", {"a": 2, "b": 1}, 300))
            await show.polls.begin("mod", "castle / pizza", 10 if why == "too short" else 60)
            assert await show.vote("viewer", "2")
            assert show.counts() == [0, 1]
            assert len(show.twitch.polls) == (why == "another")

    play(scene)


@pytest.mark.logs("the votes on Twitch are unknown for the moment")
def test_trouble_on_the_way_leaves_the_votes_as_they_are(tmp_path: Path) -> None:
    async def scene() -> None:
        async with showing(tmp_path) as show:
            await show.polls.begin("mod", "castle / pizza", 60)
            show.twitch.polls[-1].choices["castle"] = 2
            await show.polls.refresh()
            show.twitch.faults.statuses["GET /helix/polls"] = [400]
            await show.polls.refresh()
            assert show.counts() == [2, 0]

    play(scene)


def test_polls_that_begin_by_themselves_are_not_held_on_twitch(tmp_path: Path) -> None:
    async def scene() -> None:
        async with showing(tmp_path) as show:
            show.real.director.change_rules({"wander": "poll"})
            show.real.director.tick()
            await show.polls.refresh()
            assert show.twitch.polls == []
            assert await show.vote("viewer", "2")
            assert show.counts()[1] == 1

    play(scene)


CHOICES = tuple(PollChoice(number, name, (name,), 0) for number, name in enumerate(("castle", "pizza"), 1))
POLL = Poll("p", "open", CHOICES, 60.0, "mod", None, False)


@pytest.mark.logs("needs login", CANNOT)
def test_with_two_accounts_polls_need_a_streamer_login_and_the_chat_does_not(tmp_path: Path) -> None:
    async def scene() -> None:
        async with staged(tmp_path, polls=True) as stage:
            await stage.connected()
            await stage.hears()
            polls = stage.adapter.polls
            assert polls is not None
            assert not await polls.begin(POLL), "nobody is logged in who may"
            await stage.until(lambda: stage.twitch.codes, "asked for a login")
            assert {scope for code in stage.twitch.codes.values() for scope in code["scopes"]} == {"channel:manage:polls"}
            assert "polls: streamer has to log in" in stage.adapter.state().detail
            stage.twitch.approve("streamer")
            await stage.until(lambda: "streamer" in stage.kept() and not stage.adapter.state().detail, "logged in")
            assert await polls.begin(POLL)
            assert await polls.end(cancelled=False) == (0, 0)

    play(scene)


def test_titles_are_short_and_differ() -> None:
    names = ("a very long name of a thing indeed", "a very long name of a thing that is another", "pizza")
    choices = tuple(PollChoice(number, name, (name,), 0) for number, name in enumerate(names, 1))
    titles = titles_of(Poll("p", "open", choices, 60.0, "mod", None, False))
    assert titles == ["1 a very long name of a…", "2 a very long name of a…", "3 pizza"]
    assert all(len(title) <= 25 for title in titles)


def test_what_the_accounts_have_to_allow(tmp_path: Path) -> None:
    def config(**more: Any) -> TwitchConfig:
        return TwitchConfig.model_validate({"channel": "streamer", "client_id": CLIENT_ID, "polls": True, **more})

    (one,) = accounts_of(config())
    assert "channel:manage:polls" in one.optional_scopes - one.scopes, "a login without goes on"
    bot, channel = accounts_of(config(account="dreambot"))
    assert (bot.login, bot.optional_scopes, channel.login, channel.scopes) == (
        "dreambot",
        frozenset(),
        "streamer",
        frozenset({"channel:manage:polls"}),
    )
    _, channel = accounts_of(config(account="dreambot", rewards=("Dream",)))
    assert (channel.scopes, channel.optional_scopes) == (
        frozenset({"channel:manage:redemptions"}),
        frozenset({"channel:manage:polls"}),
    )
    path = tmp_path / "tokens.json"
    keep_logins(TwitchStandIn(), path, "streamer")
    ((good, words),) = findings(config(token_file=path))
    assert good
    assert "does not allow Twitch's own polls" in words
    keep_logins(TwitchStandIn(), path, "streamer", polls=True)
    assert list(findings(config(token_file=path))) == [(True, "streamer is logged in")]


def test_a_config_that_wants_polls_without_an_application_is_refused() -> None:
    with pytest.raises(ValueError, match=r"polls need twitch\.client_id"):
        TwitchConfig.model_validate({"channel": "streamer", "polls": True})
    assert ChatConfig().commands.poll.enabled
