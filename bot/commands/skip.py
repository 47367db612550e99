"""``!skip`` goes on to the next dream."""

from __future__ import annotations

from bot.commands.arguments import no_arguments
from bot.commands.command import ChatCommand, CommandContext
from bot.errors import ApiRefused
from bot.reply_templates import reply
from shared.role import Role


async def skip(context: CommandContext, _: None) -> str:
    """End what is on air."""
    try:
        await context.client.skip()
    except ApiRefused as refused:
        return context.say_missing("nothing_on_air", refused)
    return context.say("skipped")


SKIP = ChatCommand(
    name="skip",
    about="goes on to the next dream",
    role=Role.MODERATOR,
    parse=no_arguments,
    run=skip,
    replies={
        "skipped": reply("a moderator skips", "", "next dream!", "turning over", "enough of that"),
        "nothing_on_air": reply("there is nothing to skip", "", "nothing to skip yet", "I'm not even asleep"),
    },
)
