"""``!queue`` lists what comes next."""

from __future__ import annotations

from bot.commands.arguments import no_arguments
from bot.commands.command import ChatCommand, CommandContext
from bot.reply_templates import reply
from shared.clean import clean_name, quote

LISTED = 5
"""Requests that the list names."""


async def queue(context: CommandContext, _: None) -> str:
    """List the queue."""
    programme = await context.client.programme()
    if not programme.waiting:
        return await context.say_with_examples("queue_empty") if programme.open else context.say("closed")
    fill, count = context.replies.say, len(programme.waiting)
    entries = [
        fill("entry", what=quote(entry.title), name=clean_name(entry.user), id=entry.id) for entry in programme.waiting[:LISTED]
    ]
    if count > LISTED:
        entries.append(fill("entries_more", count=count - LISTED))
    return context.say("queue", list=", ".join(entries), count=count)


QUEUE = ChatCommand(
    name="queue",
    about="lists what comes next",
    aliases=("q",),
    cooldown_s=5.0,
    is_question=True,
    parse=no_arguments,
    run=queue,
    replies={
        "queue": reply(
            "somebody asks what comes next",
            "list count",
            "next up: {list}",
            "in line: {list}",
            "coming up: {list}",
        ),
        "queue_empty": reply(
            "somebody asks what comes next, and the queue is empty",
            "example pair",
            "nobody is in line: {prefix}dream something!",
            "the queue is empty. How about {prefix}dream {example}?",
            "nothing is waiting, I'm just wandering. Type {prefix}dream and what you want to see",
        ),
        "entry": reply("one request of the list", "what name id", "{what} for {name} (#{id})"),
        "entries_more": reply("the rest of the list", "count", "{count} more"),
    },
)
