"""``!random`` lets the streamer choose what to dream."""

from __future__ import annotations

from bot.commands.arguments import no_arguments
from bot.commands.command import ChatCommand, CommandContext
from bot.commands.dream import ask
from bot.reply_templates import reply


async def random(context: CommandContext, _: None) -> str | None:
    """Ask for anything."""
    return await ask(context, None)


RANDOM = ChatCommand(
    name="random",
    about="lets the dream choose",
    aliases=("surprise",),
    announces_cooldown=True,
    parse=no_arguments,
    run=random,
    replies={
        "random": reply(
            "the dream was asked to choose",
            "what place wait id",
            "my pick for you: {what}. {place}, {wait}",
            "I spun the wheel: {what}! {place}, {wait}",
            "surprise! {what}: {place}, {wait}",
            "eyes shut, finger on the page: {what}. {place}, {wait}",
        ),
    },
)
