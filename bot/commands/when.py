"""``!when`` tells when the viewer's own request comes."""

from __future__ import annotations

from bot.commands.arguments import no_arguments
from bot.commands.command import ChatCommand, CommandContext
from bot.reply_templates import reply
from shared.clean import clean_name


async def when(context: CommandContext, _: None) -> str:
    """Find the viewer's first request."""
    programme, name, replies = await context.client.programme(), clean_name(context.line.user).casefold(), context.replies
    for entry in programme.waiting:
        if entry.user.casefold() == name:
            place, wait = replies.place(entry.position), replies.wait(entry.eta_s)
            return context.say("when", what=replies.subjects(entry.labels), place=place, wait=wait, id=entry.id)
    on_air = programme.on_air
    if on_air is not None and on_air.user.casefold() == name:
        return context.say("when_on_air", what=replies.subjects(on_air.labels))
    return await context.say_with_examples("when_none")


WHEN = ChatCommand(
    name="when",
    about="tells when one's own request comes",
    aliases=("pos", "position"),
    user_cooldown_s=5.0,
    is_question=True,
    parse=no_arguments,
    run=when,
    replies={
        "when": reply(
            "a viewer asks when their request comes",
            "what place wait id",
            "your {what}: {place}, {wait}",
            "{what}: {place}, {wait}",
            "hang in there, dreamer. {what}: {place}, {wait}",
        ),
        "when_on_air": reply(
            "a viewer asks when their request comes, and it is on air",
            "what",
            "look up, it's on: {what}",
            "now! {what}, just for you",
            "open your eyes: {what}, as ordered",
        ),
        "when_none": reply(
            "a viewer asks when their request comes, and has none",
            "example pair",
            "nothing of yours is waiting. {prefix}dream fixes that",
            "I don't have a wish from you. Whisper me one: {prefix}dream {example}",
            "you're not on my list yet. {prefix}dream something",
        ),
    },
)
