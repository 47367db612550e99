"""Calls to the streamer: refusals, missing and nonsensical answers, and retries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from bot.adapter import ChatConnection
from bot.api_transport import MAX_BYTES
from bot.client import Client
from bot.errors import ApiDown, ApiRefused
from tests.bot.stage import play, staged


class Odd:
    """An HTTP server that does not answer as a streamer does."""

    def __init__(self) -> None:
        self.answers: list[bytes | int | tuple[int, Any]] = []
        """Bodies, statuses, or both. The last one repeats. Status 0 closes the connection, -1 never answers."""
        self.calls: list[tuple[str, str]] = []

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.calls.append((request.method, request.path))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == 0:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if answer == -1:
            await asyncio.sleep(60)
        if isinstance(answer, tuple):
            return web.json_response(answer[1], status=answer[0])
        return web.Response(
            body=answer if isinstance(answer, bytes) else b"", status=200 if isinstance(answer, bytes) else answer
        )


@asynccontextmanager
async def odd(*answers: bytes | int | tuple[int, Any], timeout_s: float = 5.0) -> AsyncIterator[tuple[Odd, Client]]:
    server = Odd()
    server.answers = list(answers)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with Client(f"{site.name}/", timeout_s=timeout_s) as client:
            yield server, client
    finally:
        await runner.cleanup()


NONSENSE: list[bytes | int | tuple[int, Any]] = [
    b"",
    b"hello",
    b"[]",
    b"null",
    b"{}",
    b'{"id": 1}',
    b'{"id": "x", "position": 1, "targets": []}',
    b'{"id": 1, "position": 1, "eta_s": "soon", "targets": []}',
    b'{"id": 1, "position": 1, "targets": [{}]}',
    b"[" * 100_000,
    b" " * (MAX_BYTES + 1),
    b"\xff\xfe",
    500,
    302,
    0,
    (200, {"targets": 5}),
]


@pytest.mark.logs("the streamer does not answer")
@pytest.mark.parametrize("answer", NONSENSE, ids=lambda answer: repr(answer)[:30])
def test_nonsense_is_a_streamer_that_is_down(answer: Any) -> None:
    async def scene() -> None:
        async with odd(answer) as (_, client):
            with pytest.raises(ApiDown):
                await client.request("ann", "volcano")

    play(scene)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "limit", "message": "too many", "retry_s": 12.5, "suggestions": ["a"]}},
        {"error": "limit", "message": "too many", "retry_s": 12.5, "suggestions": ["a"]},
    ],
)
def test_a_refusal_carries_the_servers_details(body: dict[str, Any]) -> None:
    async def scene() -> None:
        async with odd((429, body)) as (_, client):
            with pytest.raises(ApiRefused) as caught:
                await client.request("ann", "volcano")
            refused = caught.value
            assert (refused.status, refused.code, refused.message) == (429, "limit", "too many")
            assert refused.number("retry_s") == 12.5
            assert refused.number("message") is None
            assert refused.suggestions == ("a",)

    play(scene)


def test_refusals_without_words_are_refusals() -> None:
    async def scene() -> None:
        async with odd((418, {})) as (_, client):
            with pytest.raises(ApiRefused, match="answered 418") as caught:
                await client.skip()
            assert caught.value.code == "418"
            assert caught.value.suggestions == ()

    play(scene)


def test_what_may_be_said_twice_is_tried_again_and_nothing_else() -> None:
    taken = {"id": 1, "position": 1, "eta_s": 0, "targets": [{"label": "volcano"}]}

    async def scene() -> None:
        async with odd(0, (201, taken)) as (server, client):
            assert (await client.request("ann", "volcano", message_id="m1")).labels == ("volcano",)
            assert len(server.calls) == 2
        async with odd(0, (200, {"votes": 1, "needed": 2, "skipped": False})) as (server, client):
            with pytest.raises(ApiDown):
                await client.voteskip("ann", "irc")
            assert (await client.voteskip("ann", "irc")).votes == 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bot.api_transport.log.warning", lambda *args: None)
        play(scene)


def test_losing_and_finding_the_streamer_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        async with odd(500, 500, 500, (200, {"bumped": True})) as (_, client):
            for _ in range(3):
                with pytest.raises(ApiDown):
                    await client.bump()
            await client.bump()

    caplog.set_level("INFO", "bot.api_transport")
    play(scene)
    lost, found = caplog.messages
    assert "the streamer does not answer" in lost
    assert found == "the streamer answers again"


@pytest.mark.logs("the streamer does not answer")
def test_a_streamer_that_hangs_is_not_waited_for_long() -> None:
    async def scene() -> None:
        async with odd(-1, timeout_s=0.1) as (_, client):
            with pytest.raises(ApiDown, match="took more than"):
                await client.bump()

    play(scene)


def test_the_token_opens_what_needs_it_and_the_state_of_the_chat_arrives() -> None:
    async def scene() -> None:
        async with staged(token="open sesame") as stage:
            await stage.client.bump()
            state = ChatConnection("needs login", "type it in", "dreambot", "streamer")
            assert await stage.client.report(state, "twitch") == ()
            answer = await asyncio.to_thread(stage.real.call, "GET", "/api/status")
            chat = json.loads(answer.body)["chat"]
            assert (chat["state"], chat["detail"], chat["account"]) == ("needs login", "type it in", "dreambot")
            taken = await stage.client.request("ann", "volcano")
            assert await stage.client.request_states([taken.id, 999]) == {taken.id: "queued", 999: "removed"}

    play(scene)
