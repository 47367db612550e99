"""The chat in a terminal."""

from __future__ import annotations

import io

from bot.adapter import ChatLine
from bot.console import HELP, Console
from bot.dispatcher import Dispatcher
from shared.role import Role
from tests.bot.stage import play, staged


def test_lines_are_heard_as_who_one_wants_to_be() -> None:
    async def scene() -> None:
        heard: list[ChatLine] = []
        shown: list[str] = []
        console = Console(io.StringIO("!dream volcano\r\n\n/as Ann B vip\n!queue\n/as\n/as bob\nhello\n"), shown.append)
        await console.run(heard.append)
        assert [(line.user, line.role, line.text) for line in heard] == [
            ("you", Role.BROADCASTER, "!dream volcano"),
            ("Ann B", Role.VIP, "!queue"),
            ("bob", Role.EVERYONE, "hello"),
        ]
        assert len({line.id for line in heard}) == 3
        assert shown == [HELP, "you are Ann B, vip", HELP, "you are bob, everyone"]
        await console.say(heard[1], "hi")
        await console.say(None, "all")
        assert shown[-2:] == ["@Ann B hi", "all"]
        assert console.state().state == "connected"

    play(scene)


def test_everything_typed_is_answered_before_it_ends() -> None:
    async def scene() -> None:
        async with staged() as stage:
            shown: list[str] = []
            console = Console(io.StringIO("/as bob\n!dream volcano\n/as ann\n!dream pizza\n!when\n"), shown.append)
            await Dispatcher(stage.handler, console, stage.polls).run()
            # All are viewers: a moderator's line is answered in parallel with theirs, in either order.
            assert stage.waiting == ["volcano", "pizza"]
            answers = [text.partition("|")[0] for text in shown[1:] if "| " in text]
            assert answers == ["@bob queued_next", "@ann queued", "@ann when"]

    play(scene)
