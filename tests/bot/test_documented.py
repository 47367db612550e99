"""Every call of the bot's client, checked against the streamer's table of routes: path, body, and fields read of the answer."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from bot.adapter import ChatConnection
from bot.api_transport import Json
from bot.client import Client
from shared.role import Role
from tests.bot.stage import play
from tests.video.studio import Studio, scene
from tests.web import documented
from tests.web.real import RealStage

NAMES = {name for name, found in vars(Client).items() if inspect.iscoroutinefunction(found) and not name.startswith("_")}


class Documented(dict[str, Any]):
    """An answer that raises ``KeyError`` where the client reads a missing field."""

    def get(self, key: str, default: Any = None, /) -> Any:
        return self[key]


def strict(value: Any) -> Any:
    if isinstance(value, dict):
        return Documented({key: strict(each) for key, each in value.items()})
    return [strict(each) for each in value] if isinstance(value, list) else value


class Watched(Client):
    """A client that checks its calls and their answers against the table."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.called: set[tuple[str, str]] = set()

    async def _once(self, method: str, path: str, body: Json | None, query: Mapping[str, str] | None) -> Json:
        route = documented.route_of(method, path)
        assert route is not None, f"{method} {path} is not documented"
        self.called.add((route.method, route.template))
        assert (body is not None) == (route.body is not None), f"{method} {path}: body"
        if route.body is not None:
            route.body.model_validate_json(json.dumps(body))
        assert {*(query or {})} <= {each.name for each in route.query}, f"{method} {path}: query"
        answer = await super()._once(method, path, body, query)
        shapes = [shape for status, shape in route.answers.items() if status < 300]
        documented.adapter(shapes[0]).validate_json(json.dumps(answer), strict=True)
        read: Json = strict(answer)
        return read


async def call_everything(client: Watched) -> list[str]:
    """Call each method in a way that the streamer accepts, and return the methods' names."""
    called: list[str] = []

    async def ask(method: Callable[..., Awaitable[Any]], *args: Any, **named: Any) -> Any:
        called.append(method.__name__)
        return await method(*args, **named)

    first = await ask(client.request, "ann", "volcano", message_id="m1", role=Role.VIP, source="twitch")
    paid = await ask(client.request, "ben", "pizza", source="twitch", priority="bits", amount=100)
    await ask(client.request, "cleo", None, source="twitch")
    assert await ask(client.request_state, first.id) == ("queued", "volcano")
    assert await ask(client.request_states, [first.id]) == {first.id: "queued"}
    assert (await ask(client.match, "volcano", Role.MODERATOR)).labels == ("volcano",)
    await ask(client.layers)
    assert await ask(client.examples)
    assert len((await ask(client.programme)).waiting) == 3
    await ask(client.promote, first.id)
    await ask(client.voteskip, "dan", "twitch")
    assert await ask(client.oops, "ben", "twitch") == "pizza"
    assert await ask(client.poll) is None
    poll = await ask(client.begin_poll, "mod", "jellyfish / lion", 30.0)
    assert (await ask(client.vote, [("ann", 1)], "twitch", poll.id)).votes == 1
    await ask(client.count_votes, "twitch", [2, 3], poll.id)
    assert (await ask(client.poll)).open
    assert (await ask(client.end_poll, True)).state == "cancelled"
    await ask(client.remove, first.id)
    assert await ask(client.remove_user, "cleo") == 1
    assert await ask(client.clear) == 0
    await ask(client.pause, True)
    await ask(client.pause, False)
    await ask(client.skip)
    await ask(client.rules, hold_s=20.0, open=True, order="votes")
    await ask(client.block, "word", "nonsense")
    await ask(client.block, "word", "nonsense", blocked=False)
    await ask(client.motion, 1.1)
    await ask(client.bump)
    await ask(client.twist)
    await ask(client.report, ChatConnection("connected", "", "dreambot", "streamer"), "twitch", 1.5, 0)
    assert (await ask(client.clip, "ann", "twitch")).title == "volcano"
    assert paid.id != first.id
    return called


def test_every_call_is_as_the_streamer_documents_it(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "dreams")
    studio.air(scene(1), 3.0)
    real = RealStage(album=studio.album)
    client = Watched(real.server.url)

    async def run() -> None:
        async with client:
            assert {*await call_everything(client)} == NAMES

    try:
        play(run)
    finally:
        real.close()
    assert len(client.called) > 25
