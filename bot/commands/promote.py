"""``!promote 12`` puts that request in front, ``!promote USER`` that viewer's first."""

from __future__ import annotations

from bot.api_answers import labels_of
from bot.commands.arguments import request_id
from bot.commands.command import ChatCommand, CommandContext, WrongArguments
from bot.errors import ApiRefused
from bot.reply_templates import reply
from shared.clean import clean_name, echo
from shared.role import Role


def parse(words: str) -> int | str:
    """A request's number (``12`` or ``#12``), or a viewer's name."""
    if not words:
        raise WrongArguments("promote_usage")
    number = request_id(words)
    return clean_name(words.removeprefix("@")) if number is None else number


async def promote(context: CommandContext, which: int | str) -> str:
    """Put it in front."""
    if isinstance(which, str):
        name = which.casefold()
        own = [entry.id for entry in (await context.client.programme()).waiting if entry.user.casefold() == name]
        if not own:
            return context.say("not_waiting", name=echo(which) or "that")
        which = own[0]
    try:
        await context.client.promote(which)
        _, title = await context.client.request_state(which)
    except ApiRefused as refused:
        return context.say_missing("not_waiting", refused, name=f"#{which}")
    return context.say("promoted", what=context.replies.subjects(labels_of(title)))


PROMOTE = ChatCommand(
    name="promote",
    usage="12",
    about="puts that request in front; !promote USER that viewer's first",
    role=Role.MODERATOR,
    parse=parse,
    run=promote,
    replies={
        "promoted": reply(
            "a moderator promotes a request", "what", "to the front: {what}", "jumping the line: {what}", "next now: {what}"
        ),
        "promote_usage": reply(
            "a promotion names no request",
            "",
            "which one? {prefix}promote 12, with the number from {prefix}queue, or {prefix}promote NAME",
        ),
    },
)
