"""Every command, with a real streamer: what happens there, and what the bot answers."""

from __future__ import annotations

import asyncio
import re
from random import Random

import pytest

from bot.adapter import ChatLine
from bot.all_replies import ALL_REPLIES
from bot.client import Client
from bot.command_handler import EXAMPLES, FRESH_S, QUIET_S, CommandHandler
from bot.errors import ApiDown
from bot.replies import Replies
from shared.role import Role
from streamer.commands.classes import bundled_wnids
from streamer.messages.network_contents import LayerEntry
from streamer.messages.refused import Refused
from streamer.requests.vocabulary import Vocabulary
from tests.bot.stage import Stage, answer, keyed, play, staged

# Requests


def test_a_request_is_taken_and_answered_with_what_where_and_when() -> None:
    async def scene() -> None:
        async with staged() as stage:
            first = await stage.say("ann", "!dream volcano")
            assert first is not None
            assert first.startswith("queued_next| ")
            assert "volcano" in first
            await stage.say("bob", "!d goldfish")
            third = await stage.say("cid", "!dream tabby cat + pizza")
            assert third is not None
            assert "tabby" in third
            assert " on top, pizza below" in third
            assert "third, in about 2 minutes" in third
            assert stage.waiting[:2] == ["volcano", "goldfish"]

    play(scene)


def test_moderators_ask_for_layers() -> None:
    layers = [
        LayerEntry(name, 64, 4) for name in ("conv1", "fire2", "fire3", "fire4", "fire5", "fire6", "fire7", "fire8", "fire9")
    ]

    async def scene() -> None:
        async with staged() as stage:
            assert (await stage.tell("!layer")).startswith("layers_none| ")
            assert (await stage.tell("!layer fire5")).startswith("loading| ")
            stage.real.learn_layers(layers)
            listed = await stage.tell("!layers")
            assert listed.startswith("layers| ")
            assert "9" in listed
            assert "conv1, fire3, fire5, fire7, fire9" in listed
            assert "layer fire5" in await stage.tell("!layer FIRE 5")
            assert (await stage.tell("!layer layer fire5:3,17-18 + pizza")).startswith("queued")
            assert (await stage.tell("!dream volcano + layer fire9")).startswith("queued")
            assert stage.waiting == ["layer fire5", "layer fire5:3,17-18 + pizza", "volcano + layer fire9"]
            unknown = await stage.tell("!layer fire55")
            assert unknown.startswith("unknown_near| ")
            assert "layer fire5" in unknown
            assert "channels 0 to 63" in await stage.tell("!layer conv1:64")
            assert await stage.say("ann", "!layer fire5") is None, "not theirs to use"
            refused = await stage.say("ann", "!dream layer fire6")
            assert refused is not None
            assert refused.startswith("refused| ")
            assert "layers are for moderators to choose" in refused
            assert (await stage.say("ann", "!what layer fire6") or "").startswith("refused| ")
            assert "layer fire6" in await stage.tell("!what layer fire 6")
            assert len(stage.waiting) == 3

    play(scene)


def test_the_reply_shows_a_corrected_typo() -> None:
    async def scene() -> None:
        async with staged() as stage:
            reply = await stage.say("ann", "!dream vulcano")
            assert reply is not None
            assert "vulcano" in reply
            assert stage.waiting == ["volcano"]

    play(scene)


def test_another_viewers_same_request_is_a_vote() -> None:
    async def scene() -> None:
        async with staged() as stage:
            await stage.say("ann", "!dream volcano")
            await stage.say("ann", "!dream goldfish")
            voted = await stage.say("bob", "!dream goldfish")
            assert voted is not None
            assert voted.startswith("voted| ")
            assert "goldfish" in voted
            again = await stage.say("bob", "!dream goldfish")
            own = await stage.say("ann", "!dream volcano")
            assert again is not None
            assert again.startswith("waiting_already| goldfish: next")
            assert own is not None
            assert own.startswith("waiting_already| volcano: second")

    play(scene)


