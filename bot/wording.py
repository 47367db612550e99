"""Every word the bot says, unless the config's ``chat.replies`` says it otherwise.

Each key has several templates, so that nothing is said twice in a row, and the placeholders that they may have; ``{user}`` and
``{prefix}`` may stand in all of them. ``configs/wording.yaml`` is written from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

COMMON = ("user", "prefix")
"""Placeholders of every reply: who is answered, and what commands start with."""

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "user": "who is answered",
        "prefix": "what commands start with",
        "what": "what was understood, for example 'tabby cat on top, pizza below'",
        "place": "the position in words, for example 'third'",
        "wait": "the wait in words, for example 'in about 2 minutes'",
        "votes": "how many want it",
        "heard": "what was typed, or asked for",
        "near": "what would be understood, for example 'lion, candle or umbrella'",
        "example": "something that can be dreamt now",
        "pair": "two such things, for example 'lion + candle'",
        "message": "the streamer's own words",
        "note": "what was guessed or left out, for example \"read 'vulcano' as volcano\"",
        "list": "the next few in line, some layers, some changes, or a poll's choices",
        "count": "how many",
        "by": "who asked for it",
        "commands": "what the one who asks may type",
        "more": "how many votes are missing",
        "needed": "how many votes it takes",
        "name": "whom or what it is about",
        "id": "the request's number",
        "seconds": "how many seconds",
        "speed": "the zoom factor per second",
        "link": "the address of what was kept",
        "path": "the last part of that address",
        "first": "what fills the first place",
        "second": "what fills the second",
        "things": "all but the last, with commas",
        "last": "the last one",
        "n": "the number",
    }
)
"""What each placeholder stands for."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One thing that the bot says."""

    about: str
    """When it is said."""
    placeholders: tuple[str, ...]
    """Besides the common ones."""
    templates: tuple[str, ...]


def _say(about: str, placeholders: str, *templates: str) -> Wording:
    return Wording(about, tuple(placeholders.split()), templates)


