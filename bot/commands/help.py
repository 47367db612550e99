"""``!help`` tells what the viewer can type."""

from __future__ import annotations

from bot.commands.arguments import no_arguments
from bot.commands.command import ChatCommand, CommandContext
from bot.reply_templates import reply


async def help_(context: CommandContext, _: None) -> str:
    """List the commands that the viewer may use."""
    others = [f"{context.prefix}{name}" for name in context.usable if name not in ("dream", "help")]
    return await context.say_with_examples("help", commands=", ".join(others))


HELP = ChatCommand(
    name="help",
    about="tells what can be typed",
    aliases=("dreamhelp",),
    cooldown_s=10.0,
    is_question=True,
    parse=no_arguments,
    run=help_,
    replies={
        "help": reply(
            "somebody asks for help",
            "commands example pair",
            "I dream what you ask for: {prefix}dream {pair}. I also know {commands}",
            "make a wish: {prefix}dream {example}, or two things with a + between them. There's also {commands}",
            "type {prefix}dream and up to four things with + between them. Other commands: {commands}",
        ),
    },
)
