"""``!vote 2`` votes in a poll. The dispatcher takes votes before any command runs, so only what is no vote comes here."""

from __future__ import annotations

from bot.commands.arguments import no_arguments
from bot.commands.command import ChatCommand, CommandContext


async def vote(context: CommandContext, _: None) -> str | None:
    """Tell what there is to vote on."""
    poll = context.polls.now
    if poll is None or not poll.open:
        return context.say("poll_none")
    return context.polls.standing(poll, context.line.user)


VOTE = ChatCommand(
    name="vote",
    usage="2",
    about="votes in a poll; so does 2 alone, or a choice's name. Its role and enabled apply to every typed vote",
    is_question=True,
    parse=no_arguments,
    run=vote,
)
