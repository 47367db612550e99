"""``!pause`` holds what is on air; again, or as ``!pause off``, the dream goes on."""

from __future__ import annotations

from bot.commands.command import ChatCommand, CommandContext
from bot.reply_templates import reply
from shared.role import Role

OFF = frozenset({"off", "resume", "stop", "0", "false"})
ON = frozenset({"on", "1", "true"})


def parse(words: str) -> bool | None:
    """Whether to hold it; None for the opposite of now."""
    word = words.casefold()
    return False if word in OFF else True if word in ON else None


async def pause(context: CommandContext, paused: bool | None) -> str:
    """Hold what is on air, or let it go on."""
    if paused is None:
        paused = not (await context.client.programme()).paused
    await context.client.pause(paused)
    return context.say("paused" if paused else "resumed")


PAUSE = ChatCommand(
    name="pause",
    about="holds what is on air; said again, or as !pause off, it goes on",
    aliases=("freeze",),
    role=Role.MODERATOR,
    parse=parse,
    run=pause,
    replies={
        "paused": reply("a moderator holds the dream", "", "holding this thought", "the clock stops: this one stays"),
        "resumed": reply("the dream goes on", "", "dreaming on", "the clock is ticking again"),
    },
)
