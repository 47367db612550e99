"""``!hold 30`` keeps each dream on air for so many seconds."""

from __future__ import annotations

from functools import partial

from bot.commands.arguments import number
from bot.commands.command import ChatCommand, CommandContext
from bot.reply_templates import reply
from shared.role import Role


async def hold(context: CommandContext, seconds: float) -> str:
    """Set the time on air."""
    await context.client.rules(hold_s=seconds)
    return context.say("held", seconds=f"{seconds:g} s")


HOLD = ChatCommand(
    name="hold",
    usage="30",
    about="keeps each dream on air for so many seconds",
    role=Role.MODERATOR,
    parse=partial(number, unit="s", otherwise="hold_usage"),
    run=hold,
    replies={
        "held": reply(
            "the time on air is changed",
            "seconds",
            "each dream stays for {seconds} now",
            "{seconds} per dream from now on",
        ),
        "hold_usage": reply("a time on air is no number", "", "how many seconds? For example: {prefix}hold 30"),
    },
)