def test_the_same_message_twice_is_one_request() -> None:
    async def scene() -> None:
        async with staged() as stage:
            line = stage.line("ann", "!dream volcano")
            await answer(stage.handler, line)
            await answer(stage.handler, line)
            assert stage.waiting == ["volcano"]

    play(scene)


def test_unknown_words_get_near_ones_and_are_never_said_as_links_or_mentions() -> None:
    async def scene() -> None:
        async with staged() as stage:
            near = await stage.say("ann", "!dream zzvolcanoozz")
            assert near is not None
            assert near.startswith("unknown")
            far = await stage.say("ann", "!dream https://evil.example/x @everyone \u202exyz\u0000")
            assert far is not None
            assert not set(far.partition("| ")[2]) & set("/@\u202e\0")
            assert "evil.example" not in far
            assert (await stage.say("ann", "!dream") or "").startswith("nothing_asked| ")
            assert stage.waiting == []

    play(scene)


def test_what_only_larger_networks_know_is_answered_kindly() -> None:
    async def scene() -> None:
        async with staged(known=bundled_wnids()) as stage:
            for _ in range(len(ALL_REPLIES["unlearnt"].templates)):
                reply = await stage.tell("!dream volcano + bubble")
                key, _, said = reply.partition("| ")
                assert key == "unlearnt"
                assert "volcano" in said
                assert "bubble" not in said
                assert "alpine mountain, cliff or seashore" in said
                assert "network.name" not in said, "how to get another network is the operator's to know"
            assert (await stage.tell("!what a big red fox")).startswith("unlearnt| ")
            assert (await stage.tell("!dream qwxyz")).startswith("unknown")
            assert (await stage.tell("!dream alpine mountain")).startswith("queued_next| ")
            await asyncio.to_thread(
                stage.real.learn, "large", {entry.wnid for entry in stage.real.director.vocabulary.search("", 1000)}
            )
            assert (await stage.tell("!dream volcano + bubble")).startswith("queued| ")

    play(scene)


def test_a_refused_redemption_of_such_a_thing_is_settled_and_bare_names_of_it_are_let_pass() -> None:
    async def scene() -> None:
        async with staged({"bare_words": True}, known=bundled_wnids()) as stage:
            settled: list[int | None] = []
            stage.handler.settle = lambda line, request_id: settled.append(request_id)
            reply = await stage.say("ann", "volcano", reward_id="r", redemption_id="x")
            assert (reply or "").startswith("unlearnt| ")
            assert settled == [None]
            assert await stage.say("ann", "volcano") is None
            await asyncio.to_thread(
                stage.real.learn, "large", {entry.wnid for entry in stage.real.director.vocabulary.search("", 1000)}
            )
            assert (await stage.say("ann", "volcano") or "").startswith("queued_next| "), "it is not remembered as talk"

    play(scene)


def test_examples_are_what_the_network_at_work_knows() -> None:
    small = Vocabulary.load(bundled_wnids())
    large = small.for_network({entry.wnid for entry in small.search("", 1000)})
    told = dict.fromkeys(("nothing_asked", "help", "queue_empty", "when_none"), ("{example}|{pair}",))

    async def scene() -> None:
        async with staged({"replies": told}) as stage:
            for words in (small, large):
                await asyncio.to_thread(stage.real.learn, "another", {target.wnid for target in words.available})
                stage.clock.advance(FRESH_S)
                seen = set()
                for command in ("!dream", "!what", "!help", "!queue", "!when") * 10:
                    example, _, pair = (await stage.tell(command)).partition("|")
                    assert words.match(example).title == example
                    assert words.match(pair).title == pair
                    seen |= set(pair.split(" + "))
                assert seen == set(words.knowledge.examples)

    play(scene)


def test_no_text_names_a_subject_of_its_own() -> None:
    texts = [text for said in ALL_REPLIES.values() for text in said.templates]
    behind = [words for text in texts for words in re.findall(r"\{prefix\}dream ([a-z ]+)", text)]
    assert "something" in behind
    for words in behind:
        with pytest.raises(Refused):  # subjects that some networks lack come as {example} or {pair}
            Vocabulary.load().match(words)


