"""``!dream A + B`` asks for a dream; also how any request is made and answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.api_answers import labels_of
from bot.commands.arguments import text
from bot.commands.command import ChatCommand, CommandContext
from bot.errors import ApiRefused
from bot.reply_templates import reply

if TYPE_CHECKING:
    from bot.api_answers import AcceptedRequest
    from bot.client import Priority


async def dream(context: CommandContext, words: str) -> str | None:
    """Ask for what the words name."""
    return await ask(context, words) if words else await context.say_with_examples("nothing_asked")


async def ask(context: CommandContext, words: str | None) -> str | None:
    """Ask for a dream; with None for ``words``, the streamer chooses."""
    line = context.line
    priority: Priority = "bits" if line.bits else "points" if line.reward_id else "none"
    try:
        accepted = await context.client.request(
            context.user,
            words,
            message_id=line.id,
            role=line.role,
            source=line.source,
            priority=priority,
            amount=line.bits if priority == "bits" else 0,
        )
    except ApiRefused as refused:
        if refused.code == "duplicate":
            return await _already_queued(context, refused)
        raise
    context.request_ids.append(accepted.id)
    return _accepted(context, accepted, chosen=words is None)


def _accepted(context: CommandContext, accepted: AcceptedRequest, chosen: bool) -> str:
    replies = context.replies
    note = "" if chosen else replies.note(accepted.note)
    what = " ".join(filter(None, (replies.subjects(accepted.labels), note)))
    key = "random" if chosen else "queued_next" if accepted.position <= 1 else "queued"
    place, wait = replies.place(accepted.position), replies.wait(accepted.eta_s)
    return context.say(key, what=what, place=place, wait=wait, id=accepted.id)


async def _already_queued(context: CommandContext, refused: ApiRefused) -> str | None:
    """The same subjects are in the queue: the request counted as a vote for them."""
    request_id, position = refused.number("id"), refused.number("position")
    title = refused.body.get("title")
    if not isinstance(title, str) and request_id is not None:
        _, title = await context.client.request_state(int(request_id))
    if not isinstance(title, str) or position is None:  # the same message again, or it has just gone on air
        return None
    return context.say(
        "voted" if refused.body.get("voted") is True else "waiting_already",
        what=context.replies.subjects(labels_of(title)),
        place=context.replies.place(int(position)),
        wait=context.replies.wait(refused.number("eta_s")),
        votes=1 + int(refused.number("votes") or 0),
        id="" if request_id is None else int(request_id),
    )


DREAM = ChatCommand(
    name="dream",
    usage="A + B",
    about="asks for a dream",
    aliases=("d", "request"),
    announces_cooldown=True,
    takes_subjects=True,
    parse=text,
    run=dream,
    replies={
        "queued": reply(
            "a request goes into the queue",
            "what place wait id",
            "{what}: {place}, {wait}",
            "ooh, {what}! {place}, {wait}",
            "I'll dream of that. {what}: {place}, {wait}",
            "got it. {what}: {place}, {wait}",
            "counting sheep until then. {what}: {place}, {wait}",
        ),
        "queued_next": reply(
            "a request goes into the queue and is next",
            "what wait id",
            "{what}: you're next, {wait}",
            "{what}! Nobody ahead of you, {wait}",
            "my eyes are closing already. {what}: next, {wait}",
            "up next: {what}, {wait}",
        ),
        "voted": reply(
            "somebody else has asked for the same, so the request counts as a vote",
            "what place wait votes id",
            "you too? That makes {votes} for {what}: {place}, {wait}",
            "{votes} of you want it now. {what}: {place}, {wait}",
            "great minds dream alike, {votes} of you so far. {what}: {place}, {wait}",
        ),
        "waiting_already": reply(
            "the viewer has asked for the same or voted for it before",
            "what place wait votes id",
            "I haven't forgotten {what}: {place}, {wait}",
            "it's on my list already. {what}: {place}, {wait}",
            "patience, dreamer. {what}: {place}, {wait}",
        ),
        "nothing_asked": reply(
            "a command that needs words came without any",
            "example pair",
            "dream of what? Try {prefix}dream {pair}",
            "I'd love to, but of what? For example: {prefix}dream {pair}",
            "tell me what you want to see: {prefix}dream {example}",
        ),
    },
)
