"""``!endpoll`` ends a poll now, and the leading choice wins; ``!endpoll cancel`` drops it."""

from __future__ import annotations

from bot.commands.command import ChatCommand, CommandContext
from bot.errors import ApiRefused
from shared.role import Role

CANCEL = frozenset({"cancel", "stop", "off"})


def parse(words: str) -> bool:
    """Whether the poll is cancelled."""
    return words.casefold() in CANCEL


async def end(context: CommandContext, cancel: bool) -> str:
    """End the poll."""
    try:
        poll = await context.polls.end(cancel=cancel)
    except ApiRefused as refused:
        return context.say_missing("poll_none", refused)
    return context.polls.result(poll, context.line.user)


ENDPOLL = ChatCommand(
    name="endpoll",
    about="ends a poll now, and the leading choice wins; !endpoll cancel drops it",
    aliases=("pollend",),
    role=Role.MODERATOR,
    parse=parse,
    run=end,
)