@pytest.mark.logs("the streamer does not answer")
def test_help_and_its_examples_need_no_streamer() -> None:
    assert all(Vocabulary.load(bundled_wnids()).match(label).title == label for label in EXAMPLES)

    async def scene() -> None:
        async with staged() as stage, Client("http://127.0.0.1:9") as nobody:
            handler = _handler(nobody, stage)
            for _ in range(6):
                assert (await answer(handler, stage.line("mod", "!help", Role.MODERATOR)) or "").startswith("help| ")
                asked = await answer(handler, stage.line("mod", "!dream", Role.MODERATOR)) or ""
                assert any(label in asked for label in EXAMPLES)
            with pytest.raises(ApiDown):
                await nobody.examples()

    play(scene)


def test_the_streamer_is_asked_for_examples_once_in_a_while() -> None:
    async def scene() -> None:
        async with staged() as stage:
            calls = 0
            told = stage.client.examples

            async def counted() -> tuple[str, ...]:
                nonlocal calls
                calls += 1
                return await told()

            stage.client.examples = counted  # type: ignore[method-assign]
            for _ in range(5):
                await stage.tell("!help")
            assert calls == 1
            stage.clock.advance(FRESH_S)
            await stage.tell("!help")
            assert calls == 2

    play(scene)


def test_limits_a_closed_queue_and_blocks_get_replies() -> None:
    async def scene() -> None:
        async with staged(per_user=1) as stage:
            await stage.say("ann", "!dream volcano")
            limited = await stage.say("ann", "!dream goldfish")
            assert limited is not None
            assert limited.startswith("limited| ")
            assert "in about 30 seconds" in limited
            assert (await stage.tell("!close")).startswith("shut| ")
            assert (await stage.say("bob", "!dream goldfish") or "").startswith("closed| ")
            assert (await stage.tell("!open")).startswith("opened| ")
            assert (await stage.tell("!block goldfish")).startswith("barred| ")
            assert (await stage.say("bob", "!dream goldfish") or "").startswith("blocked| ")
            assert (await stage.tell("!block @Cid")).startswith("barred| ")
            assert (await stage.say("cid", "!dream pizza") or "").startswith("blocked| ")
            assert (await stage.tell("!unblock goldfish")).startswith("unbarred| ")
            assert (await stage.tell("!unblock @cid")).startswith("unbarred| ")
            assert (await stage.say("cid", "!dream goldfish") or "").startswith("queued| ")
            assert (await stage.tell("!block")).startswith("block_usage| ")

    play(scene)


def test_chance_can_choose() -> None:
    async def scene() -> None:
        async with staged() as stage:
            reply = await stage.say("ann", "!random")
            assert reply is not None
            assert reply.startswith("random| ")
            assert len(stage.waiting) == 1
            assert stage.waiting[0].split(" + ")[0] in reply

    play(scene)


def test_bits_and_points_go_first_and_redemptions_are_settled() -> None:
    async def scene() -> None:
        async with staged() as stage:
            settled: list[tuple[str, int | None]] = []
            stage.handler.settle = lambda line, request_id: settled.append((line.user, request_id))
            await stage.say("ann", "!dream volcano")
            await stage.say("bob", "!dream goldfish")
            await stage.say("cid", "Cheer100 !dream pizza", bits=100)
            await stage.say("dan", "jellyfish", reward_id="r", redemption_id="x1")
            assert stage.waiting[:2] == ["pizza", "jellyfish"]
            await stage.say("eve", "no such thing at all", reward_id="r", redemption_id="x2")
            await stage.say("fay", "", reward_id="r", redemption_id="x3")
            await stage.say("gus", "volcano", reward_id="r", redemption_id="x4")
            assert [user for user, _ in settled] == ["dan", "eve", "fay", "gus"]
            assert settled[0][1] is not None
            assert [request_id for _, request_id in settled[1:]] == [None, None, None]

    play(scene)


