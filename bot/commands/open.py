"""``!open`` takes requests again."""

from __future__ import annotations

from bot.commands.arguments import no_arguments
from bot.commands.command import ChatCommand, CommandContext
from bot.reply_templates import reply
from shared.role import Role


async def open_(context: CommandContext, _: None) -> str:
    """Take requests."""
    await context.client.rules(open=True)
    return context.say("opened")


OPEN = ChatCommand(
    name="open",
    about="takes requests again",
    role=Role.MODERATOR,
    parse=no_arguments,
    run=open_,
    replies={
        "opened": reply(
            "a moderator opens requests", "", "wishes are welcome: {prefix}dream away", "I'm all ears: type {prefix}dream"
        ),
    },
)
