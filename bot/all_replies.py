"""Everything the bot says, unless ``chat.replies`` says it otherwise; ``configs/wording.yaml`` is written from here.

A reply of one command is in the command's file. Here are the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.commands.registry import ALL
from bot.reply_templates import ReplyTemplates, reply

SHARED: Mapping[str, ReplyTemplates] = MappingProxyType(
    {
        # About requests
        "note": reply(
            "something was guessed or left out; follows what was understood",
            "note",
            "({note})",
            "(hm: {note})",
            "(note: {note})",
        ),
        "changed": reply(
            "another network is at work, and some requests in the queue become something else",
            "list",
            "I've switched networks: {list}",
            "new network, new plans: {list}",
        ),
        "changed_entry": reply("one such request", "name what heard", "{name} gets {what} instead of {heard}"),
        "changed_none": reply("one that is left out", "name heard", "{heard} for {name} is off, sorry"),
        "unknown_near": reply(
            "a word is not known, others are near",
            "heard near",
            "I never learnt to dream '{heard}'. How about {near}?",
            "I can't place '{heard}', but {near} would work",
            "hmm, '{heard}'? Did you mean {near}?",
        ),
        "unknown": reply(
            "a word is not known",
            "heard",
            "I never learnt to dream '{heard}'. Try something you could take a photo of",
            "'{heard}'? I don't know that one. {prefix}random picks something for you",
            "I've looked everywhere: no '{heard}' in my head",
        ),
        "unlearnt": reply(
            "larger networks know the thing, the one at work does not",
            "what count near",
            "'{what}' is not among the {count} things this network knows. How about {near}?",
            "my network never learnt '{what}'. How about {near}?",
            "'{what}' needs a larger network than mine. With my {count} things I can offer {near}",
        ),
        "loading": reply(
            "the network is still loading, so nobody knows yet whether it knows the thing",
            "wait",
            "I'm still waking up and can't tell yet whether I know that. Ask again {wait}",
            "my network is still loading. Try again {wait}",
            "give me a moment to wake up. Try again {wait}",
        ),
        "limited": reply(
            "a limit of the queue applies to the viewer",
            "message wait",
            "easy now: {message}. Ask again {wait}",
            "not so fast: {message}. Try again {wait}",
            "sorry, {message}. Try me again {wait}",
        ),
        "blocked": reply(
            "the viewer or the thing is blocked",
            "",
            "that's one dream I won't have",
            "not on my pillow, sorry",
            "I'd wake up screaming. Something else?",
        ),
        "closed": reply(
            "requests are closed",
            "",
            "I'm not taking requests just now, come back later",
            "the wishing well is closed for the moment",
            "no requests right now, I'm dreaming for myself",
        ),
        "cooling": reply(
            "the viewer has to wait before the next request",
            "wait",
            "give me a moment to fluff my pillow, try again {wait}",
            "you dream faster than I do, try me again {wait}",
            "still digesting your last one, try again {wait}",
        ),
        # Trouble
        "refused": reply(
            "the streamer refuses for a reason of its own",
            "message",
            "no luck: {message}",
            "that didn't work: {message}",
            "hm, {message}",
        ),
        "busy": reply(
            "the streamer has too much to do",
            "",
            "too many voices at once, ask me again in a moment",
            "my head is full just now, try again in a moment",
            "one at a time, please; try again shortly",
        ),
        "offline": reply(
            "the streamer does not answer",
            "",
            "I can't reach the dream right now, try again in a bit",
            "the dream can't hear me at the moment, sorry",
            "sound asleep and not answering, try again later",
        ),
        "trouble": reply(
            "the bot has a fault",
            "",
            "I tripped over a dream just now; the streamer's log says which",
            "that one gave me a nightmare; it's in the log",
            "something went wrong in my head, sorry",
        ),
        # Words within replies
        "top_bottom": reply("two subjects, one above the other", "first second", "{first} on top, {second} below"),
        "left_right": reply("two subjects side by side", "first second", "{first} left, {second} right"),
        "corners": reply("subjects in the corners of the picture", "things last", "{things} and {last} in the corners"),
        "or": reply("between the last two things to choose from", "", "or"),
        "places": reply(
            "the first positions, in order: next, second and so on; as many as wanted",
            "",
            "next",
            "second",
            "third",
            "fourth",
            "fifth",
            "sixth",
            "seventh",
            "eighth",
            "ninth",
            "tenth",
        ),
        "place_far": reply("the positions after those", "n", "number {n} in line"),
        "wait_now": reply("no wait worth mentioning", "", "any moment now"),
        "wait_seconds": reply("a wait of less than a minute", "n", "in about {n} seconds"),
        "wait_minute": reply("a wait of a minute", "", "in about a minute"),
        "wait_minutes": reply("a wait of minutes", "n", "in about {n} minutes"),
        "wait_hour": reply("a wait of an hour", "", "in about an hour"),
        "wait_hours": reply("a wait of hours", "n", "in about {n} hours"),
        "wait_unknown": reply("an unknown wait, as while the dream is held", "", "when I get to it"),
        "again_now": reply("no wait worth mentioning before the next try", "", "in a moment"),
        "again_unknown": reply("an unknown wait before the next try", "", "later"),
    }
)
"""The replies that belong to no command of their own."""

ALL_REPLIES: Mapping[str, ReplyTemplates] = MappingProxyType(
    {key: templates for replies in (*(command.replies for command in ALL), SHARED) for key, templates in replies.items()}
)
"""Every reply, by its key: the commands' in the registry's order, then the shared ones."""
