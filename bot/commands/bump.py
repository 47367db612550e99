"""``!bump`` shakes the dream, ``!bump twist`` turns its middle a little instead."""

from __future__ import annotations

from bot.commands.command import ChatCommand, CommandContext
from bot.reply_templates import reply
from shared.role import Role


def parse(words: str) -> bool:
    """Whether to twist rather than shake."""
    return words.casefold() == "twist"


async def bump(context: CommandContext, twist: bool) -> str:
    """Shake or twist the dream."""
    await (context.client.twist() if twist else context.client.bump())
    return context.say("bumped")


BUMP = ChatCommand(
    name="bump",
    about="shakes the dream; !bump twist turns its middle a little instead",
    aliases=("shake",),
    role=Role.MODERATOR,
    parse=parse,
    run=bump,
    replies={
        "bumped": reply("the dream is shaken", "", "whoa, I'm awake!", "that shook me up", "bump!"),
    },
)
