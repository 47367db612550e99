"""``!clear`` empties the queue."""

from __future__ import annotations

from bot.commands.arguments import no_arguments
from bot.commands.command import ChatCommand, CommandContext
from bot.reply_templates import reply
from shared.role import Role


async def clear(context: CommandContext, _: None) -> str:
    """Empty the queue."""
    count = await context.client.clear()
    return context.say("cleared", count=count) if count else context.say("cleared_none")


CLEAR = ChatCommand(
    name="clear",
    about="empties the queue",
    role=Role.MODERATOR,
    parse=no_arguments,
    run=clear,
    replies={
        "cleared": reply(
            "a moderator clears the queue",
            "count",
            "swept the queue: {count} gone",
            "queue cleared, {count} gone",
            "all forgotten, {count} in all",
        ),
        "cleared_none": reply("there was nothing to clear", "", "nothing was waiting", "it was empty already"),
    },
)
