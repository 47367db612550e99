"""``!voteskip`` votes for the next dream; enough votes bring it."""

from __future__ import annotations

from bot.commands.arguments import no_arguments
from bot.commands.command import ChatCommand, CommandContext
from bot.errors import ApiRefused
from bot.reply_templates import reply
from shared.clean import quote


async def voteskip(context: CommandContext, _: None) -> str:
    """Count the viewer's vote."""
    try:
        vote = await context.client.voteskip(context.user, context.line.source)
    except ApiRefused as refused:
        if refused.code == "closed":  # a moderator holds the dream
            return context.say("refused", message=quote(refused.message))
        return context.say_missing("nothing_on_air", refused)
    if vote.skipped:
        return context.say("voteskip_done", votes=vote.votes)
    return context.say("voteskip", votes=vote.votes, needed=vote.needed, more=max(1, vote.needed - vote.votes))


VOTESKIP = ChatCommand(
    name="voteskip",
    about="votes for the next dream; enough votes bring it",
    aliases=("vs",),
    parse=no_arguments,
    run=voteskip,
    replies={
        "voteskip": reply(
            "a vote to skip counts",
            "votes needed more",
            "{votes} of {needed} votes for the next dream, {more} to go",
            "yawn noted: {votes} of {needed}, {more} to go",
            "that's {votes} of {needed}. {more} more, and I'll turn over",
        ),
        "voteskip_done": reply(
            "it was the last vote needed",
            "votes",
            "all right, I'm turning over",
            "the votes are in ({votes}): next dream!",
            "that's enough yawning: on to the next",
        ),
    },
)