def test_bare_names_are_requests_where_that_is_wanted() -> None:
    async def scene() -> None:
        async with staged({"bare_words": True}) as stage:
            assert await stage.say("ann", "lol nice") is None
            assert await stage.say("ann", "vulcano") is None
            assert await stage.say("ann", "the dog ate my pizza") is None
            assert (await stage.say("ann", "volcano") or "").startswith("queued_next| ")
            assert (await stage.say("bob", "volcano") or "").startswith("voted| ")
            await stage.tell("!close")
            assert await stage.say("bob", "goldfish") is None
            assert stage.waiting == ["volcano"]

    play(scene)


# Questions


def test_the_queue_is_listed() -> None:
    async def scene() -> None:
        async with staged(per_user=20) as stage:
            assert (await stage.tell("!queue")).startswith("queue_empty| ")
            for subject in ("volcano", "goldfish", "pizza", "jellyfish", "teapot", "banana", "umbrella"):
                await stage.say("ann_1", f"!dream {subject}")
            listed = await stage.tell("!queue")
            assert "volcano for ann_1 (#1), goldfish for ann_1 (#2)" in listed
            assert listed.endswith("2 more")
            await stage.tell("!clear")
            await stage.tell("!close")
            assert (await stage.tell("!queue")).startswith("closed| ")

    play(scene)


def test_when_now_oops_and_what() -> None:
    async def scene() -> None:
        async with staged(per_user=2) as stage:
            assert (await stage.say("ann", "!when") or "").startswith("when_none| ")
            assert (await stage.say("ann", "!oops") or "").startswith("oops_none| ")
            assert (await stage.tell("!now")).startswith("now_wandering| ")
            await stage.say("ann", "!dream volcano")
            await stage.say("bob", "!dream goldfish")
            when = await stage.say("Bob", "!when")
            assert when is not None
            assert "goldfish" in when
            assert "second" in when
            stage.real.director.skip()
            stage.clock.advance(60)
            assert (await stage.say("ann", "!when") or "").startswith("when_on_air| ")
            now = await stage.tell("!now")
            assert now.startswith("now| ")
            assert "volcano" in now
            assert "ann" in now
            oops = await stage.say("bob", "!oops")
            assert oops is not None
            assert oops.startswith("oops| ")
            assert "goldfish" in oops
            assert stage.waiting == []
            match = await stage.tell("!what tabby cat + pizza")
            assert match.startswith("match| ")
            assert "below" in match
            assert (await stage.tell("!what qqqqqqqqqq")).startswith("unknown")
            assert (await stage.tell("!what")).startswith("nothing_asked| ")

    play(scene)


def test_help_names_what_the_one_who_asks_may_type() -> None:
    async def scene() -> None:
        async with staged() as stage:
            viewers = await stage.say("ann", "!help")
            assert viewers is not None
            assert "!queue" in viewers
            assert "!skip" not in viewers
            assert "!skip" in await stage.tell("!help")

    play(scene)


def test_viewers_vote_what_is_on_air_away() -> None:
    async def scene() -> None:
        async with staged(voteskip_votes=3) as stage:
            for user in ("ann", "bob", "cid"):
                await stage.say(user, "!dream volcano")
            stage.real.director.skip()
            replies = [await stage.say(user, "!voteskip") or "" for user in ("ann", "bob", "cid")]
            assert [reply.partition("|")[0] for reply in replies] == ["voteskip", "voteskip", "voteskip_done"]
            await stage.tell("!pause")
            assert (await stage.say("ann", "!voteskip") or "").startswith("refused| ")

    play(scene)


# Moderators


