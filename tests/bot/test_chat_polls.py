"""Polls in chat, with a real streamer: how they begin, what counts as a vote, what the bot says, and how votes are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from bot import chat_polls
from bot.adapter import ChatLine
from bot.chat_polls import BATCH_BYTES, _fitting
from bot.client import Client
from bot.dispatcher import Dispatcher
from bot.errors import ApiRefused
from shared.role import Role
from streamer.messages.viewer_polls import Poll, PollState
from tests.bot.stage import Chat, Stage, play, staged
from tests.patience import PATIENCE_S


def told(stage: Stage) -> Poll:
    poll = stage.real.director.poll
    assert poll is not None
    return poll


def counts(stage: Stage) -> list[int]:
    return [choice.votes for choice in told(stage).choices]


class Room:
    """A chat that the bot is in."""

    def __init__(self, stage: Stage, chat: Chat, dispatcher: Dispatcher) -> None:
        self.stage, self.chat, self.dispatcher = stage, chat, dispatcher

    def hear(self, user: str, text: str, role: Role = Role.EVERYONE, **more: object) -> None:
        assert self.chat.hear is not None
        self.chat.hear(self.stage.line(user, text, role, **more))

    async def begin(self, text: str = "!poll castle / pizza / volcano") -> None:
        self.hear("mod", text, Role.MODERATOR)
        await self.until(lambda: self.stage.polls.now is not None and self.stage.polls.now.open)

    async def until(self, so: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not so():
                await asyncio.sleep(0.01)


@asynccontextmanager
async def room(chat: dict[str, object] | None = None, **queue: object) -> AsyncIterator[Room]:
    async with staged(chat, **queue) as stage:
        talk = Chat()
        dispatcher = Dispatcher(stage.handler, talk, stage.polls)
        task = asyncio.create_task(dispatcher.run())
        await talk.ready.wait()
        yield Room(stage, talk, dispatcher)
        talk.done.set()
        await task


# Commands


def test_a_moderator_begins_a_poll_and_ends_it() -> None:
    async def scene() -> None:
        async with staged() as stage:
            reply = await stage.tell("!poll castle / pizza / volcano")
            assert reply.startswith("poll_opened| ")
            assert "1 castle, 2 pizza, 3 volcano" in reply
            assert "60 s" in reply
            assert told(stage).user == "mod"
            standing = await stage.say("ann", "!poll")
            assert standing is not None
            assert standing.startswith("poll_standing| ")
            assert "1 castle: 0, 2 pizza: 0, 3 volcano: 0" in standing
            assert (await stage.tell("!poll a / b")).startswith(("poll_running| ", "unknown"))
            assert (await stage.tell("!poll castle / lion")).startswith("poll_running| ")
            stage.real.call("POST", "/api/poll/vote", {"user": "page", "choice": 2})
            reply = await stage.tell("!endpoll")
            assert reply.startswith("poll_won| ")
            assert "pizza" in reply
            assert stage.waiting == ["pizza"]
            assert (await stage.tell("!endpoll")).startswith("poll_none| ")

    play(scene)


def test_for_how_long_and_cancelling() -> None:
    async def scene() -> None:
        async with staged() as stage:
            reply = await stage.tell("!poll 30s castle or pizza")
            assert "30 s" in reply
            assert told(stage).length_s == 30
            assert (await stage.tell("!endpoll cancel")).startswith("poll_cancelled| ")
            await stage.tell("!poll 15 sec: castle, pizza")
            assert told(stage).length_s == 15
            assert (await stage.tell("!poll cancel")).startswith("poll_cancelled| ")
            assert stage.waiting == []
            assert (await stage.tell("!poll castle")).startswith("poll_usage| ")
            assert (await stage.tell("!poll 3s castle / pizza")).startswith("poll_usage| ")

    play(scene)


def test_choices_are_refused_as_requests_are() -> None:
    async def scene() -> None:
        async with staged(family_safe=True) as stage:
            assert (await stage.tell("!poll castle / qqqqq")).startswith("unknown| ")
            assert (await stage.tell("!poll castle / vulcanoo")).startswith(("poll_opened| ", "unknown_near| "))
            await stage.tell("!endpoll cancel")
            assert (await stage.tell("!poll castle / rifle")).startswith("blocked| ")

    play(scene)


def test_viewers_begin_and_end_none() -> None:
    async def scene() -> None:
        async with staged() as stage:
            assert await stage.say("ann", "!poll castle / pizza") is None
            assert stage.real.director.poll is None
            assert (await stage.say("ann", "!poll") or "").startswith("poll_none| ") is False, "its cooldown holds"
            assert (await stage.say("ann", "!vote 1") or "").startswith("poll_none| ")
            await stage.tell("!poll castle / pizza")
            assert await stage.say("ann", "!endpoll") is None
            assert told(stage).state is PollState.OPEN

    play(scene)


# Votes


def test_numbers_and_names_are_votes_and_the_last_one_counts() -> None:
    async def scene() -> None:
        async with room() as on:
            await on.begin()
            for user, text in (
                ("ann", "1"),
                ("bob", "PIZZA!"),
                ("cid", "!vote 3"),
                ("dan", "!vote castle"),
                ("ann", "2"),
                ("eve", "hello everybody"),
                ("fay", "4"),
            ):
                on.hear(user, text)
            await on.until(lambda: sum(counts(on.stage)) == 4)
            assert counts(on.stage) == [1, 2, 1]
            assert len(on.chat.said) == 1, "votes are not answered"
            on.hear("ann", "castle")
            await on.until(lambda: counts(on.stage) == [2, 1, 1])
            on.hear("mod", "!endpoll", Role.MODERATOR)
            await on.until(lambda: len(on.chat.said) == 2)
            assert on.chat.said[1][1].startswith("poll_won| ")
            assert on.stage.waiting == ["castle"]
            on.hear("ann", "1")
            assert on.stage.polls.taken == 6, "it is over"

    play(scene)


def test_in_a_poll_a_bare_name_is_a_vote_rather_than_a_request() -> None:
    async def scene() -> None:
        async with room({"bare_words": True}) as on:
            await on.begin()
            on.hear("ann", "pizza")
            on.hear("bob", "goldfish")
            await on.until(lambda: counts(on.stage)[1] == 1 and on.stage.waiting)
            assert on.stage.waiting == ["goldfish"]

    play(scene)


def test_what_is_paid_for_is_no_vote() -> None:
    async def scene() -> None:
        async with room() as on:
            await on.begin()
            on.hear("ann", "pizza", reward_id="r", redemption_id="x")
            on.hear("bob", "!dream pizza", bits=100)
            await on.until(lambda: on.stage.waiting)
            assert sum(counts(on.stage)) == 0

    play(scene)


def test_who_may_not_use_the_command_may_not_vote() -> None:
    async def scene() -> None:
        async with room({"commands": {"vote": {"role": "subscriber"}}}) as on:
            await on.begin()
            on.hear("ann", "1")
            on.hear("sue", "2", Role.SUBSCRIBER)
            await on.until(lambda: sum(counts(on.stage)))
            assert counts(on.stage) == [0, 1, 0]

    play(scene)


def test_thousands_of_votes_take_a_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    vote = Client.vote

    async def counted(self: Client, votes: list[tuple[str, int]], source: str, poll_id: str) -> object:
        calls.append(len(votes))
        return await vote(self, votes, source, poll_id)

    monkeypatch.setattr(Client, "vote", counted)

    async def scene() -> None:
        async with room() as on:
            await on.begin()
            for number in range(3000):
                on.hear(f"viewer{number}", f"{number % 3 + 1}")
            await on.until(lambda: sum(counts(on.stage)) == 3000)
            assert counts(on.stage) == [1000, 1000, 1000]
            assert sum(calls) == 3000
            assert len(calls) <= 12

    play(scene)


def test_batches_fit_into_a_call_whatever_the_names() -> None:
    names = [("\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 25, 1)] * 400
    size = _fitting(names)
    assert 1 <= size < 40
    assert size * len("\\ud83d") * 2 * 4 * 25 < BATCH_BYTES * 1.1
    assert _fitting([("ann", 1)] * 1000) == chat_polls.BATCH
    assert _fitting([("ann", 1)]) == 1


def test_more_viewers_than_can_wait_are_counted_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_polls, "WAITING", 5)

    async def scene() -> None:
        async with staged() as stage:
            await stage.tell("!poll castle / pizza")
            for number in range(8):
                assert stage.polls.take(stage.line(f"v{number}", "1"), "1")
            assert (stage.polls.taken, stage.polls.lost) == (8, 3)
            assert stage.polls.take(stage.line("v0", "2"), "2"), "who waits may think again"
            await stage.polls.send()
            assert counts(stage) == [4, 1]

    play(scene)


@pytest.mark.logs("the streamer does not answer")
def test_votes_are_kept_while_the_streamer_is_away() -> None:
    async def scene() -> None:
        async with staged() as stage:
            await stage.tell("!poll castle / pizza")
            url, stage.client._url = stage.client._url, "http://127.0.0.1:9"
            stage.polls.take(stage.line("ann", "1"), "1")
            stage.polls.take(stage.line("bob", "1"), "1")
            await stage.polls.send()
            stage.polls.take(stage.line("ann", "2"), "2")
            stage.client._url = url
            await stage.polls.send()
            assert counts(stage) == [1, 1]

    play(scene)


@pytest.mark.logs("the streamer does not take the chat's votes")
def test_refused_votes_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with staged() as stage:
            await stage.tell("!poll castle / pizza")

            async def vote(*_: object) -> object:
                raise ApiRefused(401, "unauthorized", "this call needs the token", {})

            stage.client.vote = vote  # type: ignore[method-assign, assignment]
            for _ in range(3):
                stage.polls.take(stage.line("ann", "1"), "1")
                await stage.polls.send()

    play(scene)
    assert len([record for record in caplog.records if "does not take the chat's votes" in record.message]) == 1


def test_votes_wait_while_the_streamer_has_too_much_to_do() -> None:
    async def scene() -> None:
        async with staged() as stage:
            await stage.tell("!poll castle / pizza")
            vote, refusals = stage.client.vote, [429, 503]

            async def busy(votes: list[tuple[str, int]], source: str, poll_id: str) -> object:
                if refusals:
                    raise ApiRefused(refusals.pop(), "busy", "too many calls", {})
                return await vote(votes, source, poll_id)

            stage.client.vote = busy  # type: ignore[method-assign, assignment]
            stage.polls.take(stage.line("ann", "1"), "1")
            for _ in range(3):
                await stage.polls.send()
            assert counts(stage) == [1, 0]

    play(scene)


# Announcements


async def looks(stage: Stage, times: int = 1) -> list[str]:
    """Fetch the poll from the streamer and return what the bot then says to everyone."""
    for _ in range(times):
        await stage.polls.refresh()
    await asyncio.sleep(0)
    said, stage.announced[:] = list(stage.announced), []
    return said


def test_a_poll_of_the_page_is_announced_and_so_is_its_end() -> None:
    async def scene() -> None:
        async with staged() as stage:
            assert await looks(stage) == []
            stage.real.call("POST", "/api/poll", {"text": "castle / pizza", "seconds": 20})
            (said,) = await looks(stage, 3)
            assert said.startswith("poll_opened| ")
            stage.polls.take(stage.line("ann", "2"), "2")
            await stage.polls.send()
            stage.real.clock_s += 20
            stage.real.director.tick()
            (said,) = await looks(stage, 3)
            assert said.startswith("poll_won| ")
            assert "pizza" in said
            stage.real.clock_s += 60
            assert await looks(stage) == []
            assert stage.polls.now is None

    play(scene)


def test_a_tie_and_no_vote_at_all() -> None:
    async def scene() -> None:
        async with staged() as stage:
            await stage.tell("!poll castle / pizza")
            stage.polls.take(stage.line("ann", "2"), "2")
            stage.polls.take(stage.line("bob", "1"), "1")
            reply = await stage.tell("!endpoll")
            assert reply.startswith("poll_tied| ")
            assert "pizza" in reply
            assert await looks(stage) == [], "it was the answer"
            await stage.tell("!poll castle / pizza")
            assert (await stage.tell("!endpoll")).startswith("poll_empty| ")

    play(scene)


def test_a_poll_that_began_by_itself_takes_votes_and_is_not_talked_about() -> None:
    async def scene() -> None:
        async with staged(wander="poll") as stage:
            stage.real.director.tick()
            assert await looks(stage) == []
            assert stage.polls.take(stage.line("ann", "2"), "2")
            await stage.polls.send()
            assert counts(stage)[1] == 1
            stage.real.clock_s += 60
            stage.real.director.tick()
            assert await looks(stage) == []

    play(scene)


def test_a_poll_is_cancelled_when_the_streamer_restarts() -> None:
    async def scene() -> None:
        async with staged() as first, staged() as second:
            await first.tell("!poll castle / pizza")
            first.client._url = second.client._url
            (said,) = await looks(first)
            assert said.startswith("poll_cancelled| ")

    play(scene)


def test_lines_are_votes_for_the_poll_that_was_open_when_they_came() -> None:
    async def scene() -> None:
        async with staged() as stage:
            await stage.tell("!poll castle / pizza")
            assert stage.polls.take(stage.line("ann", "1"), "1")
            stage.real.director.end_poll(cancel=True)
            stage.real.director.begin_poll("page", "lion / goldfish")
            await stage.polls.send()
            assert counts(stage) == [0, 0]
            await looks(stage)
            line: ChatLine = stage.line("ann", "1")
            assert stage.polls.take(line, line.text)
            await stage.polls.send()
            assert counts(stage) == [1, 0]

    play(scene)
