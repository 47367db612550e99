"""``!remove USER`` takes out all requests of a viewer, ``!remove #12`` one request."""

from __future__ import annotations

from bot.commands.arguments import request_id
from bot.commands.command import ChatCommand, CommandContext, WrongArguments
from bot.errors import ApiRefused
from bot.reply_templates import reply
from shared.clean import clean_name, echo
from shared.role import Role


def parse(words: str) -> int | str:
    """A request's number (``#12``), or a viewer's name."""
    if not words:
        raise WrongArguments("remove_usage")
    number = request_id(words) if words.startswith("#") else None
    return clean_name(words.removeprefix("@")) if number is None else number


async def remove(context: CommandContext, which: int | str) -> str:
    """Take them out."""
    if isinstance(which, int):
        try:
            await context.client.remove(which)
        except ApiRefused as refused:
            return context.say_missing("not_waiting", refused, name=f"#{which}")
        return context.say("removed", name=f"#{which}", count=1)
    count = await context.client.remove_user(which)
    return context.say("removed", name=echo(which), count=count) if count else context.say("removed_none", name=echo(which))


REMOVE = ChatCommand(
    name="remove",
    usage="USER",
    about="takes out all requests of a viewer; !remove #12 that request",
    aliases=("rm",),
    role=Role.MODERATOR,
    parse=parse,
    run=remove,
    replies={
        "removed": reply(
            "a moderator removes a viewer's requests, or one request",
            "name count",
            "gone from the queue: {name} ({count})",
            "{name}: {count} removed",
            "took {count} out of the queue ({name})",
        ),
        "removed_none": reply(
            "the viewer has no request to remove", "name", "{name} has nothing waiting", "nothing in line for {name}"
        ),
        "remove_usage": reply("a removal names nobody", "", "whose? {prefix}remove NAME, or one request: {prefix}remove #12"),
        "not_waiting": reply("the request named is not in the queue", "name", "{name} is not waiting", "no {name} in line"),
    },
)