def test_moderators_keep_order() -> None:
    async def scene() -> None:
        async with staged() as stage:
            await stage.say("ann", "!dream volcano")
            await stage.say("bob", "!dream goldfish")
            await stage.say("cid", "!dream pizza")
            assert (await stage.tell("!promote 3")).startswith("promoted| ")
            assert stage.waiting == ["pizza", "volcano", "goldfish"]
            assert "goldfish" in await stage.tell("!promote @Bob")
            assert stage.waiting == ["goldfish", "pizza", "volcano"]
            assert (await stage.tell("!promote 77")).startswith("not_waiting| ")
            assert (await stage.tell("!promote nobody")).startswith("not_waiting| ")
            assert (await stage.tell("!promote")).startswith("promote_usage| ")
            assert (await stage.tell("!remove ANN")).startswith("removed| ")
            assert (await stage.tell("!remove ann")).startswith("removed_none| ")
            assert (await stage.tell("!remove #3")).startswith("removed| ")
            assert (await stage.tell("!remove #3")).startswith("not_waiting| ")
            assert (await stage.tell("!remove")).startswith("remove_usage| ")
            assert stage.waiting == ["goldfish"]
            assert (await stage.tell("!skip")).startswith("skipped| ")
            assert stage.waiting == []
            assert (await stage.tell("!clear")).startswith("cleared_none| ")
            await stage.say("ann", "!dream volcano")
            assert (await stage.tell("!clear")).startswith("cleared| ")

    play(scene)


def test_moderators_steer_the_dream() -> None:
    async def scene() -> None:
        async with staged() as stage:
            assert (await stage.tell("!pause")).startswith("paused| ")
            assert stage.real.director.programme().paused
            assert (await stage.tell("!pause")).startswith("resumed| ")
            assert (await stage.tell("!pause off")).startswith("resumed| ")
            assert (await stage.tell("!hold 12,5")).startswith("held| ")
            assert stage.real.director.rules().settings["hold_s"] == 12.5
            assert (await stage.tell("!hold 1e9")).startswith("refused| ")
            for wrong in ("!hold", "!hold x", "!hold nan", "!hold 1_0"):
                assert (await stage.tell(wrong)).startswith("hold_usage| ")
            assert (await stage.tell("!zoom 1.1x")).startswith("zoomed| ")
            assert stage.real.dream.motion.speed == 1.1
            assert (await stage.tell("!zoom 99")).startswith("refused| ")
            assert (await stage.tell("!zoom fast")).startswith("zoom_usage| ")
            assert (await stage.tell("!bump")).startswith("bumped| ")
            assert stage.real.dream.bumped == 1
            assert (await stage.tell("!bump twist")).startswith("bumped| ")
            assert (stage.real.dream.bumped, stage.real.dream.twisted) == (1, 1)

    play(scene)


ORDERS = (
    "skip",
    "clear",
    "remove bob",
    "promote 1",
    "pause",
    "open",
    "close",
    "block x",
    "unblock x",
    "hold 3",
    "zoom 2",
    "bump",
)


def test_viewers_orders_are_not_heard() -> None:
    async def scene() -> None:
        async with staged() as stage:
            await stage.say("bob", "!dream volcano")
            for order in ORDERS:
                for role in (Role.EVERYONE, Role.SUBSCRIBER, Role.VIP):
                    assert await stage.say("ann", f"!{order}", role) is None
            assert stage.waiting == ["volcano"]
            assert not stage.real.director.programme().paused
            assert stage.real.dream.bumped == 0

    play(scene)


# Cooldowns


def test_cooldowns_are_shared_by_aliases_and_not_moderators() -> None:
    async def scene() -> None:
        commands = {"queue": {"cooldown_s": 5.0}, "dream": {"user_cooldown_s": 30.0}}
        async with staged({"commands": commands}) as stage:
            assert await stage.say("ann", "!queue") is not None
            assert await stage.say("bob", "!queue") is None
            assert await stage.tell("!queue") is not None
            stage.clock.advance(5)
            assert await stage.say("bob", "!queue") is not None
            await stage.say("ann", "!dream volcano")
            cooling = await stage.say("ann", "!dream pizza")
            assert cooling is not None
            assert cooling.startswith("cooling| ")
            assert "in about 30 seconds" in cooling
            assert await stage.say("ann", "!dream pizza") is None  # answered once per cooldown
            assert (await stage.say("bob", "!dream goldfish") or "").startswith("queued| ")
            stage.clock.advance(30)
            assert (await stage.say("ann", "!dream pizza") or "").startswith("queued| ")

    play(scene)


