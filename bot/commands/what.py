"""``!what WORD`` tells what a word would match."""

from __future__ import annotations

from bot.commands.arguments import text
from bot.commands.command import ChatCommand, CommandContext
from bot.reply_templates import reply
from shared.clean import echo


async def what(context: CommandContext, words: str) -> str:
    """Tell what the words would be understood as."""
    if not words:
        return await context.say_with_examples("nothing_asked")
    match, replies = await context.client.match(words, context.line.role), context.replies
    subjects = " ".join(filter(None, (replies.subjects(match.labels), replies.note(match.note))))
    return context.say("match", heard=echo(words) or "that", what=subjects)


WHAT = ChatCommand(
    name="what",
    usage="WORD",
    about="tells what a word would match",
    aliases=("whatis", "match"),
    user_cooldown_s=2.0,
    is_question=True,
    takes_subjects=True,
    parse=text,
    run=what,
    replies={
        "match": reply(
            "somebody asks what a word would match",
            "heard what",
            "'{heard}' would be {what}",
            "for '{heard}' I'd dream {what}",
            "'{heard}' gets you {what}",
        ),
    },
)
