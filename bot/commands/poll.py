"""``!poll fox / pizza / castle`` opens a poll; alone, it tells how the poll stands."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.commands.command import ChatCommand, CommandContext
from bot.commands.endpoll import CANCEL, end
from bot.errors import ApiRefused
from bot.reply_templates import reply
from shared.clean import clean_name, quote

_SECONDS = re.compile(r"(\d{1,5})\s*(?:s|sec|seconds?)\b[\s,:]*", re.IGNORECASE)
"""How long the poll is open, in front of the choices."""


@dataclass(frozen=True, slots=True)
class PollArguments:
    """What a poll is between, and for how long."""

    choices: str
    """As typed, for example ``fox / pizza``; empty: tell how the poll stands."""
    seconds: float | None = None
    """None: as the queue's rules say."""
    cancel: bool = False


def parse(words: str) -> PollArguments:
    """Read ``30s fox / pizza``, ``fox / pizza``, ``cancel``, or nothing."""
    if words.casefold() in CANCEL:
        return PollArguments("", cancel=True)
    if timed := _SECONDS.match(words):
        return PollArguments(words[timed.end() :], float(timed[1]))
    return PollArguments(words)


async def poll(context: CommandContext, arguments: PollArguments) -> str | None:
    """Open a poll, or tell how it stands; only moderators open and cancel polls."""
    asks = not arguments.choices and arguments.seconds is None and not arguments.cancel
    if asks:
        current = context.polls.now
        return context.say("poll_none") if current is None else context.polls.standing(current, context.line.user)
    if not context.line.role.moderates:
        return None
    if arguments.cancel:
        return await end(context, cancel=True)
    try:
        opened = await context.polls.begin(clean_name(context.line.user) or "a moderator", arguments.choices, arguments.seconds)
    except ApiRefused as refused:
        if refused.code == "duplicate":
            return context.say("poll_running")
        if refused.code == "bad_input":
            return context.say("poll_usage", message=quote(refused.message))
        raise
    return context.polls.opened(opened, context.line.user)


POLL = ChatCommand(
    name="poll",
    usage="fox / pizza / castle",
    about="lets viewers vote what comes next (moderators only); alone, it tells how the poll stands",
    cooldown_s=5.0,
    takes_subjects=True,
    parse=parse,
    run=poll,
    replies={
        "poll_opened": reply(
            "a poll opens",
            "list seconds",
            "vote for what I dream next: {list}. Type the number, you have {seconds}",
            "what comes next? {list}. Type 1, 2 and so on within {seconds}",
            "you pick my next dream: {list}. Just type the number, you have {seconds}",
        ),
        "poll_elsewhere": reply(
            "a poll opens as Twitch's own",
            "list seconds",
            "vote for what I dream next in the poll above the chat: {list}. You have {seconds}",
            "what comes next? {list}. Vote in the poll above the chat within {seconds}",
        ),
        "poll_standing": reply(
            "somebody asks how a poll stands",
            "list seconds",
            "{list}. {seconds} left to vote",
            "so far {list}, with {seconds} to go",
            "votes so far: {list}; {seconds} left",
        ),
        "poll_none": reply(
            "there is no poll",
            "",
            "there's no poll right now",
            "nothing to vote on at the moment",
            "no poll is open",
        ),
        "poll_won": reply(
            "a poll ends",
            "what votes count",
            "{what} wins: {votes} of {count} chose it",
            "you chose {what}, with {votes} of {count}",
            "{votes} of {count} want {what}, so that comes next",
        ),
        "poll_tied": reply(
            "a poll ends in a tie; the choice that had its votes first wins",
            "what votes count",
            "a tie! {what} was there first, so it wins",
            "{what} wins the tie: it got to {votes} first",
        ),
        "poll_empty": reply(
            "a poll ends without a vote",
            "",
            "nobody voted, so the choice is mine",
            "no votes? Then I'll dream what I like",
        ),
        "poll_cancelled": reply("a poll is cancelled", "", "the poll is cancelled", "never mind the poll, it's off"),
        "poll_running": reply(
            "a moderator opens a poll while another is open",
            "",
            "one poll at a time: {prefix}endpoll ends this one, {prefix}endpoll cancel drops it",
            "a poll is open already. {prefix}endpoll ends it, {prefix}endpoll cancel drops it",
        ),
        "poll_usage": reply(
            "a poll has too few choices, or ones that make no sense",
            "message",
            "{message}. Say {prefix}poll goldfish / pizza / lion, or {prefix}poll 30s goldfish / pizza",
        ),
    },
)
