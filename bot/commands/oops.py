"""``!oops`` takes back the viewer's latest request."""

from __future__ import annotations

from bot.api_answers import labels_of
from bot.commands.arguments import no_arguments
from bot.commands.command import ChatCommand, CommandContext
from bot.errors import ApiRefused
from bot.reply_templates import reply


async def oops(context: CommandContext, _: None) -> str:
    """Take it back."""
    try:
        title = await context.client.oops(context.user, context.line.source)
    except ApiRefused as refused:
        return context.say_missing("oops_none", refused)
    return context.say("oops", what=context.replies.subjects(labels_of(title)))


OOPS = ChatCommand(
    name="oops",
    about="takes back one's latest request",
    aliases=("wrongsong", "undo"),
    parse=no_arguments,
    run=oops,
    replies={
        "oops": reply(
            "a viewer took their latest request back",
            "what",
            "{what}? Never heard of it",
            "forgotten: {what}",
            "back under the pillow: {what}",
        ),
        "oops_none": reply(
            "a viewer has no request to take back",
            "",
            "nothing of yours to forget",
            "oops yourself, nothing of yours is waiting",
            "there is nothing to take back",
        ),
    },
)
