"""``!block WORD`` refuses requests with that word, ``!block @USER`` those of a viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.commands.command import ChatCommand, CommandContext, WrongArguments
from bot.errors import ApiRefused
from bot.reply_templates import reply
from shared.clean import echo
from shared.role import Role


@dataclass(frozen=True, slots=True)
class BlockArguments:
    """What is blocked."""

    kind: Literal["word", "user"]
    value: str


def parse(words: str) -> BlockArguments:
    """A word, or ``@viewer``."""
    value = words.removeprefix("@").strip()
    if not value:
        raise WrongArguments("block_usage")
    return BlockArguments("user" if words.startswith("@") else "word", value)


async def block(context: CommandContext, what: BlockArguments) -> str:
    """Block it."""
    return await set_block(context, what, "barred", blocked=True)


async def set_block(context: CommandContext, what: BlockArguments, done: str, *, blocked: bool) -> str:
    """Block something, or take that back; ``done`` is the reply."""
    name = echo(what.value) or "that"
    try:
        await context.client.block(what.kind, what.value, blocked)
    except ApiRefused as refused:
        return context.say_missing("not_barred", refused, name=name)
    return context.say(done, name=name)


BLOCK = ChatCommand(
    name="block",
    usage="WORD",
    about="refuses requests with that word; !block @USER those of a viewer",
    role=Role.MODERATOR,
    parse=parse,
    run=block,
    replies={
        "barred": reply("a moderator blocks a word or a viewer", "name", "{name} is blocked", "blocked: {name}"),
        "block_usage": reply(
            "a block names nothing", "", "block what? {prefix}block WORD for a word, {prefix}block @NAME for a viewer"
        ),
    },
)
