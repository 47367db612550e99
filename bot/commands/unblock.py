"""``!unblock WORD`` and ``!unblock @USER`` take a block back."""

from __future__ import annotations

from bot.commands.block import BlockArguments, parse, set_block
from bot.commands.command import ChatCommand, CommandContext
from bot.reply_templates import reply
from shared.role import Role


async def unblock(context: CommandContext, what: BlockArguments) -> str:
    """Take the block back."""
    return await set_block(context, what, "unbarred", blocked=False)


UNBLOCK = ChatCommand(
    name="unblock",
    usage="WORD",
    about="takes that block back; !unblock @USER that of a viewer",
    role=Role.MODERATOR,
    parse=parse,
    run=unblock,
    replies={
        "unbarred": reply("a moderator unblocks", "name", "{name} is welcome again", "{name} is no longer blocked"),
        "not_barred": reply(
            "what a moderator unblocks was not blocked", "name", "{name} was not blocked", "no block on {name}"
        ),
    },
)