# Failures


@pytest.mark.logs("the streamer does not answer")
def test_viewers_get_the_offline_reply_only_once_in_a_while() -> None:
    async def scene() -> None:
        async with staged() as stage, Client("http://127.0.0.1:9") as nobody:
            handler = _handler(nobody, stage)
            assert (await answer(handler, stage.line("ann", "!dream volcano")) or "").startswith("offline| ")
            assert await answer(handler, stage.line("bob", "!dream volcano")) is None
            assert await answer(handler, stage.line("mod", "!skip", Role.MODERATOR)) is not None
            stage.clock.advance(QUIET_S)
            assert await answer(handler, stage.line("bob", "!when")) is not None

    play(scene)


def _handler(client: Client, stage: Stage) -> CommandHandler:
    return CommandHandler(client, Replies(keyed(), Random(1)), keyed(), stage.polls, stage.clock)


@pytest.mark.logs("give the bot the streamer's web.token")
def test_a_missing_token_is_the_operators_to_read_not_the_chats() -> None:
    async def scene() -> None:
        async with staged(token="open sesame") as stage, Client(stage.real.server.url) as stranger:
            reply = await answer(_handler(stranger, stage), stage.line("mod", "!skip", Role.MODERATOR))
            assert reply is not None
            assert reply.startswith("trouble| ")
            assert "token" not in reply

    play(scene)


@pytest.mark.logs("could not be answered")
def test_a_fault_of_the_bots_own_never_comes_out_of_its_mouth(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with staged() as stage:
            settled: list[int | None] = []
            stage.handler.settle = lambda line, request_id: settled.append(request_id)

            async def broken(*args: object, **named: object) -> None:
                raise RuntimeError("secret inner workings")

            monkeypatch.setattr(stage.client, "request", broken)
            reply = await stage.say("ann", "volcano", reward_id="r", redemption_id="x")
            assert reply is not None
            assert reply.startswith("trouble| ")
            assert "secret" not in reply
            assert settled == [None]

    play(scene)


def test_names_that_are_not_fit_to_be_shown_are_cleaned_everywhere() -> None:
    async def scene() -> None:
        async with staged({"replies": {"queued_next": ("{user}: {what}",)}}) as stage:
            for user in ("\u202eann\u200b\r\n" + "x" * 500, "\ud800", "", "<script>alert(1)</script>"):
                reply = await stage.say(user, "!dream volcano")
                assert reply is not None
                assert "\u202e" not in reply
                reply.encode()
                stage.real.director.clear()
            line = ChatLine("z", "<b>", "9", "!dream volcano", Role.EVERYONE, "irc")
            assert await answer(stage.handler, line) == "<b>: volcano"

    play(scene)


def test_other_settings_count_from_the_next_line_on() -> None:
    async def scene() -> None:
        async with staged({"commands": {"queue": {"cooldown_s": 60.0}}}) as stage:
            assert await stage.say("ann", "!queue") is not None
            assert await stage.say("bob", "!queue") is None, "it cools down"
            changed = keyed(prefix="?", commands={"queue": {"cooldown_s": 0.0}, "now": {"enabled": False}})
            stage.handler.configure(changed, "left_right")
            assert await stage.say("bob", "!queue") is None, "that is no command any more"
            assert await stage.say("bob", "?queue") is None, "what cools down goes on to"
            assert await stage.say("bob", "?now") is None
            stage.clock.advance(60.0)
            assert await stage.say("bob", "?queue") is not None
            assert await stage.say("cid", "?queue") is not None
            told = await stage.say("dan", "?dream volcano + pizza")
            assert told is not None
            assert "volcano left, pizza right" in told
            helped = await stage.say("eve", "?help")
            assert helped is not None
            assert "?queue" in helped
            assert "?now" not in helped

    play(scene)
