"""``!now`` tells what is on air and for whom."""

from __future__ import annotations

from bot.commands.arguments import no_arguments
from bot.commands.command import ChatCommand, CommandContext
from bot.reply_templates import reply
from shared.clean import clean_name


async def now(context: CommandContext, _: None) -> str:
    """Tell what is on air."""
    on_air = (await context.client.programme()).on_air
    if on_air is None:
        return context.say("now_nothing")
    what = context.replies.subjects(on_air.labels)
    if not on_air.user:
        return context.say("now_wandering", what=what)
    return context.say("now", what=what, by=clean_name(on_air.user), wait=context.replies.wait(on_air.left_s))


NOW = ChatCommand(
    name="now",
    about="tells what is on air and for whom",
    aliases=("dreaming",),
    cooldown_s=5.0,
    is_question=True,
    parse=no_arguments,
    run=now,
    replies={
        "now": reply(
            "somebody asks what is on air",
            "what by wait",
            "I'm dreaming {what} for {by}",
            "that's {what}, {by} asked for it",
            "{what}, with love to {by}",
        ),
        "now_wandering": reply(
            "somebody asks what is on air, and nobody asked for that",
            "what",
            "just wandering: {what}",
            "{what}, because nobody asked for anything",
            "my own idea: {what}. Got a better one? {prefix}dream it",
        ),
        "now_nothing": reply(
            "somebody asks what is on air, and nothing is yet",
            "",
            "nothing yet, I'm just falling asleep",
            "still dark in here, give me a moment",
            "the dream is about to begin",
        ),
    },
)
