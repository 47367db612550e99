"""``!close`` takes no more requests."""

from __future__ import annotations

from bot.commands.arguments import no_arguments
from bot.commands.command import ChatCommand, CommandContext
from bot.reply_templates import reply
from shared.role import Role


async def close(context: CommandContext, _: None) -> str:
    """Take no requests."""
    await context.client.rules(open=False)
    return context.say("shut")


CLOSE = ChatCommand(
    name="close",
    about="takes no more requests",
    role=Role.MODERATOR,
    parse=no_arguments,
    run=close,
    replies={
        "shut": reply("a moderator closes requests", "", "no more wishes for now", "the wishing well is closed"),
    },
)