WORDING: Mapping[str, Wording] = MappingProxyType(
    {
        # Requests
        "queued": _say(
            "a request is taken",
            "what place wait id",
            "{what}: {place}, {wait}",
            "ooh, {what}! {place}, {wait}",
            "I'll dream of it. {what}: {place}, {wait}",
            "got it. {what}: {place}, {wait}",
            "counting sheep until then. {what}: {place}, {wait}",
        ),
        "queued_next": _say(
            "a request is taken and nothing is before it",
            "what wait id",
            "{what}: you're next, {wait}",
            "{what}! nobody ahead of you, {wait}",
            "my eyes are closing already. {what}: next, {wait}",
            "up next: {what}, {wait}",
        ),
        "random": _say(
            "the dream was asked to choose",
            "what place wait id",
            "my pick for you: {what}. {place}, {wait}",
            "I spun the wheel: {what}! {place}, {wait}",
            "surprise! {what}: {place}, {wait}",
            "eyes shut, finger on the page: {what}. {place}, {wait}",
        ),
        "note": _say(
            "something was guessed or left out; follows what was understood",
            "note",
            "({note})",
            "(hm: {note})",
            "(note: {note})",
        ),
        "voted": _say(
            "somebody else asked for it already, so it counts as a vote",
            "what place wait votes id",
            "you too? that makes {votes} for {what}: {place}, {wait}",
            "{votes} of you want it now. {what}: {place}, {wait}",
            "great minds dream alike, {votes} of you by now. {what}: {place}, {wait}",
        ),
        "waiting_already": _say(
            "the one who asks has asked for it or voted for it before",
            "what place wait votes id",
            "I haven't forgotten {what}: {place}, {wait}",
            "it's on my list already. {what}: {place}, {wait}",
            "patience, dreamer. {what}: {place}, {wait}",
        ),
        "changed": _say(
            "the network is another by now, and some of what waits is dreamt as something else",
            "list",
            "I dream with another network now: {list}",
            "a change of network, a change of plans: {list}",
        ),
        "changed_entry": _say("one such request", "name what heard", "{name} gets {what} instead of {heard}"),
        "changed_none": _say("one that has to be left out", "name heard", "{heard} for {name} is off, sorry"),
        "unknown_near": _say(
            "a word is not known, others are near",
            "heard near",
            "I never learnt to dream '{heard}'. How about {near}?",
            "I can't place '{heard}', but {near} would work",
            "hmm, '{heard}'? Did you mean {near}?",
        ),
        "unknown": _say(
            "a word is not known",
            "heard",
            "I never learnt to dream '{heard}'. Try something you could take a photo of",
            "'{heard}'? I don't know that one. {prefix}random picks something for you",
            "I searched my whole head: no '{heard}' in there",
        ),
        "unlearnt": _say(
            "a thing is known to larger networks, but not to the one that dreams",
            "what count near",
            "'{what}' is not among the {count} things this network knows. How about {near}?",
            "the network I dream with never learnt '{what}'. How about {near}?",
            "'{what}' takes a larger network than mine. With my {count} things I can offer {near}",
        ),
        "loading": _say(
            "the network is still loading, so that nobody knows yet whether that can be dreamt",
            "wait",
            "I'm still waking up and can't tell yet whether I know that. Ask again {wait}",
            "my network is still loading. Try again {wait}",
            "give me a moment to wake up. Try again {wait}",
        ),
        "nothing_asked": _say(
            "a command that needs words came without",
            "example pair",
            "dream of what? Try {prefix}dream {pair}",
            "I'd love to, but of what? For example: {prefix}dream {pair}",
            "tell me what you want to see: {prefix}dream {example}",
        ),
        "limited": _say(
            "a limit of the queue holds for this viewer",
            "message wait",
            "easy now: {message}. Ask again {wait}",
            "not so fast: {message}. Try again {wait}",
            "sorry, {message}. Try me again {wait}",
        ),
        "blocked": _say(
            "what or who asks is blocked",
            "",
            "that's one dream I won't have",
            "not on my pillow, sorry",
            "I'd wake up screaming. Something else?",
        ),
        "closed": _say(
            "requests are closed",
            "",
            "I'm not taking requests just now, come back later",
            "the wishing well is closed for the moment",
            "no requests right now, I'm dreaming for myself",
        ),
        "cooling": _say(
            "the one who asks has to wait before the next request",
            "wait",
            "give me a moment to turn my pillow, try again {wait}",
            "you dream faster than I do, try me again {wait}",
            "still digesting your last one, try again {wait}",
        ),
        # Questions
        "queue": _say(
            "what waits is asked for",
            "list count",
            "next up: {list}",
            "in line: {list}",
            "coming up: {list}",
        ),
        "queue_empty": _say(
            "what waits is asked for and nothing does",
            "example pair",
            "nobody is in line: {prefix}dream something!",
            "the queue is empty. How about {prefix}dream {example}?",
            "nothing is waiting, I'm just wandering. Type {prefix}dream and what you want to see",
        ),
        "when": _say(
            "somebody asks when their request comes",
            "what place wait id",
            "your {what}: {place}, {wait}",
            "{what}: {place}, {wait}",
            "hang in there, dreamer. {what}: {place}, {wait}",
        ),
        "when_on_air": _say(
            "it is on air",
            "what",
            "look up, it's on: {what}",
            "now! {what}, just for you",
            "open your eyes: {what}, as ordered",
        ),
        "when_none": _say(
            "nothing of theirs waits",
            "example pair",
            "nothing of yours is waiting. {prefix}dream fixes that",
            "I have no wish from you. Whisper me one: {prefix}dream {example}",
            "you're not on my list yet. {prefix}dream something",
        ),
        "oops": _say(
            "somebody took their latest request back",
            "what",
            "{what}? Never heard of it",
            "forgotten: {what}",
            "back under the pillow: {what}",
        ),
        "oops_none": _say(
            "there is nothing to take back",
            "",
            "nothing of yours to forget",
            "oops yourself, nothing of yours is waiting",
            "there is nothing to take back",
        ),
        "now": _say(
            "what is on air is asked for",
            "what by wait",
            "I'm dreaming {what} for {by}",
            "that's {what}, {by} asked for it",
            "{what}, with love to {by}",
        ),
        "now_wandering": _say(
            "what is on air is asked for, and nobody wished for it",
            "what",
            "just wandering: {what}",
            "{what}, because nobody asked for anything",
            "my own idea: {what}. Got a better one? {prefix}dream it",
        ),
        "now_nothing": _say(
            "nothing is on air yet",
            "",
            "nothing yet, I'm just falling asleep",
            "still dark in here, give me a moment",
            "the dream is about to begin",
        ),
        "match": _say(
            "somebody asks what a word would match",
            "heard what",
            "'{heard}' would be {what}",
            "for '{heard}' I'd dream {what}",
            "'{heard}' gets you {what}",
        ),
        "clipped": _say(
            "the last seconds of the dream were kept",
            "what link seconds",
            "the last {seconds} of {what}: {link}",
            "clipped! {what}, {seconds}: {link}",
            "here is {what} to keep, {seconds}: {link}",
        ),
        "clipped_picture": _say(
            "a clip was asked for while no video was encoded, so that a picture was kept",
            "what link",
            "no video is running that I could clip, so here is a picture of {what}: {link}",
            "only a picture this time, for nobody watches the video: {what}, {link}",
        ),
        "help": _say(
            "help is asked for",
            "commands example pair",
            "I dream what you ask for: {prefix}dream {pair}. I also know {commands}",
            "make a wish: {prefix}dream {example}, or two things with a + between them. There is also {commands}",
            "type {prefix}dream and up to four things with + between them. Besides that: {commands}",
        ),
        # Votes
        "voteskip": _say(
            "a vote to skip counts",
            "votes needed more",
            "{votes} of {needed} votes for the next dream, {more} to go",
            "yawn noted: {votes} of {needed}, {more} to go",
            "that's {votes} of {needed}. With {more} more I turn over",
        ),
        "voteskip_done": _say(
            "it was the last vote needed",
            "votes",
            "all right, I'm turning over",
            "the votes are in ({votes}): next dream!",
            "you have yawned enough: on to the next",
        ),
        # Polls
        "poll_opened": _say(
            "a poll begins",
            "list seconds",
            "vote for what I dream next: {list}. Type the number; {seconds} left",
            "what comes next? {list}. Type 1, 2 and so on within {seconds}",
            "you choose my next dream: {list}. The number is enough, you have {seconds}",
        ),
        "poll_elsewhere": _say(
            "a poll begins that is held as Twitch's own",
            "list seconds",
            "vote for what I dream next in the poll above the chat: {list}. {seconds} left",
            "what comes next? {list}. Vote in the poll above the chat within {seconds}",
        ),
        "poll_standing": _say(
            "somebody asks how a poll stands",
            "list seconds",
            "{list}. {seconds} left to vote",
            "so far {list}, with {seconds} to go",
            "votes so far: {list}; {seconds} left",
        ),
        "poll_none": _say(
            "there is no poll",
            "",
            "there is no poll just now",
            "nothing to vote on at the moment",
            "no poll is open",
        ),
        "poll_won": _say(
            "a poll ends",
            "what votes count",
            "{what} wins: {votes} of {count} chose it",
            "you chose {what}, with {votes} of {count}",
            "{votes} of {count} want {what}, so that comes next",
        ),
        "poll_tied": _say(
            "a poll ends in a tie; the choice that had its votes first wins",
            "what votes count",
            "a tie! {what} was there first, so it wins",
            "{what} wins the tie: it was the first at {votes}",
        ),
        "poll_empty": _say(
            "a poll ends without a vote",
            "",
            "nobody voted, so I choose myself",
            "no votes? then I dream what I like",
        ),
        "poll_cancelled": _say("a poll is cancelled", "", "the poll is cancelled", "never mind the poll, it is cancelled"),
        "poll_running": _say(
            "a poll is to begin while another is open",
            "",
            "one poll at a time: {prefix}endpoll ends this one, {prefix}endpoll cancel drops it",
            "a poll is open already. {prefix}endpoll ends it, {prefix}endpoll cancel drops it",
        ),
        "poll_usage": _say(
            "a poll names too little, or what cannot be",
            "message",
            "{message}. Say {prefix}poll goldfish / pizza / lion, or {prefix}poll 30s goldfish / pizza",
        ),
        # Moderators
        "skipped": _say("a moderator skips", "", "next dream!", "turning over", "enough of that"),
        "nothing_on_air": _say("there is nothing to skip", "", "nothing to skip yet", "I'm not even asleep"),
        "cleared": _say(
            "a moderator clears the queue",
            "count",
            "swept the queue: {count} gone",
            "queue cleared, {count} gone",
            "all forgotten, {count} in all",
        ),
        "cleared_none": _say("there was nothing to clear", "", "nothing was waiting", "it was empty already"),
        "removed": _say(
            "a moderator removes someone's requests, or one",
            "name count",
            "gone from the queue: {name} ({count})",
            "{name}: {count} removed",
            "took out {count} ({name})",
        ),
        "removed_none": _say("nothing is there to remove", "name", "{name} has nothing waiting", "nothing in line for {name}"),
        "remove_usage": _say("a removal names nobody", "", "whose? {prefix}remove NAME, or one request: {prefix}remove #12"),
        "promoted": _say(
            "a moderator promotes a request", "what", "to the front: {what}", "jumping the line: {what}", "next now: {what}"
        ),
        "promote_usage": _say(
            "a promotion names no request", "", "which one? {prefix}promote 12, with the number from {prefix}queue, or a NAME"
        ),
        "not_waiting": _say("the request named does not wait", "name", "{name} is not waiting", "no {name} in line"),
        "paused": _say("a moderator holds the dream", "", "holding this thought", "the clock stops: this one stays"),
        "resumed": _say("the dream goes on", "", "dreaming on", "the clock is ticking again"),
        "opened": _say("requests are opened", "", "wishes are welcome: {prefix}dream away", "I'm all ears: {prefix}dream"),
        "shut": _say("requests are closed by a moderator", "", "no more wishes for now", "the wishing well is closed"),
        "barred": _say("a moderator blocks a word or a user", "name", "{name} is blocked", "blocked: {name}"),
        "unbarred": _say("a moderator unblocks", "name", "{name} is welcome again", "{name} is no longer blocked"),
        "not_barred": _say("what a moderator unblocks was not blocked", "name", "{name} was not blocked", "no block on {name}"),
        "block_usage": _say(
            "a block names nothing", "", "block what? {prefix}block WORD for a word, {prefix}block @NAME for a viewer"
        ),
        "held": _say(
            "the time on air is changed",
            "seconds",
            "each dream stays for {seconds} now",
            "{seconds} per dream from now on",
        ),
        "hold_usage": _say("a time on air is no number", "", "how many seconds? For example: {prefix}hold 30"),
        "zoomed": _say("the zoom is changed", "speed", "zoom: {speed}× a second", "zoom set to {speed}× a second"),
        "zoom_usage": _say(
            "a zoom is no number", "", "how fast? {prefix}zoom 1.05 goes in, 1 stands still, {prefix}zoom 0.95 goes out"
        ),
        "layers": _say(
            "a moderator asks which layers there are",
            "list count",
            "{count} layers, among them {list}. {prefix}layer NAME dreams one",
            "I have {count} layers, such as {list}. Say {prefix}layer NAME, or {prefix}layer NAME:17 for a channel of it",
        ),
        "layers_none": _say(
            "no network is loaded yet",
            "",
            "I have nothing to think with yet, ask again in a moment",
            "no layers yet, I'm just waking up",
        ),
        "bumped": _say("the dream is shaken", "", "whoa, I'm awake!", "that shook me up", "bump!"),
        # Trouble
        "refused": _say(
            "the streamer refuses for a reason of its own",
            "message",
            "no luck: {message}",
            "that didn't work: {message}",
            "hm, {message}",
        ),
        "busy": _say(
            "too much is going on",
            "",
            "too many voices at once, ask me again in a moment",
            "my head is full just now, try again in a moment",
            "one at a time, please; try again shortly",
        ),
        "offline": _say(
            "the streamer does not answer",
            "",
            "I can't reach the dream right now, try again in a bit",
            "the dream doesn't hear me at the moment, sorry",
            "sound asleep and not answering, try again later",
        ),
        "trouble": _say(
            "something went wrong that should not",
            "",
            "I tripped over a dream just now; the streamer's log says over what",
            "that one gave me a nightmare; it's in the log",
            "something went wrong in my head, sorry",
        ),
        # Words within replies
        "top_bottom": _say("two subjects, one above the other", "first second", "{first} on top, {second} below"),
        "left_right": _say("two subjects side by side", "first second", "{first} left, {second} right"),
        "corners": _say("subjects in the corners of the picture", "things last", "{things} and {last} in the corners"),
        "entry": _say("one request of a list", "what name id", "{what} for {name} (#{id})"),
        "entries_more": _say("what stands for more of a list", "count", "{count} more"),
        "page_path": _say(
            "an address of which only the last part is known, as web.public_url is not set",
            "path",
            "{path} on the stream's page",
        ),
        "or": _say("between the last two things to choose from", "", "or"),
        "places": _say(
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
        "place_far": _say("the positions after those", "n", "number {n} in line"),
        "wait_now": _say("no wait worth telling", "", "any moment now"),
        "wait_seconds": _say("a wait of less than a minute", "n", "in about {n} seconds"),
        "wait_minute": _say("a wait of a minute", "", "in about a minute"),
        "wait_minutes": _say("a wait of minutes", "n", "in about {n} minutes"),
        "wait_hour": _say("a wait of an hour", "", "in about an hour"),
        "wait_hours": _say("a wait of hours", "n", "in about {n} hours"),
        "wait_unknown": _say("a wait that cannot be told, as while the dream is held", "", "when I get to it"),
        "again_now": _say("no wait worth telling before the next try", "", "in a moment"),
        "again_unknown": _say("a wait before the next try that cannot be told", "", "later"),
    }
)

ORDERED = frozenset({"places"})
"""Keys whose templates are taken by number, not by chance."""
